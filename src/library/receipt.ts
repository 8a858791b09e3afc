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
  /**
   * Resolves when the change is in the database; makes the writer hurry. Rejects REFUSED where the database refused it,
   * or it waits behind one that was refused (the message names the dead letter), CLOSED, JOURNAL_FAILED, UNKNOWN.
   */
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
      const heart = this.#heart;
      let ended = false;
      const aborted = (): void => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = heart.whenStored(this.sequence, (failure) => {
        ended = true;
        signal?.removeEventListener("abort", aborted);
        const error = failure ?? heart.deadLetters.refusal(this.sequence);
        if (error === null) resolve();
        else reject(error);
      });
      if (signal?.aborted === true) aborted();
      else if (!ended) signal?.addEventListener("abort", aborted, { once: true });
    });
  }
}
