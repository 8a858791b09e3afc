/**
 * Dates, times of day and timestamps in ISO 8601, proleptic Gregorian, to the microsecond. Pure: no clock, and no zone
 * but UTC. https://www.postgresql.org/docs/18/datatype-datetime.html
 */
import type { Bytes } from "../../bytes.js";
import { rareDate, rareTimestamp } from "./rare-time.js";
import { isDay, secondsOfDay, secondsSince1970 } from "./calendar.js";
import { WrongValue } from "./wrong-value.js";

const datePattern = /^(\d{4})-(\d\d)-(\d\d)$/;
const timePattern = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?$/;
const timestampPattern =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:(Z)|([+-])(\d\d)(?::?(\d\d))?)?$/;
const wrongDay = "is not a day of the calendar between the years 0001 and 9999";
const second = 1_000_000;
const secondsOfADay = 86_400;
const secondsAt2000 = 946_684_800;
/** PostgreSQL takes offsets below 16 hours. */
const offsetHoursMax = 15;

/** `2026-11-24`. */
export function date(value: Bytes): Bytes | WrongValue {
  const parts = datePattern.exec(value);
  if (parts === null) return rareDate(value) ? value : new WrongValue("is not a date such as 2026-11-24");
  return inCalendar(parts) ? value : new WrongValue(wrongDay);
}

/** `21:43:18.120`, rounded to `digits` after the point, with three of them or six. */
export function time(digits: number, value: Bytes): Bytes | WrongValue {
  const parts = timePattern.exec(value);
  const seconds = parts === null ? null : secondsOfDay(Number(parts[1]), Number(parts[2]), Number(parts[3] ?? 0));
  if (parts === null || seconds === null) return new WrongValue("is not a time of day such as 21:43:18.120");
  const micros = roundTo(digits, microsOf(parts[4]), true);
  const carried = seconds + Math.floor(micros / second);
  if (carried >= secondsOfADay) return new WrongValue("rounds to 24:00:00");
  if (micros === second) return `${new Date(carried * 1000).toISOString().slice(11, 19)}.000` as Bytes;
  return `${parts[1]}:${parts[2]}:${parts[3] ?? "00"}${fractionText(micros)}` as Bytes;
}

/** `2026-11-24T21:43:18.120`; with a zone its offset is worked in, and it ends in Z. */
export function timestamp(zone: boolean, digits: number, value: Bytes): Bytes | WrongValue {
  const parts = timestampPattern.exec(value);
  const clock = parts === null ? null : secondsOfDay(Number(parts[4]), Number(parts[5]), Number(parts[6] ?? 0));
  if (parts === null || clock === null) {
    if (rareTimestamp(zone, digits, value)) return value;
    return new WrongValue(`is not a time such as 2026-11-24T21:43:18.120${zone ? "Z" : ""}`);
  }
  if (!inCalendar(parts)) return new WrongValue(wrongDay);
  const hasZone = parts[8] !== undefined || parts[9] !== undefined;
  if (zone && !hasZone) return new WrongValue("has no zone at its end (Z, or an offset such as +02:00)");
  if (!zone && hasZone) return new WrongValue("has a zone at its end, and the column has none");
  const ahead = offsetSeconds(parts[9], Number(parts[10]), Number(parts[11] ?? 0));
  if (ahead === null) return new WrongValue("has an offset beyond 15:59");
  const at = secondsSince1970(Number(parts[1]), Number(parts[2]), Number(parts[3])) + clock - ahead;
  const micros = roundTo(digits, microsOf(parts[7]), at >= secondsAt2000);
  if (ahead !== 0 || micros === second) return timestampText(at, micros, zone);
  const minute = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}`;
  return `${minute}:${parts[6] ?? "00"}${fractionText(micros)}${zone ? "Z" : ""}` as Bytes;
}

/** The same moment in UTC, after an offset or a rounded second has moved it. */
function timestampText(seconds: number, micros: number, zone: boolean): Bytes | WrongValue {
  const text = new Date((seconds + Math.floor(micros / second)) * 1000).toISOString();
  // ISO years of other lengths begin with a sign, and there is no year 0 in a database.
  if (text.length !== 24 || text.startsWith("0000")) return new WrongValue(wrongDay);
  return `${text.slice(0, 19)}${fractionText(micros % second)}${zone ? "Z" : ""}` as Bytes;
}

function inCalendar(parts: RegExpExecArray): boolean {
  return parts[1] !== "0000" && isDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

function offsetSeconds(sign: string | undefined, hours: number, minutes: number): number | null {
  if (sign === undefined) return 0;
  if (hours > offsetHoursMax || minutes > 59) return null;
  return (sign === "-" ? -1 : 1) * (hours * 3600 + minutes * 60);
}

/** Microseconds of the digits after a second's point; more than six are rounded as PostgreSQL does it: half to even. */
function microsOf(fraction: string | undefined): number {
  if (fraction === undefined) return 0;
  if (fraction.length <= 6) return Number(fraction.padEnd(6, "0"));
  const exact = Number(`0.${fraction}`) * second;
  const below = Math.floor(exact);
  const isHalf = exact - below === 0.5;
  return isHalf ? below + (below % 2) : Math.round(exact);
}

/**
 * Rounds to so many digits after the second's point; the result may be a whole second. PostgreSQL counts from 2000 on
 * and rounds half away from there: so ties of earlier times go down.
 */
function roundTo(digits: number, micros: number, tiesUp: boolean): number {
  const step = 10 ** (6 - digits);
  const over = micros % step;
  const up = over * 2 > step || (over * 2 === step && tiesUp);
  return micros - over + (up ? step : 0);
}

/** Three digits where they are enough, as `new Date().toISOString()` has them, else six. */
function fractionText(micros: number): string {
  const six = String(micros).padStart(6, "0");
  return `.${six.endsWith("000") ? six.slice(0, 3) : six}`;
}
