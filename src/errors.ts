/** Every error a user of write-behind can meet: its code, what was being done to what, and what to do about it. */

/** The codes, one for each thing that a program may want to tell apart. docs/reference/errors.md is made from this. */
export const errorCodes = {
  QUEUE_FULL: {
    means:
      "the write queue, what waits behind dead letters, or with `resident` the memory for all records has reached its limit; nothing was written",
    remedy:
      "the message says which. Write again later; see why the database does not keep up, or raise `queueBytes` (`cacheBytes` with `resident`)",
  },
  DISK_FULL: {
    means: "the disk has no room for the change; nothing was written",
    remedy: "make room; it goes on by itself",
  },
  STORE_DOWN: {
    means: "the database is needed for this reply and cannot be reached; nothing was changed",
    remedy: "ask again later; writes of whole values go on",
  },
  CACHE_DOWN: {
    means: "the Redis that holds cache and write queue cannot be reached, or takes no writes now; nothing was written",
    remedy: "write again later: it is connected to again by itself; the message says what is the matter",
  },
  REFUSED: {
    means: "the database refused the change, or an earlier one of the same record: it is parked as a dead letter",
    remedy: "mend what the database objects to and retry it, or discard it: `write-behind dead list`",
  },
  CLOSED: {
    means: "the instance is closing or closed, or its writer is paused",
    remedy: "start again, or `resume`; what was answered is kept as `durability` says",
  },
  UNKNOWN: {
    means: "it is not known whether the change was kept, or what went wrong",
    remedy: "read the record after the next start",
  },
  FOLDER_IN_USE: {
    means: "another process owns the data folder",
    remedy: "stop it, or use another folder",
  },
  TABLES_IN_USE: {
    means: "another queue writes to these tables",
    remedy: "stop it, or use another database; its claim ends 30 s after its last commit",
  },
  JOURNAL_DAMAGED: {
    means: "the journal is damaged before its end: something that was answered is lost",
    remedy: "`write-behind check` says where; `write-behind adopt --accept-gap` goes on without it",
  },
  JOURNAL_VERSION: {
    means:
      "the journal, or routes.json beside it, was written by a newer version, in a format that this one does not know; nothing was changed",
    remedy: "start that version again",
  },
  JOURNAL_FAILED: {
    means:
      "the journal could not be opened, read, written or synced; an instance whose journal failed takes no more writes",
    remedy: "mend the disk and start again; what was answered is kept as `durability` says",
  },
  QUEUE_MISMATCH: {
    means: "queue and database do not belong together",
    remedy: "bring back the right folder or database, or go on at the database's position: `write-behind adopt`",
  },
  ROUTE_MISMATCH: {
    means: "a route does not fit the schema or the pending changes",
    remedy: "the message names all that does not fit; `write-behind check --store URL --routes FILE` says it again",
  },
  WRONG_TYPE: {
    means: "the record holds a hash where a string is needed, or the other way round; nothing was changed",
    remedy: "use another key, or delete the record first",
  },
  BAD_VALUE: {
    means: "the value is not what the operation needs; nothing was changed",
    remedy: "correct it",
  },
  CROSSSLOT: {
    means: "the records of one command or transaction are in several partitions of a shared queue; nothing was written",
    remedy: "give them a common {tag}: what stands in the first braces of a key decides about its partition",
  },
  TOO_LARGE: {
    means: "a key, value, hash or frame is over its limit; nothing was written",
    remedy: "split it",
  },
  CONFIG: {
    means: "options are unknown, out of their limits, or do not fit together",
    remedy: "the message names all of them",
  },
  DRIVER_MISSING: {
    means: "the package of the database's or the Redis' driver is not installed",
    remedy: "install it",
  },
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
