/** Every error a user of write-behind can meet: its code, what was being done to what, and what to do about it. */

/** The codes, one for each thing that a program may want to tell apart. docs/reference/errors.md is made from this. */
export const errorCodes = {
  QUEUE_FULL: "the write queue has reached its limit; nothing was written",
  DISK_FULL: "the disk has no room for the change; nothing was written",
  STORE_DOWN: "the database is needed for this reply and cannot be reached; nothing was changed",
  REFUSED: "the database refused the change for what it is",
  CLOSED: "the instance is closing or closed; nothing was written",
  UNKNOWN: "it is not known whether the change was kept",
  FOLDER_IN_USE: "another process owns the data folder",
  TABLES_IN_USE: "another queue writes to these tables",
  JOURNAL_DAMAGED: "the journal is damaged before its end",
  JOURNAL_VERSION: "the journal was written in a format that this version does not know",
  JOURNAL_FAILED: "the journal could not be written; the instance takes no more writes",
  QUEUE_MISMATCH: "queue and database do not belong together",
  ROUTE_MISMATCH: "a route does not fit the schema or the pending changes",
  WRONG_TYPE: "the record holds another type of value",
  BAD_VALUE: "the value is not what the operation needs",
  TOO_LARGE: "a key, value or frame is over its limit",
  CONFIG: "an option is unknown or out of its limits",
  DRIVER_MISSING: "the driver package is not installed",
} as const;

/** A literal union of every code. */
export type ErrorCode = keyof typeof errorCodes;

/** What an error says beyond its code. */
export interface ErrorDetails {
  /** What the operator or programmer can do, as a command where there is one. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error class of the library. `code` tells what happened, `hint` what to do. */
export class WriteBehindError extends Error {
  override readonly name = "WriteBehindError";
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint ?? null;
  }
}

/** The error's plain form, for a thread boundary or JSON. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

/** An error as plain values. Anything that is not ours becomes UNKNOWN with its message. */
export function plainError(error: unknown): PlainError {
  if (error instanceof WriteBehindError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: "UNKNOWN", message: error instanceof Error ? error.message : String(error), hint: null };
}

/** The error again, from its plain form. */
export function errorOfPlain(plain: PlainError): WriteBehindError {
  return new WriteBehindError(plain.code, plain.message, plain.hint === null ? {} : { hint: plain.hint });
}
