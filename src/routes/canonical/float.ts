/** Binary floating point numbers: the shortest decimal that means the same number, as JavaScript writes it. Pure. */
import type { Bytes } from "../../bytes.js";
import { readDecimal } from "./decimal.js";
import { WrongValue } from "./wrong-value.js";

const special = /^(?:NaN|-?Infinity)$/;

/**
 * The shortest text of a number with 32 or 64 bits, or one of NaN, Infinity and -Infinity as they are.
 * Minus zero becomes 0: PostgreSQL keeps its sign and SQLite does not, and both say that it is equal to 0.
 */
export function float(bits: 32 | 64, value: Bytes): Bytes | WrongValue {
  const decimal = readDecimal(value);
  if (decimal === null) return special.test(value) ? value : new WrongValue("is not a number");
  if (decimal.digits === "") return "0" as Bytes;
  const number = bits === 64 ? Number(value) : nearestFloat32(value);
  // PostgreSQL refuses what becomes zero as well as what becomes infinite.
  if (number === 0 || !Number.isFinite(number)) return new WrongValue(`is beyond the range of a float of ${bits} bits`);
  return (bits === 64 ? String(number) : shortestOfFloat32(number)) as Bytes;
}

/** As few digits as make the same float: 9 are always enough. */
function shortestOfFloat32(float: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = float.toPrecision(digits);
    if (nearestFloat32(text) === float) return String(Number(text));
  }
  return String(Number(float.toPrecision(9)));
}

/** The float nearest to a decimal, as if rounded once: by way of a double alone a few come out one off. */
function nearestFloat32(text: string): number {
  const double = Number(text);
  const nearest = Math.fround(double);
  const other = double + (double - nearest);
  if (double === nearest || !Number.isFinite(other) || Math.fround(other) !== other) return nearest;
  const side = compareMagnitude(text, Math.abs(double));
  if (side === 0) return nearest;
  return Math.abs(nearest) > Math.abs(other) === side > 0 ? nearest : other;
}

/** How a decimal lies to a double that is halfway between two floats, both without their signs. */
function compareMagnitude(text: string, double: number): number {
  const decimal = readDecimal(text);
  if (decimal === null) return 0;
  // The smallest float is 2^-149: halfway between two floats is a whole multiple of 2^-150.
  let left = BigInt(decimal.digits) << 150n;
  let right = BigInt(double * 2 ** 150);
  const exponent = BigInt(decimal.point - decimal.digits.length);
  if (exponent >= 0n) left *= 10n ** exponent;
  else right *= 10n ** -exponent;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
