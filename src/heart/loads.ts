/**
 * Cold reads: records that a command needs and that are not in memory come from the store and fill the cache, what is
 * parked of them laid over their rows. Loads of one record are shared, and only so many run at once. A record that
 * changes while its load is in flight takes away the load's right to fill (a value is the row and every change since),
 * and is simply loaded again.
 */
import type { Bytes } from "../bytes.js";
import type { InLog, MemoryCache, Place } from "../cache/memory-cache.js";
import { contentBytes, type RecordValue } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { Clock } from "../host/host.js";
import { rest } from "../rest.js";
import { StoreError, storeErrorKind, type Page, type ReachedMark, type StoreReader } from "../store/store.js";

/** So much may be loaded for one command however small the cache is. */
const commandBytesMin = 1024 * 1024;

/** So many records are read at the same time before it is known how large they are. */
const firstAtOnceMax = 8;

/** With every record that is loaded a large one before it counts for so much less. */
const forgetting = 0.9;

/** What loads are made with. */
export interface LoadsParts {
  readonly reader: StoreReader;
  readonly cache: MemoryCache;
  /** What a record holds whose row is this: with what is parked of it, as it is at this moment. */
  readonly over: (record: Bytes, row: RecordValue | null) => RecordValue | null;
  /** What a record holds after frames of the log; undefined where they are trimmed (see ReadBack). */
  readonly readBack: (record: Bytes, inLog: InLog, row: RecordValue | null) => Promise<RecordValue | null | undefined>;
  readonly clock: Clock;
  /** Records that are read at the same time, fewer where they are large. */
  readonly atOnceMax: number;
  /** How long a load waits for a database that is being brought back. */
  readonly heldMs: number;
  /** Log time. */
  readonly now: () => number;
  /** What the database must have reached for its rows to be true. */
  readonly reached: () => ReachedMark | null;
  /**
   * A read has seen that the database is not there any more: the writer is to see for itself, and to hold the loads.
   * False where it is known already that a person has to act.
   */
  readonly onMoved: () => boolean;
}

/** A database that has said nothing to a read for so long counts as one that cannot be reached, in milliseconds. */
export const readMs = 30_000;

/** Between two tries to read a database that has moved, in milliseconds: so long the writer takes to notice it. */
const movedRetryMs = 20;

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
  /** How large the next records may be, in bytes: as the largest one of late. */
  #largest: number;
  #held: Promise<void> | null = null;
  #ended: WriteBehindError | null = null;
  readonly #ends = new Set<(error: WriteBehindError) => void>();

  constructor(parts: LoadsParts) {
    this.#parts = parts;
    this.#largest = parts.cache.bytesMax / firstAtOnceMax;
  }

  /** Memory for what is being read: about what the cache has. How large a row is nobody knows before it is here. */
  get #atOnceMax(): number {
    const { atOnceMax, cache } = this.#parts;
    return Math.max(1, Math.min(atOnceMax, Math.floor(cache.bytesMax / this.#largest)));
  }

  /** No row is read before this has resolved: what it gives would be older than what was read before. */
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
    return this.#untilEnded(() => this.#loadAll(records));
  }

  /** One page of the database's records (see Store.scan). Rejects STORE_DOWN, what ended the loads. */
  scan(after: Bytes | null, limit: number, nowMs: number, table: string | null): Promise<Page> {
    const { reader, reached } = this.#parts;
    return this.#untilEnded(() =>
      this.#healing(async () => {
        await this.#whenFree();
        const page = await this.#inTime(reader.scan(after, limit, nowMs, table));
        // A page tells nothing of where the database is: one that went back would show keys of a past that is over.
        await this.#inTime(reader.read([], reached()));
        return page;
      }),
    );
  }

  #untilEnded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#ends.add(reject);
      work()
        .then(resolve, reject)
        .finally(() => this.#ends.delete(reject));
    });
  }

  /** Some at a time. They are pinned, so more of them than the cache holds would fill the memory of the process. */
  async #loadAll(records: readonly Bytes[]): Promise<void> {
    const { cache } = this.#parts;
    const bytesMax = Math.max(cache.bytesMax, commandBytesMin);
    let bytes = 0;
    for (let first = 0; first < records.length;) {
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      const some = records.slice(first, first + this.#atOnceMax);
      bytes += await this.#share(some);
      first += some.length;
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
    await this.#turn(records.length);
    try {
      return await this.#healing(() => this.#fill(records));
    } finally {
      for (const record of records) this.#inFlight.delete(record);
      this.#done(records.length);
    }
  }

  /** Again, while a database that has moved may be brought back. */
  async #healing<T>(work: () => Promise<T>): Promise<T> {
    const { clock, heldMs } = this.#parts;
    try {
      const giveUpAt = clock.monotonic() + heldMs;
      for (;;) {
        try {
          return await work();
        } catch (error) {
          const mayHeal = storeErrorKind(error) === "moved" && clock.monotonic() < giveUpAt && this.#parts.onMoved();
          if (!mayHeal) throw error;
          await rest(clock, movedRetryMs);
        }
      }
    } catch (error) {
      throw storeDown(error);
    }
  }

  /** Reads them into the cache; says how many bytes that were. */
  async #fill(records: readonly Bytes[]): Promise<number> {
    const { cache } = this.#parts;
    const places = records.map((record) => cache.place(record));
    try {
      return await this.#fillAll(places);
    } finally {
      for (const place of places) cache.leave(place);
    }
  }

  /** Pending whole changes are in the log: they need no row, nor a store that answers. */
  async #fillAll(places: readonly Place[]): Promise<number> {
    const { cache, over, readBack } = this.#parts;
    const wanted = places.filter(({ inLog }) => inLog === null || inLog.whole === 0).map(({ record }) => record);
    const read = wanted.length === 0 ? [] : await this.#read(wanted);
    const rows = new Map(wanted.map((record, index) => [record, read[index] ?? null]));
    let bytes = 0;
    for (const place of places) {
      const { record, inLog } = place;
      // Parked is laid over the row here: an open place has seen every end of a dead letter since the read.
      const row = over(record, rows.get(record) ?? null);
      const value = inLog === null ? row : await readBack(record, inLog, row);
      if (value === undefined) continue;
      cache.fill(place, value, this.#parts.now());
      const size = value === null ? 0 : contentBytes(value.content);
      this.#largest = Math.max(1, size, this.#largest * forgetting);
      bytes += size;
    }
    return bytes;
  }

  async #read(records: readonly Bytes[]): Promise<Awaited<ReturnType<StoreReader["read"]>>> {
    const { reader, reached } = this.#parts;
    await this.#whenFree();
    // A database that went back and has not been brought back yet must not fill the cache (promise 2).
    return this.#inTime(reader.read(records, reached()));
  }

  async #whenFree(): Promise<void> {
    while (this.#held !== null) await this.#whileHeld(this.#held);
  }

  /** Nothing hangs: a database may be silent. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const silent = (): void => reject(new StoreError("retryable", `it has said nothing for ${readMs / 1000} s`));
      const timer = this.#parts.clock.after(readMs, silent, true);
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  /** Nothing hangs: the database may be away, or the writer paused while it is to be brought back. */
  #whileHeld(held: Promise<void>): Promise<void> {
    const { clock, heldMs } = this.#parts;
    return new Promise((resolve, reject) => {
      const timer = clock.after(
        heldMs,
        () => {
          reject(new StoreError("retryable", "its rows may be older than what was answered"));
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
      if (this.#running > 0 && this.#running + next.count > this.#atOnceMax) return;
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
