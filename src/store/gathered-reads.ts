/**
 * Reads that are asked for in one turn of the event loop travel as one: misses at the same time become one query. Where
 * that one fails, all of them have failed; but a partition that went back does not keep others from being read.
 */
import type { Bytes } from "../bytes.js";
import type { RecordValue } from "../change.js";
import type { Clock } from "../host/host.js";
import { marksOf, storeErrorKind, type Reached, type ReachedMark } from "./store.js";

type Values = readonly (RecordValue | null)[];

interface Gathered {
  readonly records: readonly Bytes[];
  readonly reached: Reached;
  readonly resolve: (values: Values) => void;
  readonly reject: (error: Error) => void;
}

/** Gathers reads for one store. */
export class GatheredReads {
  readonly #clock: Clock;
  readonly #read: (records: readonly Bytes[], reached: Reached) => Promise<Values>;
  #gathered: Gathered[] = [];

  constructor(clock: Clock, read: (records: readonly Bytes[], reached: Reached) => Promise<Values>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** The rows of these records, in the order asked. */
  read(records: readonly Bytes[], reached: Reached): Promise<Values> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ records, reached, resolve, reject });
      if (this.#gathered.length === 1) this.#clock.soon(() => void this.#sendGathered());
    });
  }

  async #sendGathered(): Promise<void> {
    const gathered = this.#gathered;
    this.#gathered = [];
    await this.#send(gathered);
  }

  async #send(gathered: readonly Gathered[]): Promise<void> {
    try {
      const records = gathered.flatMap((one) => one.records);
      const values = await this.#read(records, reachedOf(gathered));
      let from = 0;
      for (const one of gathered) one.resolve(values.slice(from, (from += one.records.length)));
    } catch (error) {
      const groups = storeErrorKind(error) === "moved" ? byPartitions(gathered) : [];
      if (groups.length > 1) await Promise.all(groups.map((group) => this.#send(group)));
      else for (const { reject } of gathered) reject(error as Error);
    }
  }
}

/** What all of them know. Within one turn a partition's position is the same for all who know it. */
function reachedOf(gathered: readonly Gathered[]): Reached {
  const marks = new Map<number, ReachedMark>();
  for (const { reached } of gathered) for (const mark of marksOf(reached)) marks.set(mark.partition ?? 0, mark);
  const [first = null, ...others] = marks.values();
  return others.length === 0 ? first : [...marks.values()];
}

function byPartitions(gathered: readonly Gathered[]): Gathered[][] {
  const groups = new Map<string, Gathered[]>();
  for (const one of gathered) {
    const partitions = marksOf(one.reached).map(({ partition = 0 }) => partition);
    const key = partitions.toSorted((a, b) => a - b).join();
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(one);
  }
  return [...groups.values()];
}
