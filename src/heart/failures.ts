/** The errors that the heart itself raises. */
import { WriteBehindError } from "../errors.js";

/** A verb was called while closing or later. */
export function closed(): WriteBehindError {
  return new WriteBehindError("CLOSED", "this instance is closing or closed; nothing was written");
}

/** Somebody waited for the database, and this instance has stopped. */
export function closedBeforeStored(): WriteBehindError {
  return new WriteBehindError("CLOSED", "closed before the change was in the database; the journal has it");
}

/** What was answered is safe; what was not may be kept or not, and nobody can know. */
export function unknown(cause: WriteBehindError): WriteBehindError {
  return new WriteBehindError(
    "UNKNOWN",
    `the journal failed before the change was known to be kept: ${cause.message}`,
    {
      hint: "read the record after the next start to see whether the change was kept",
      cause,
    },
  );
}

/** A verb was called after the journal had failed. */
export function journalFailed(cause: WriteBehindError): WriteBehindError {
  return new WriteBehindError("JOURNAL_FAILED", `the journal has failed: ${cause.message}`, {
    hint: "start again; what was answered is in the journal",
    cause,
  });
}

/** A flush while the writer is paused would wait for ever. */
export function paused(): WriteBehindError {
  return new WriteBehindError("CLOSED", "the writer is paused, so nothing reaches the database", { hint: "resume" });
}

/** Whether the journal has failed: then this instance takes no more writes, and whoever asked is told. */
export class Failing {
  error: WriteBehindError | null = null;
  readonly #calls: ((error: WriteBehindError) => void)[] = [];

  /** Calls back when it fails; at once where it has. */
  onFailed(call: (error: WriteBehindError) => void): void {
    if (this.error === null) this.#calls.push(call);
    else call(this.error);
  }

  /** Tells everybody. */
  tell(error: WriteBehindError): void {
    for (const call of this.#calls) call(error);
  }
}
