/** What a program gets for a write: the receipt, and what it can ask of it. */
import type { Heart, WaitOptions } from "../heart.js";
import type { Workspace } from "../workspace.js";

/** How a value is written. */
export interface SetOptions extends WaitOptions {
  /** The record ends after this many milliseconds (1 or more). */
  readonly ttlMs?: number | undefined;
}

/** Proof that a write was answered: cached, and queued as durably as was asked. */
export interface Receipt {
  /** The frame's sequence in the write queue; 0 where nothing had to be changed. */
  readonly sequence: number;
  /** Resolves when the change is in the database; makes the writer hurry. Rejects REFUSED, CLOSED, JOURNAL_FAILED. */
  stored(options?: WaitOptions): Promise<void>;
}

/** What the handles of hashes and JSON values need of the library. */
export interface Verbs {
  write(work: (workspace: Workspace) => void, options?: WaitOptions): Promise<Receipt>;
  run<T>(work: (workspace: Workspace) => T, options?: WaitOptions): Promise<T>;
  read<T>(work: (workspace: Workspace) => T, options?: WaitOptions): Promise<T>;
}

/** A receipt of a frame in the queue. */
export class QueuedReceipt implements Receipt {
  readonly sequence: number;
  readonly #heart: Heart;

  constructor(heart: Heart, sequence: number) {
    this.#heart = heart;
    this.sequence = sequence;
  }

  stored(options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      let ended = false;
      const aborted = (): void => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = this.#heart.whenStored(this.sequence, (error) => {
        ended = true;
        signal?.removeEventListener("abort", aborted);
        if (error === null) resolve();
        else reject(error);
      });
      if (signal?.aborted === true) aborted();
      else if (!ended) signal?.addEventListener("abort", aborted, { once: true });
    });
  }
}
