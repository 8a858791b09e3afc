/**
 * What SQLite's result codes mean for the writer: the only place in the project that knows them. Source of the codes:
 * https://sqlite.org/rescode.html.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { StoreError, type StoreErrorKind } from "../store.js";

interface Meaning {
  readonly kind: StoreErrorKind;
  /** For people: what is the matter with the file. */
  readonly what: string;
  readonly away?: boolean;
}

/** By primary result code. A code that is not here is `broken`: repeating what is not understood mends nothing. */
const meanings: { readonly [code: number]: Meaning } = {
  1: { kind: "broken", what: "does not understand a statement: a table or column is missing or of another shape" },
  3: { kind: "broken", what: "may not be accessed" },
  4: { kind: "retryable", what: "gave up the transaction" },
  5: { kind: "retryable", what: "is locked by another connection" },
  6: { kind: "retryable", what: "has a locked table" },
  7: { kind: "retryable", what: "cannot be used: there is too little memory" },
  8: { kind: "broken", what: "cannot be written: the file or its folder is read-only" },
  9: { kind: "retryable", what: "was interrupted" },
  10: { kind: "retryable", what: "cannot be read or written: the disk reports an error" },
  11: { kind: "broken", what: "is damaged" },
  13: { kind: "retryable", what: "cannot grow: the disk is full" },
  14: { kind: "broken", what: "cannot be opened" },
  15: { kind: "retryable", what: "could not be locked" },
  17: { kind: "retryable", what: "has changed its schema" },
  18: { kind: "refused", what: "refuses a value that is too large" },
  19: { kind: "refused", what: "refuses a row" },
  20: { kind: "refused", what: "refuses a value of another type" },
  23: { kind: "broken", what: "may not be accessed" },
  26: { kind: "broken", what: "is not an SQLite database" },
};

/** A full code: the file was moved or deleted while it was open. */
const readonlyDbMoved = 1032;
const cantOpen = 14;
/** A full code: a foreign key finds no row. */
const foreignKey = 787;
/** Input and output failed; the file is damaged; it is no database. */
const spoiling: readonly number[] = [10, 11, 26];
/** Of the system: no file descriptor is left, in this process or on this machine. */
const tooManyFiles: readonly number[] = [23, 24];

/** The driver's error, as far as it is needed. */
interface DriverError extends Error {
  readonly errcode: number;
  readonly systemErrno?: number;
}

/** The classified form of what the driver threw; anything else (a fault of our own) is given back as it is. */
export function storeErrorOf(error: unknown, file: string): unknown {
  if (!isDriverError(error)) return error;
  const { kind, what, away = false } = meaningOf(error, file);
  return new StoreError(kind, `the database ${file} ${what} (${error.message})`, error, {
    away,
    missesRow: error.errcode === foreignKey,
  });
}

/** Whether what a connection has cached is not to be trusted after this error. */
export function spoilsConnection(error: unknown): boolean {
  return isDriverError(error) && spoiling.includes(error.errcode & 0xff);
}

/** Whether the driver says that there is no such file. */
export function isCannotOpen(error: unknown): boolean {
  return isDriverError(error) && (error.errcode & 0xff) === cantOpen;
}

/** Whether the driver says that a statement names a table that is not there. */
export function isMissingTable(error: unknown): boolean {
  return isDriverError(error) && error.errcode === 1 && error.message.includes("no such table");
}

/** Whether the driver says that a constraint is in the way. */
export function isConstraint(error: unknown): boolean {
  return isDriverError(error) && (error.errcode & 0xff) === 19;
}

function meaningOf(error: DriverError, file: string): Meaning {
  if (error.errcode === readonlyDbMoved) return { kind: "moved", what: "was moved or deleted" };
  const code = error.errcode & 0xff;
  if (code === cantOpen) {
    if (tooManyFiles.includes(error.systemErrno ?? 0))
      return { kind: "retryable", what: "cannot be opened: too many files are open" };
    if (!existsSync(dirname(file)))
      return { kind: "broken", what: "cannot be opened: its folder does not exist", away: true };
  }
  return meanings[code] ?? { kind: "broken", what: "failed" };
}

function isDriverError(error: unknown): error is DriverError {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}
