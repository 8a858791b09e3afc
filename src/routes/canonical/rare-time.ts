/**
 * Dates and timestamps that ISO 8601 with four digits has no form for: infinity, before Christ, after the year 9999.
 * They are taken only as PostgreSQL prints them, and stay as they are. Pure.
 */
import { isDay, secondsOfDay } from "./calendar.js";

const spelling =
  /^([0-9]{4,7})-([0-9]{2})-([0-9]{2})(?: ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{0,5}[1-9]))?(\+00)?)?( BC)?$/;
/** The last whole years that PostgreSQL has. */
const yearBcMax = 4713;
const yearMax = { date: 5_874_897, timestamp: 294_276 } as const;

/** Whether this is such a date, as PostgreSQL prints it. */
export function rareDate(value: string): boolean {
  if (isInfinite(value)) return true;
  const parts = spelling.exec(value);
  return parts !== null && parts[4] === undefined && isRareDay(parts, yearMax.date);
}

/** Whether this is such a timestamp, as PostgreSQL prints it with so many digits after the point. */
export function rareTimestamp(zone: boolean, digits: number, value: string): boolean {
  if (isInfinite(value)) return true;
  const parts = spelling.exec(value);
  if (parts === null || parts[4] === undefined || (parts[8] !== undefined) !== zone) return false;
  if ((parts[7] ?? "").length > digits) return false;
  if (secondsOfDay(Number(parts[4]), Number(parts[5]), Number(parts[6])) === null) return false;
  return isRareDay(parts, yearMax.timestamp);
}

function isInfinite(value: string): boolean {
  return value === "infinity" || value === "-infinity";
}

function isRareDay(parts: RegExpExecArray, yearMax: number): boolean {
  const digits = parts[1] ?? "";
  const year = Number(digits);
  const month = Number(parts[2]);
  const day = Number(parts[3]);
  if (parts[9] !== undefined)
    return digits.length === 4 && year >= 1 && year <= yearBcMax && isDay(1 - year, month, day);
  return digits.length > 4 && !digits.startsWith("0") && year <= yearMax && isDay(year, month, day);
}
