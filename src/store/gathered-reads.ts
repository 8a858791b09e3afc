/**
 * Reads that are asked for in one turn of the event loop travel as one: misses at the same time become one query. Where
 * that one fails, all of them have failed.
 */
import type { Bytes } from "../bytes.js";
import type { RecordValue } from "../change.js";
import type { Clock } from "../host/host.js";
import type { ReachedMark } from "./store.js";

type Values = readonly (RecordValue | null)[];

interface Gathered {
  readonly records: readonly Bytes[];
  readonly reached: ReachedMark | null;
  readonly resolve: (values: Values) => void;
  readonly reject: (error: Error) => void;
}

/** Gathers reads for one store. */
export class GatheredReads {
  readonly #clock: Clock;
  readonly #read: (records: readonly Bytes[], reached: ReachedMark | null) => Promise<Values>;
  #gathered: Gathered[] = [];

  constructor(clock: Clock, read: (records: readonly Bytes[], reached: ReachedMark | null) => Promise<Values>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** The rows of these records, in the order asked. */
  read(records: readonly Bytes[], reached: ReachedMark | null): Promise<Values> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ records, reached, resolve, reject });
      if (this.#gathered.length === 1) this.#clock.soon(() => void this.#send());
    });
  }

  async #send(): Promise<void> {
    const gathered = this.#gathered;
    this.#gathered = [];
    try {
      const records = gathered.flatMap((one) => one.records);
      // Within one turn the position is the same for all who know it.
      const values = await this.#read(records, gathered.find(({ reached }) => reached !== null)?.reached ?? null);
      let from = 0;
      for (const one of gathered) one.resolve(values.slice(from, (from += one.records.length)));
    } catch (error) {
      for (const { reject } of gathered) reject(error as Error);
    }
  }
}
