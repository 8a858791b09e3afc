/** The proleptic Gregorian calendar in UTC, in numbers. Pure: no clock. */

/** The calendar repeats after 400 years. */
const yearsOfACycle = 400;
const secondsOfACycle = 146_097 * 86_400;

/** Whether a month of a year has this day. The year before the year 1 is 0. */
export function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  if (day <= 28) return true;
  return day <= new Date(Date.UTC(cycled(year), month, 0)).getUTCDate();
}

/** Seconds from 1970 on to the beginning of a day between the years 1 and 9999. */
export function secondsSince1970(year: number, month: number, day: number): number {
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  return Date.UTC(year + yearsOfACycle, month - 1, day) / 1000 - secondsOfACycle;
}

/** Seconds since midnight, or null where there is no such time; without leap seconds. */
export function secondsOfDay(hour: number, minute: number, second: number): number | null {
  if (hour > 23 || minute > 59 || second > 59) return null;
  return hour * 3600 + minute * 60 + second;
}

/** The same year of the calendar between 400 and 799. */
function cycled(year: number): number {
  return (((year % yearsOfACycle) + yearsOfACycle) % yearsOfACycle) + yearsOfACycle;
}
