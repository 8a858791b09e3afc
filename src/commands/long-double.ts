/**
 * The long double of C on x86-64, in which Redis adds floats: 64 bits of mantissa, 15 of exponent. Text is read as
 * glibc's strtold reads it and written as Redis writes it, to the last digit. Pure; integers are in integer.ts.
 */
import type { Bytes } from "../bytes.js";

/** A finite value: `mantissa * 2 ** exponent`, where the mantissa has a sign and 64 bits at the most. */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const mantissaBits = 64;
/** The exponent of the smallest value that is not zero, 2^-16445. */
const exponentMin = -16_445;
/** The exponent of the largest values, just below 2^16384. */
const exponentMax = 16_320;
/** Every value is below this power of ten. */
const decimalMax = 4933;
/** What is below this power of ten is nearer to zero than to the smallest value. */
const decimalMin = -4951;
/** Redis reads no text that is longer (MAX_LONG_DOUBLE_CHARS, 5 KB with the zero at its end). */
const textBytesMax = 5119;
/** Digits behind the point that are written. */
const digits = 17;

const decimal = /^([+-]?)(\d+\.?\d*|\.\d+)(?:e([+-]?\d+))?$/i;
const hexadecimal = /^([+-]?)0x([\da-f]+\.?[\da-f]*|\.[\da-f]+)(?:p([+-]?\d+))?$/i;
const infinite = /^[+-]?inf(?:inity)?$/i;

const zero: LongDouble = { mantissa: 0n, exponent: 0 };

/**
 * The value that a text names, the nearest one where it lies between two. Null where Redis takes it for no float: other
 * text, not a number, or a number that is too large or too close to zero.
 */
export function parseLongDouble(text: Bytes): LongDouble | "infinite" | null {
  if (text.length > textBytesMax) return null;
  const asDecimal = decimal.exec(text);
  if (asDecimal !== null) return ofDecimal(asDecimal[1] === "-", asDecimal[2] as string, Number(asDecimal[3] ?? 0));
  const asHex = hexadecimal.exec(text);
  if (asHex !== null) return ofHex(asHex[1] === "-", asHex[2] as string, Number(asHex[3] ?? 0));
  return infinite.test(text) ? "infinite" : null;
}

/** The sum, rounded to the nearest value; null where that is infinite. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | null {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return signed(sum < 0n, rounded(sum < 0n ? -sum : sum, 1n, exponent));
}

/** How a float is kept and answered: 17 digits behind the point, without the zeros at the end ("%.17Lf", trimmed). */
export function bytesOfLongDouble({ mantissa, exponent }: LongDouble): Bytes {
  if (exponent >= 0) return String(mantissa << BigInt(exponent)) as Bytes;
  const size = (mantissa < 0n ? -mantissa : mantissa) * 10n ** BigInt(digits);
  const text = String(halfEven(size, 1n << BigInt(-exponent))).padStart(digits + 1, "0");
  const whole = text.slice(0, -digits);
  const fraction = text.slice(-digits).replace(/0+$/, "");
  const shown = fraction === "" ? whole : `${whole}.${fraction}`;
  return (mantissa < 0n && shown !== "0" ? `-${shown}` : shown) as Bytes;
}

function ofDecimal(negative: boolean, text: string, power: number): LongDouble | null {
  const { value, places } = withoutPoint(text, "");
  if (value === 0n) return zero;
  const exponent = power - places;
  const magnitude = String(value).length + exponent;
  if (magnitude > decimalMax || magnitude <= decimalMin) return null;
  return notZero(
    negative,
    exponent < 0 ? rounded(value, 10n ** BigInt(-exponent), 0) : rounded(value * 10n ** BigInt(exponent), 1n, 0),
  );
}

function ofHex(negative: boolean, text: string, power: number): LongDouble | null {
  const { value, places } = withoutPoint(text, "0x");
  if (value === 0n) return zero;
  const exponent = power - 4 * places;
  const magnitude = bitsOf(value) + exponent;
  if (magnitude > exponentMax + mantissaBits || magnitude < exponentMin) return null;
  return notZero(negative, rounded(value, 1n, exponent));
}

/** Digits as an integer, and how many of them were behind the point. */
function withoutPoint(text: string, prefix: string): { readonly value: bigint; readonly places: number } {
  const point = text.indexOf(".");
  if (point < 0) return { value: BigInt(prefix + text), places: 0 };
  return {
    value: BigInt(prefix + text.slice(0, point) + text.slice(point + 1)),
    places: text.length - point - 1,
  };
}

function notZero(negative: boolean, value: LongDouble | null): LongDouble | null {
  return value === null || value.mantissa === 0n ? null : signed(negative, value);
}

function signed(negative: boolean, value: LongDouble | null): LongDouble | null {
  return value !== null && negative ? { mantissa: -value.mantissa, exponent: value.exponent } : value;
}

/**
 * The value nearest to `numerator / denominator * 2 ** exponent`, of two that are equally near the even one; null where
 * it is infinite. The numerator is not negative.
 */
function rounded(numerator: bigint, denominator: bigint, exponent: number): LongDouble | null {
  if (numerator === 0n) return zero;
  // The quotient has one bit more than this says, or as many.
  const bits = bitsOf(numerator) - bitsOf(denominator);
  let shift = Math.max(bits - mantissaBits, exponentMin - exponent);
  let [above, below] = shifted(numerator, denominator, shift);
  if ((above / below) >> BigInt(mantissaBits) > 0n) [above, below] = shifted(numerator, denominator, ++shift);
  const mantissa = halfEven(above, below);
  const to = exponent + shift;
  // One that was rounded up to 2^64 has the exponent of the next.
  const tooLarge = to > exponentMax || (to === exponentMax && mantissa >> BigInt(mantissaBits) > 0n);
  return tooLarge ? null : { mantissa, exponent: to };
}

/** A fraction divided by `2 ** shift`. */
function shifted(numerator: bigint, denominator: bigint, shift: number): [bigint, bigint] {
  return shift < 0 ? [numerator << BigInt(-shift), denominator] : [numerator, denominator << BigInt(shift)];
}

/** The integer nearest to a fraction that is not negative, of two that are equally near the even one. */
function halfEven(numerator: bigint, denominator: bigint): bigint {
  const floor = numerator / denominator;
  const twice = 2n * (numerator - floor * denominator);
  const up = twice > denominator || (twice === denominator && (floor & 1n) === 1n);
  return up ? floor + 1n : floor;
}

/** Bits of an integer that is not negative. */
function bitsOf(value: bigint): number {
  const hex = value.toString(16);
  return 4 * hex.length - Math.clz32(Number.parseInt(hex[0] as string, 16)) + 28;
}
