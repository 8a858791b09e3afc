/** Who waits for a flush: until everything up to a sequence is stored, or a pause or a signal ends the wait. */
import type { WriteBehindError } from "../errors.js";
import type { Reached } from "../heart.js";

/** Waits for a sequence to be stored; the returned function calls the wait off. */
export type WhenStored = (sequence: number, reached: Reached) => () => void;

/** The flushes that wait. */
export class Flushes {
  readonly #whenStored: WhenStored;
  readonly #ends = new Set<(error: WriteBehindError) => void>();

  constructor(whenStored: WhenStored) {
    this.#whenStored = whenStored;
  }

  /** Resolves when everything up to here is stored. */
  until(sequence: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let cancel = (): void => {};
      const end = (error: Error | null): void => {
        this.#ends.delete(end);
        signal?.removeEventListener("abort", aborted);
        cancel();
        if (error === null) resolve();
        else reject(error);
      };
      const aborted = (): void => end(signal?.reason as Error);
      this.#ends.add(end);
      cancel = this.#whenStored(sequence, end);
      if (signal?.aborted === true) aborted();
      else if (this.#ends.has(end)) signal?.addEventListener("abort", aborted);
    });
  }

  /** Ends every wait with an error. */
  endAll(error: WriteBehindError): void {
    for (const end of this.#ends) end(error);
  }
}
