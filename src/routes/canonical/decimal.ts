/**
 * Decimal numbers (numeric) as text, digit by digit: nothing here goes through a binary number. Pure.
 * The rules are PostgreSQL's: https://www.postgresql.org/docs/18/datatype-numeric.html#DATATYPE-NUMERIC-DECIMAL
 */
import type { Bytes } from "../../bytes.js";
import { WrongValue } from "./wrong-value.js";

/** The value is 0.digits times 10 to the power `point`; digits do not begin with a zero, and are none for zero. */
export interface DecimalNumber {
  readonly negative: boolean;
  readonly digits: string;
  readonly point: number;
  /** How many digits after the point the text has, with its exponent put in. */
  readonly scale: number;
}

/** A number in plain or exponent notation. */
const number = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?$/;
/** What numeric can hold without a precision. */
const wholeDigitsMax = 131_072;
const fractionDigitsMax = 16_383;
/** Beyond this no value of a client is meant, and adding up lengths stays exact. */
const exponentMax = 1_000_000;

/** A number's parts, or null where the text is no number in plain or exponent notation. */
export function readDecimal(text: string): DecimalNumber | null {
  const parts = number.exec(text);
  if (parts === null) return null;
  const whole = parts[2] ?? "";
  const fraction = parts[3] ?? parts[4] ?? "";
  const exponent = Number(parts[5] ?? 0);
  const given = whole + fraction;
  let zeros = 0;
  while (given[zeros] === "0") zeros++;
  const digits = given.slice(zeros);
  return {
    negative: parts[1] === "-" && digits !== "",
    digits,
    point: digits === "" ? 0 : whole.length - zeros + exponent,
    scale: Math.max(0, fraction.length - exponent),
  };
}

/**
 * A decimal number as PostgreSQL prints it. With a precision it is rounded half away from zero to `scale` digits after
 * the point (null: none; it may be negative or greater than the precision); without one it keeps the digits it has.
 */
export function decimal(precision: number | null, scale: number | null, value: Bytes): Bytes | WrongValue {
  if (value === "NaN") return value;
  if (value === "Infinity" || value === "-Infinity") {
    return precision === null ? value : new WrongValue("is infinite, and the column has a precision");
  }
  const given = readDecimal(value);
  if (given === null) return new WrongValue("is not a number");
  if (Math.abs(given.point) > exponentMax || given.scale > exponentMax)
    return new WrongValue("has too large an exponent");
  return precision === null ? unlimited(given) : limited(given, precision, scale ?? 0);
}

function unlimited(given: DecimalNumber): Bytes | WrongValue {
  if (given.point > wholeDigitsMax) return new WrongValue(`has more than ${wholeDigitsMax} digits before the point`);
  if (given.scale > fractionDigitsMax) {
    return new WrongValue(`has more than ${fractionDigitsMax} digits after the point`);
  }
  return print(given, given.scale);
}

function limited(given: DecimalNumber, precision: number, scale: number): Bytes | WrongValue {
  const rounded = round(given, scale);
  const room = precision - scale;
  if (rounded.digits !== "" && rounded.point > room) {
    return new WrongValue(room < 0 ? `is not below 1e${room}` : `has more than ${room} digits before the point`);
  }
  return print(rounded, Math.max(0, scale));
}

function round(given: DecimalNumber, scale: number): DecimalNumber {
  const kept = given.point + scale;
  const { digits, negative, point } = given;
  if (kept >= digits.length) return given;
  const up = kept >= 0 && (digits[kept] ?? "0") >= "5";
  if (kept < 0 || (kept === 0 && !up)) return { negative: false, digits: "", point: 0, scale };
  const head = digits.slice(0, kept);
  if (!up) return { negative, digits: head, point, scale };
  let nines = 0;
  while (head[kept - 1 - nines] === "9") nines++;
  if (nines === kept) return { negative, digits: "1", point: point + 1, scale };
  const last = kept - 1 - nines;
  return { negative, digits: head.slice(0, last) + String(Number(head[last]) + 1), point, scale };
}

function print({ negative, digits, point }: DecimalNumber, scale: number): Bytes {
  const whole = point <= 0 ? "0" : digits.slice(0, point).padEnd(point, "0");
  const sign = negative ? "-" : "";
  if (scale === 0) return (sign + whole) as Bytes;
  const fraction = digits === "" ? "" : "0".repeat(Math.max(0, -point)) + digits.slice(Math.max(0, point));
  return `${sign}${whole}.${fraction.padEnd(scale, "0")}` as Bytes;
}
