/** The errors that the writer tells: what it was doing to what, and what a person can do. */
import { plainError, WriteBehindError, type PlainError } from "../errors.js";
import { DiskError } from "../host/host.js";
import { positionText, type Position } from "../queue/queue.js";
import { storeErrorKind } from "../store/store.js";

/** What went wrong, for people: what the writer was doing to which store, and a hint. */
export function describeFailure(error: unknown, doing: string, place: string): PlainError {
  if (error instanceof WriteBehindError) return plainError(error);
  if (error instanceof DiskError) {
    return {
      code: "JOURNAL_FAILED",
      message: `the writer could not read the journal: ${error.message}`,
      hint: "look after the disk: the writer looks again by itself; the database is not at fault, the queue keeps every change",
    };
  }
  const message = `${doing} ${place} failed: ${error instanceof Error ? error.message : String(error)}`;
  switch (storeErrorKind(error)) {
    case "retryable":
      return { code: "STORE_DOWN", message, hint: "the writer tries again by itself; the queue keeps every change" };
    case "refused":
      return {
        code: "REFUSED",
        message,
        hint: "nothing is written until the database takes this change; the queue keeps every change",
      };
    case "moved":
      return { code: "TABLES_IN_USE", message, hint: "see whether another process writes to these tables" };
    case "broken":
      return {
        code: "STORE_DOWN",
        message,
        hint: "mend the database: the writer looks again by itself; the queue keeps every change",
      };
    case null:
      return {
        code: "UNKNOWN",
        message,
        hint: "this is a fault of the program or the machine; the queue keeps every change",
      };
  }
}

/** The position has moved, and not by this writer. */
export function overtaken(known: Position, found: Position): WriteBehindError {
  const message = `somebody else has written: the database is at ${positionText(found)}, this writer left it at ${positionText(known)}`;
  return new WriteBehindError("TABLES_IN_USE", message, {
    hint: "see whether a second process runs with a copy of this data folder",
  });
}

/** What is parked is in the store. */
export function notOpenYet(): WriteBehindError {
  return new WriteBehindError("STORE_DOWN", "the store has not been opened yet, so dead letters are not known", {
    hint: "ask again when the database can be reached",
  });
}

/** The store is empty, and this log began where another one had ended: what was before it, the store alone had. */
export function emptied(base: Position, place: string): WriteBehindError {
  const message = `no queue has ever written to ${place}, and this queue begins at frame ${base.sequence + 1}: what came before it was in another database`;
  return new WriteBehindError("QUEUE_MISMATCH", message, {
    hint: "bring back the database that this folder was adopted for",
  });
}

/** The store has lost commits. */
export function wentBack(known: Position, found: Position): string {
  const frames = known.sequence - found.sequence;
  return `the database went back from ${positionText(known)} to ${positionText(found)}: ${frames} frame${frames === 1 ? " of the queue is" : "s of the queue are"} written again`;
}

/** What was asked of a writer that has stopped. */
export function stopped(): WriteBehindError {
  return new WriteBehindError("CLOSED", "the writer is stopped", {
    hint: "what is pending is in the queue and goes on at the next start",
  });
}

const tooManyHint =
  "mend the schema, then `write-behind dead retry --all`; or discard letters. The writer looks again by itself; " +
  "the queue keeps every change";

/** The database refuses a run that has no frame to be parked. */
export function notOneChange(reason: string): WriteBehindError {
  return new WriteBehindError("REFUSED", `the database refuses what cannot be parked: ${reason}`, {
    hint: "mend the database: the writer looks again by itself; the queue keeps every change",
  });
}

/** There is no room for another letter. */
export function tooManyLetters(letters: number, reason: string): WriteBehindError {
  const message =
    letters === 0
      ? `the database refuses a change, and \`deadLettersMax\` is 0: ${reason}`
      : `there are ${letters} dead letters, as many as \`deadLettersMax\` allows, and the database refuses one more ` +
        `change: this is a matter of the schema, not of single changes. It says: ${reason}`;
  return new WriteBehindError("REFUSED", message, { hint: tooManyHint });
}

/** What is parked takes too much memory for another letter. */
export function tooLargeLetters(letters: number, bytes: number, bytesMax: number, reason: string): WriteBehindError {
  const message =
    `${letters === 1 ? "1 dead letter takes" : `${letters} dead letters take`} ${bytes} bytes of memory, and there is ` +
    `room for ${bytesMax}, as much as for the cache, ` +
    `and the database refuses one more change. It says: ${reason}`;
  return new WriteBehindError("REFUSED", message, { hint: tooManyHint });
}
