/** Flushing: until everything up to a sequence is stored or parked, or a pause or a signal ends the wait. */
import type { Bytes } from "../bytes.js";
import type { WriteBehindError } from "../errors.js";
import type { FlushReport, Reached } from "../heart.js";
import { paused } from "./failures.js";
import type { WriterSide } from "./writer-side.js";

/** Waits for a sequence to be stored; the returned function calls the wait off. */
export type WhenStored = (sequence: number, reached: Reached) => () => void;

/** The flushes that wait. */
export class Flushes {
  readonly #side: WriterSide;
  readonly #whenStored: WhenStored;
  readonly #ends = new Set<(error: WriteBehindError) => void>();

  constructor(side: WriterSide, whenStored: WhenStored) {
    this.#side = side;
    this.#whenStored = whenStored;
  }

  /** Waits until what is pending (where records are named, of these) is stored or parked. */
  async flush(
    accepted: number,
    records: readonly Bytes[] | null,
    isPaused: boolean,
    signal: AbortSignal | undefined,
  ): Promise<FlushReport> {
    const { stored, parked } = this.#side;
    const upTo = records === null ? accepted : this.#side.sequenceOf(records);
    if (upTo > stored) {
      if (isPaused) throw paused();
      await this.#until(upTo, signal);
    }
    const letters = records === null ? parked.frames.lettersIn(stored + 1, upTo) : parked.lettersOf(records);
    return { stored: this.#side.positionText, parked: letters };
  }

  /** Ends every wait with an error. */
  endAll(error: WriteBehindError): void {
    for (const end of this.#ends) end(error);
  }

  #until(sequence: number, signal: AbortSignal | undefined): Promise<void> {
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
}
