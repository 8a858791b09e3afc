/** Integers of 16, 32 and 64 bits as decimal digits, exact to the last one. Pure. */
import type { Bytes } from "../../bytes.js";
import { WrongValue } from "./wrong-value.js";

const canonicalInteger = /^(?:0|-?[1-9][0-9]*)$/;
const anyInteger = /^[+-]?[0-9]+$/;
/** That many digits fit whatever they are. */
const safeDigits = { 16: 4, 32: 9, 64: 18 } as const;
const largest = { 16: "32767", 32: "2147483647", 64: "9223372036854775807" } as const;
const smallest = { 16: "-32768", 32: "-2147483648", 64: "-9223372036854775808" } as const;

/** The decimal digits of an integer, without a plus and without leading zeros. */
export function integer(bits: 16 | 32 | 64, value: Bytes): Bytes | WrongValue {
  if (value.length <= safeDigits[bits] && canonicalInteger.test(value)) return value;
  const digits = integerWithin(bits, value);
  return digits ?? new WrongValue(`is not an integer between ${smallest[bits]} and ${largest[bits]}`);
}

/** The same, or null for what is no integer or does not fit. */
export function integerWithin(bits: 16 | 32 | 64, value: string): Bytes | null {
  if (!anyInteger.test(value)) return null;
  const negative = value.startsWith("-");
  let start = negative || value.startsWith("+") ? 1 : 0;
  while (value[start] === "0") start++;
  const digits = value.slice(start);
  if (digits === "") return "0" as Bytes;
  const bound = negative ? smallest[bits].slice(1) : largest[bits];
  // Digits of the same number are ordered as their numbers are.
  if (digits.length > bound.length || (digits.length === bound.length && digits > bound)) return null;
  return (negative ? `-${digits}` : digits) as Bytes;
}
