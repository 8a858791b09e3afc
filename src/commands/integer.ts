/** Integers as Redis has them: 64 bits, signed, and written in exactly one way. Pure. */
import type { Bytes } from "../bytes.js";

/** A 64-bit signed integer: a number where it is safe, a bigint beyond. */
export type Integer = number | bigint;

const smallest = -(2n ** 63n);
const largest = 2n ** 63n - 1n;
const strict = /^(?:0|-?[1-9][0-9]{0,18})$/;

/** The integer that these bytes are, or null: no sign but `-`, no leading zeros, no spaces, 64 bits at the most. */
export function parseInteger(bytes: Bytes): Integer | null {
  if (!strict.test(bytes)) return null;
  if (bytes.length <= 15) return Number(bytes);
  const value = BigInt(bytes);
  return value < smallest || value > largest ? null : narrow(value);
}

/** The sum, or null where it does not fit into 64 bits. */
export function addIntegers(a: Integer, b: Integer): Integer | null {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(a) + BigInt(b);
  return sum < smallest || sum > largest ? null : narrow(sum);
}

/** The integer with the other sign, or null for the one that has none. */
export function negate(value: Integer): Integer | null {
  if (typeof value === "number") return value === 0 ? 0 : -value;
  return value === smallest ? null : narrow(-value);
}

/** How an integer is kept and answered. */
export function bytesOfInteger(value: Integer): Bytes {
  return String(value) as Bytes;
}

function narrow(value: bigint): Integer {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
