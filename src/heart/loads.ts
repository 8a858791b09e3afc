/**
 * Cold reads: records that a command needs and that are not in memory come from the store and fill the cache. Loads of
 * one record are shared, and only so many run at once. A record that changes while its load is in flight takes away the
 * load's right to fill (a value is the row and every change since), and is simply loaded again.
 */
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { WriteBehindError } from "../errors.js";
import { storeErrorKind, type StoreReader } from "../store/store.js";

/** Loads records into the cache. */
export class Loads {
  readonly #reader: StoreReader;
  readonly #cache: MemoryCache;
  readonly #atOnceMax: number;
  readonly #now: () => number;
  readonly #inFlight = new Map<Bytes, Promise<void>>();
  readonly #turns: (() => void)[] = [];
  #running = 0;
  #held: Promise<void> | null = null;

  constructor(reader: StoreReader, cache: MemoryCache, atOnceMax: number, now: () => number) {
    this.#reader = reader;
    this.#cache = cache;
    this.#atOnceMax = atOnceMax;
    this.#now = now;
  }

  /** No load begins before this has resolved: the database is older than the cache was, and is being brought back. */
  hold(until: Promise<void>): void {
    this.#held = until;
  }

  /** Resolves when each of the records has been loaded at least once. Rejects STORE_DOWN. */
  async load(records: readonly Bytes[]): Promise<void> {
    const fresh: Bytes[] = [];
    const all: Promise<void>[] = [];
    for (const record of new Set(records)) {
      const inFlight = this.#inFlight.get(record);
      if (inFlight === undefined) fresh.push(record);
      else all.push(inFlight);
    }
    for (let first = 0; first < fresh.length; first += this.#atOnceMax) {
      const some = fresh.slice(first, first + this.#atOnceMax);
      const load = this.#loadSome(some);
      for (const record of some) this.#inFlight.set(record, load);
      all.push(load);
    }
    await Promise.all(all);
  }

  async #loadSome(records: readonly Bytes[]): Promise<void> {
    try {
      await this.#turn(records.length);
      await this.#held;
      const places = records.map((record) => this.#cache.place(record));
      try {
        const values = await this.#reader.read(records);
        const now = this.#now();
        places.forEach((place, index) => this.#cache.fill(place, values[index] ?? null, now));
      } finally {
        for (const place of places) this.#cache.leave(place);
      }
    } catch (error) {
      throw storeDown(error);
    } finally {
      for (const record of records) this.#inFlight.delete(record);
      this.#done(records.length);
    }
  }

  async #turn(count: number): Promise<void> {
    while (this.#running > 0 && this.#running + count > this.#atOnceMax) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    }
    this.#running += count;
  }

  #done(count: number): void {
    this.#running -= count;
    const turns = this.#turns.splice(0);
    for (const turn of turns) turn();
  }
}

function storeDown(error: unknown): unknown {
  if (storeErrorKind(error) === null) return error;
  return new WriteBehindError(
    "STORE_DOWN",
    `the record is not in memory and the database does not answer: ${(error as Error).message}`,
    {
      hint: "writes of whole values go on; see write-behind status",
      cause: error,
    },
  );
}
