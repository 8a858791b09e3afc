/** What SCAN and its relatives are given: a cursor, MATCH and COUNT, read as Redis 7 reads them. Pure. */
import type { Bytes } from "../bytes.js";
import { parseInteger } from "./integer.js";
import { failure, notAnInteger, shown, syntaxError, type ErrorReply } from "./reply.js";

/** What follows the cursor. */
export interface ScanOptions {
  readonly pattern: Bytes | null;
  /** How much a page is to hold, roughly. */
  readonly count: number;
}

const countDefault = 10;
const cursorMax = 2n ** 64n - 1n;

/** A cursor: what C's strtoul makes of it, which takes nothing for 0, and a minus for the number from above. */
export function parseCursor(text: Bytes): bigint | ErrorReply {
  const digits = shown(text, Infinity);
  if (digits === "") return 0n;
  if (!/^[+-]?[0-9]+$/.test(digits)) return invalidCursor;
  const value = BigInt(digits.replace(/^[+-]/, ""));
  if (value > cursorMax) return invalidCursor;
  return digits.startsWith("-") ? BigInt.asUintN(64, -value) : value;
}

const invalidCursor = failure("ERR invalid cursor");

/** The options from a place among the arguments on. */
export function parseScanOptions(args: readonly Bytes[], from: number): ScanOptions | ErrorReply {
  let pattern: Bytes | null = null;
  let count = countDefault;
  for (let i = from; i < args.length; i += 2) {
    const option = (args[i] as Bytes).toLowerCase();
    const value = args[i + 1];
    if (value === undefined) return syntaxError;
    if (option === "match") pattern = value;
    else if (option === "count") {
      const asked = parseInteger(value);
      if (asked === null) return notAnInteger;
      if (asked < 1) return syntaxError;
      count = Number(asked);
    } else return syntaxError;
  }
  return { pattern, count };
}
