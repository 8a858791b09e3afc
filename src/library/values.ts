/** Values at the edge of the library: what a program passes in, and the bytes it becomes. Pure. */
import { bytesOfBuffer, bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import { inFieldOrder, type Fields } from "../change.js";
import { WriteBehindError } from "../errors.js";

/** What can be stored under a key or in a field. Numbers are stored as their decimal text, text as UTF-8. */
export type Value = string | number | bigint | Uint8Array;

/** A key: text (stored as UTF-8) or bytes. */
export type Key = string | Uint8Array;

/** The bytes of a key. */
export function bytesOfKey(key: Key): Bytes {
  if (typeof key === "string") return bytesOfText(key);
  if (key instanceof Uint8Array) return bytesOfBuffer(key);
  throw hinted(`a key is a string or a Uint8Array, not ${nameOf(key)}`, "convert the key to a string");
}

/** The bytes of a value. Throws a TypeError with a `hint` for anything that is not a Value. */
export function bytesOfValue(value: Value): Bytes {
  if (typeof value === "string") return bytesOfText(value);
  if (typeof value === "number") return bytesOfNumber(value);
  if (typeof value === "bigint") return String(value) as Bytes;
  if (value instanceof Uint8Array) return bytesOfBuffer(value);
  throw hinted(
    `a value is a string, number, bigint or Uint8Array, not ${nameOf(value)}`,
    value === null || value === undefined
      ? "use delete to remove a record"
      : "use wb.hash(key).set({…}) for fields, or wb.json(key).set(…) for a whole object",
  );
}

function bytesOfNumber(value: number): Bytes {
  if (Number.isFinite(value)) return (Object.is(value, -0) ? "0" : String(value)) as Bytes;
  throw hinted(`${value} is not a number that can be stored`, "store a finite number");
}

/** The fields of a hash as text, in their order. A copy: it may leave the step in which they were read. */
export function textOfFields(fields: Fields | null): Record<string, string> | null {
  if (fields === null) return null;
  return Object.fromEntries(
    [...inFieldOrder(fields)].map(([field, value]) => [textOfBytes(field), textOfBytes(value)]),
  );
}

/** The integer that bytes spell, as Redis reads it: 64 bits, no sign but a minus, no leading zero. */
export function integerOfBytes(bytes: Bytes): bigint | null {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(bytes)) return null;
  const value = BigInt(bytes);
  return value > int64Max || value < -int64Max - 1n ? null : value;
}

const int64Max = 9_223_372_036_854_775_807n;

/** The sum of the integer that is there (null: 0) and `by`. Throws BAD_VALUE where there is none, or beyond 64 bits. */
export function incremented(current: Bytes | null, by: bigint): bigint {
  const before = current === null ? 0n : integerOfBytes(current);
  if (before === null) throw new WriteBehindError("BAD_VALUE", "value is not an integer or out of range");
  const after = before + by;
  if (after > int64Max || after < -int64Max - 1n) {
    throw new WriteBehindError("BAD_VALUE", "increment or decrement would overflow");
  }
  return after;
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return value.constructor?.name === "Object" ? "an object" : `a ${value.constructor?.name ?? "object"}`;
}

function hinted(message: string, hint: string): TypeError {
  return Object.assign(new TypeError(`${message} (${hint})`), { code: "BAD_VALUE" as const, hint });
}

/** A time to live, checked: whole milliseconds, 1 or more. Throws BAD_VALUE. */
export function checkedTtl(ttlMs: number | undefined): number | null {
  if (ttlMs === undefined) return null;
  if (Number.isSafeInteger(ttlMs) && ttlMs > 0) return ttlMs;
  throw new WriteBehindError("BAD_VALUE", `ttlMs is ${ttlMs}; it must be a whole number of milliseconds, 1 or more`);
}

/** A step of an increment, checked. Throws BAD_VALUE. */
export function integerStep(by: number): bigint {
  if (Number.isSafeInteger(by)) return BigInt(by);
  throw new WriteBehindError("BAD_VALUE", `${by} is not a whole number that a counter can be changed by`);
}

/** A 64-bit integer as a number. Throws BAD_VALUE beyond 2^53. */
export function safeNumber(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new WriteBehindError("BAD_VALUE", `the counter would be ${value}, beyond what a number holds (2^53)`, {
    hint: "count in more than one record, or use the Redis protocol, which counts to 2^63",
  });
}
