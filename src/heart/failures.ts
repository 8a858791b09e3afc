/** The errors that the heart itself raises. */
import { WriteBehindError, type PlainError } from "../errors.js";
import { DiskError } from "../host/host.js";

/** A verb was called while closing or later. */
export function closed(): WriteBehindError {
  return new WriteBehindError("CLOSED", "this instance is closing or closed; nothing was written");
}

/** Somebody waited for the database, and this instance has stopped. */
export function closedBeforeStored(): WriteBehindError {
  return new WriteBehindError("CLOSED", "closed before the change was in the database; the queue has it");
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

/** A journal on this disk is on no other. */
export function noReplicas(): WriteBehindError {
  return new WriteBehindError("CONFIG", "durability `replicas` needs cache and queue in a Redis with replicas", {
    hint: "name it with `cache`, or choose `disk`",
  });
}

/** A verb was called after the journal had failed. */
export function journalFailed(cause: WriteBehindError): WriteBehindError {
  return new WriteBehindError("JOURNAL_FAILED", `the journal has failed: ${cause.message}`, {
    hint: "start again; what was answered is in the journal",
    cause,
  });
}

/** Why a data folder could not be opened, where the disk was the reason; another error as it is. */
export function cannotOpen(error: unknown, folder: string): unknown {
  if (!(error instanceof DiskError)) return error;
  const full = error.kind === "full";
  return new WriteBehindError(
    full ? "DISK_FULL" : "JOURNAL_FAILED",
    `the data folder ${folder} could not be opened: ${error.message}`,
    {
      hint: full
        ? "free disk space, then start again; what was answered is in the journal"
        : "see that --data names a folder that this user may read and write, and look after the disk; then start again",
      cause: error,
    },
  );
}

/** The folder could not be told that the writer is (not) paused. */
export function pauseNotKept(error: unknown, pausing: boolean): unknown {
  if (!(error instanceof DiskError)) return error;
  const what = pausing
    ? "the writer stands still, but a restart may not remember it"
    : "the writer still stands still: the pause could not be taken back";
  return new WriteBehindError(error.kind === "full" ? "DISK_FULL" : "UNKNOWN", `${what}: ${error.message}`, {
    hint: "look after the disk, then ask again",
    cause: error,
  });
}

/** Whether an error of the writer's says that the journal could not be read: the database is not at fault. */
export function isOfJournal({ code }: PlainError): boolean {
  return code === "JOURNAL_FAILED" || code === "JOURNAL_DAMAGED" || code === "JOURNAL_VERSION";
}

/** What happened and what to do, in one sentence. */
export function withHint({ message, hint }: PlainError): string {
  return hint === null ? message : `${message}; ${hint}`;
}

/** A flush while the writer is paused would wait for ever. */
export function paused(): WriteBehindError {
  return new WriteBehindError("CLOSED", "the writer is paused, so nothing reaches the database", { hint: "resume" });
}

/** Those who wait for what a failure ends. */
interface Waiting {
  fail(error: WriteBehindError): void;
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

  /** It has failed: whoever waits is told, then everybody else. */
  fail(error: WriteBehindError, marks: Waiting, side: Waiting): void {
    this.error = error;
    marks.fail(error);
    // Nothing is written to the database that may not be durable, so what waits for it waits in vain.
    side.fail(journalFailed(error));
    for (const call of this.#calls) call(error);
  }
}
