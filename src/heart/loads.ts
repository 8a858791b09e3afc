/**
 * Cold reads: records that a command needs and that are not in memory come from the store and fill the cache, what is
 * parked of them laid over their rows. Loads of one record are shared, and only so many run at once. A record that
 * changes while its load is in flight takes away the load's right to fill (a value is the row and every change since),
 * and is simply loaded again.
 */
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { contentBytes, type RecordValue } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { Clock } from "../host/host.js";
import { StoreError, storeErrorKind, type StoreReader } from "../store/store.js";

/** So much may be loaded for one command however small the cache is. */
const commandBytesMin = 1024 * 1024;

/** What loads are made with. */
export interface LoadsParts {
  readonly reader: StoreReader;
  readonly cache: MemoryCache;
  /** What a record holds whose row is this: with what is parked of it, as it is at this moment. */
  readonly over: (record: Bytes, row: RecordValue | null) => RecordValue | null;
  readonly clock: Clock;
  /** Records that are read at the same time. */
  readonly atOnceMax: number;
  /** How long a load waits for a database that is being brought back. */
  readonly heldMs: number;
  /** Log time. */
  readonly now: () => number;
}

/** A load that waits until so many more records may be read. */
interface Turn {
  readonly count: number;
  readonly begin: () => void;
}

/** Loads records into the cache. */
export class Loads {
  readonly #parts: LoadsParts;
  readonly #inFlight = new Map<Bytes, Promise<number>>();
  readonly #turns: Turn[] = [];
  #running = 0;
  #held: Promise<void> | null = null;
  #ended: WriteBehindError | null = null;
  readonly #ends = new Set<(error: WriteBehindError) => void>();

  constructor(parts: LoadsParts) {
    this.#parts = parts;
  }

  /** No load begins before this has resolved: what it gives would be older than what was read before. */
  hold(until: Promise<void>): void {
    const held = until.then(() => {
      if (this.#held === held) this.#held = null;
    });
    this.#held = held;
  }

  /** Nobody needs a load any more: who waits for one is told why. */
  end(error: WriteBehindError): void {
    this.#ended = error;
    for (const end of this.#ends) end(error);
  }

  /** Resolves when each of the records has been loaded once. Rejects STORE_DOWN, TOO_LARGE, what ended the loads. */
  load(records: readonly Bytes[]): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#ends.add(reject);
      this.#loadAll(records)
        .then(resolve, reject)
        .finally(() => this.#ends.delete(reject));
    });
  }

  /** Some at a time. They are pinned, so more of them than the cache holds would fill the memory of the process. */
  async #loadAll(records: readonly Bytes[]): Promise<void> {
    const { atOnceMax, cache } = this.#parts;
    const bytesMax = Math.max(cache.bytesMax, commandBytesMin);
    let bytes = 0;
    for (let first = 0; first < records.length; first += atOnceMax) {
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      bytes += await this.#share(records.slice(first, first + atOnceMax));
    }
  }

  /** Loads those that nobody is loading, waits for all of them. Says how many bytes it brought. */
  async #share(records: readonly Bytes[]): Promise<number> {
    const fresh = records.filter((record) => !this.#inFlight.has(record));
    const shared = records.map((record) => this.#inFlight.get(record));
    const load = fresh.length === 0 ? Promise.resolve(0) : this.#loadSome(fresh);
    for (const record of fresh) this.#inFlight.set(record, load);
    const [bytes] = await Promise.all([load, ...shared]);
    return bytes;
  }

  async #loadSome(records: readonly Bytes[]): Promise<number> {
    const { cache, reader, over } = this.#parts;
    await this.#turn(records.length);
    try {
      while (this.#held !== null) await this.#whileHeld(this.#held);
      const places = records.map((record) => cache.place(record));
      try {
        const rows = await reader.read(records);
        const now = this.#parts.now();
        // Not before this step: a place that is still open has seen every end of a dead letter since its row was read.
        const values = records.map((record, index) => over(record, rows[index] ?? null));
        places.forEach((place, index) => cache.fill(place, values[index] as RecordValue | null, now));
        return values.reduce((sum, value) => sum + (value === null ? 0 : contentBytes(value.content)), 0);
      } finally {
        for (const place of places) cache.leave(place);
      }
    } catch (error) {
      throw storeDown(error);
    } finally {
      for (const record of records) this.#inFlight.delete(record);
      this.#done(records.length);
    }
  }

  /** Nothing hangs: the database may be away, or the writer paused while it is to be brought back. */
  #whileHeld(held: Promise<void>): Promise<void> {
    const { clock, heldMs } = this.#parts;
    return new Promise((resolve, reject) => {
      const timer = clock.after(
        heldMs,
        () => {
          reject(
            new StoreError(
              "retryable",
              "its rows are older than what was answered, or it has not told yet what it has parked",
            ),
          );
        },
        true,
      );
      void held.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** In the order in which they came: small loads without end must not keep a large one from its turn. */
  #turn(count: number): Promise<void> {
    return new Promise((begin) => {
      this.#turns.push({ count, begin });
      this.#beginSome();
    });
  }

  #done(count: number): void {
    this.#running -= count;
    this.#beginSome();
  }

  #beginSome(): void {
    for (let [next] = this.#turns; next !== undefined; [next] = this.#turns) {
      if (this.#running > 0 && this.#running + next.count > this.#parts.atOnceMax) return;
      this.#turns.shift();
      this.#running += next.count;
      next.begin();
    }
  }
}

function tooLarge(bytesMax: number): WriteBehindError {
  return new WriteBehindError(
    "TOO_LARGE",
    `the records of one command exceed the ${bytesMax} bytes that the cache has for them`,
    {
      hint: "name fewer records in one command, or raise cacheBytes",
    },
  );
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
