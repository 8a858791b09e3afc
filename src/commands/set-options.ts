/** The options of SET and GETEX, and times of expiry, as Redis 7 reads them. Pure. */
import type { Bytes } from "../bytes.js";
import { parseInteger } from "./integer.js";
import { failure, notAnInteger, shown, syntaxError, type ErrorReply } from "./reply.js";

/** What the options of a SET ask for. */
export interface SetOptions {
  readonly condition: "nx" | "xx" | null;
  /** Answer the old value. */
  readonly get: boolean;
  readonly keepExpiry: boolean;
  /** Milliseconds since 1970, or null for never. */
  readonly expiresAt: number | null;
}

/** What the options of a GETEX ask for: that the key ends then, or never, or as it did. */
export type GetexOptions = { readonly ends: GivenTime | "never" | "as before" };

/** How a time is given: in seconds or milliseconds, from now or from 1970. */
export interface TimeUnit {
  readonly ms: 1 | 1000;
  readonly relative: boolean;
}

/** A time as it was given. */
export interface GivenTime {
  readonly unit: TimeUnit;
  readonly text: Bytes;
}

const units: Readonly<Record<string, TimeUnit>> = {
  EX: { ms: 1000, relative: true },
  PX: { ms: 1, relative: true },
  EXAT: { ms: 1000, relative: false },
  PXAT: { ms: 1, relative: false },
};

/** Seconds beyond this do not fit into 64 bits of milliseconds. */
const secondsMax = 9_223_372_036_854_775n;

/** Reads what follows key and value in a SET. */
export function parseSetOptions(args: readonly Bytes[], now: number): SetOptions | ErrorReply {
  let condition: SetOptions["condition"] = null;
  let get = false;
  let keepExpiry = false;
  let time: GivenTime | null = null;
  for (let i = 3; i < args.length; i++) {
    const option = optionOf(args[i] as Bytes);
    if (option === "NX" || option === "XX") {
      const asked = option === "NX" ? "nx" : "xx";
      if (condition !== null && condition !== asked) return syntaxError;
      condition = asked;
    } else if (option === "GET") get = true;
    else if (option === "KEEPTTL" && time === null) keepExpiry = true;
    else {
      time = keepExpiry ? null : timeAt(args, i++, option, time);
      if (time === null) return syntaxError;
    }
  }
  if (time === null) return { condition, get, keepExpiry, expiresAt: null };
  const expiresAt = parseTime(time.text, time.unit, now, "set", "positive");
  if (typeof expiresAt !== "number") return expiresAt;
  return { condition, get, keepExpiry, expiresAt };
}

/** Reads what follows the key in a GETEX. Redis looks at the time only where the key is there. */
export function parseGetexOptions(args: readonly Bytes[]): GetexOptions | ErrorReply {
  let persist = false;
  let time: GivenTime | null = null;
  for (let i = 2; i < args.length; i++) {
    const option = optionOf(args[i] as Bytes);
    if (option === "PERSIST" && time === null) persist = true;
    else {
      time = persist ? null : timeAt(args, i++, option, time);
      if (time === null) return syntaxError;
    }
  }
  return { ends: time ?? (persist ? "never" : "as before") };
}

/** An option as Redis compares it: up to its first zero byte, in any case. */
function optionOf(arg: Bytes): string {
  return shown(arg, Infinity).toUpperCase();
}

/**
 * The time that an option and the argument behind it give, null where they give none. As in Redis the same unit may be
 * given again, and the last one counts.
 */
function timeAt(args: readonly Bytes[], index: number, option: string, before: GivenTime | null): GivenTime | null {
  const unit = units[option];
  if (unit === undefined || (before !== null && before.unit !== unit) || index + 1 >= args.length) return null;
  return { unit, text: args[index + 1] as Bytes };
}

/**
 * The moment that a time names, in milliseconds since 1970. Moments beyond 2^53 ms (the year 287396) are refused as
 * Redis refuses those beyond 2^63: they would not be exact.
 */
export function parseTime(
  text: Bytes,
  unit: TimeUnit,
  now: number,
  command: string,
  sign: "positive" | "any",
): number | ErrorReply {
  const value = parseInteger(text);
  if (value === null) return notAnInteger;
  const invalid = failure(`ERR invalid expire time in '${command}' command`);
  if (sign === "positive" && value <= 0) return invalid;
  if (unit.ms === 1000 && (value > secondsMax || value < -secondsMax)) return invalid;
  const moment = Number(value) * unit.ms + (unit.relative ? now : 0);
  if (moment > Number.MAX_SAFE_INTEGER) return invalid;
  return Math.max(moment, 0);
}
