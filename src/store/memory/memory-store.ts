/**
 * The reference store: a database in memory, as obviously right as it can be made, because the contract suite and the
 * simulator measure everything else against it. Not for production: it ends with the process.
 */
import type { Bytes } from "../../bytes.js";
import { apply, isLive, type RecordValue } from "../../change.js";
import { WriteBehindError } from "../../errors.js";
import { queueOf, samePosition, type Position } from "../../queue/queue.js";
import { liveStranger, rowIdOf } from "../own-tables.js";
import { runEndsAdopted, runEndsAfter } from "../run-ends.js";
import {
  generationAfter,
  hasReached,
  marksOf,
  StoreError,
  type Batch,
  type Page,
  type ParkedGroup,
  type Reached,
  type Store,
  type StoreClaim,
  type StoreOpened,
} from "../store.js";

/** So many expired rows go with one commit. */
const sweepRowsMax = 1000;

/** What a real database would keep on its disk. */
interface Database {
  rows: Map<Bytes, RecordValue>;
  /** By number, those that have been opened. */
  readonly partitions: Map<number, Partition>;
}

interface Partition {
  /** By id. */
  parked: ReadonlyMap<number, ParkedGroup>;
  position: Position | null;
  runEnds: readonly Position[];
  generation: number;
  /** The log that has the claim. */
  owner: string | null;
  heartbeatAt: number;
}

/** Settings of a memory store. */
export interface MemoryStoreOptions {
  /** The database's own clock, in milliseconds. Without one time stands still, and no claim ever goes stale. */
  readonly now?: () => number;
}

/** A connection to a database in memory. Closing it loses nothing: it can be opened again. */
export interface MemoryStore extends Store {
  /** Another connection to the same database. */
  connect(): MemoryStore;
  /** Everything that is in the database. */
  rows(): ReadonlyMap<Bytes, RecordValue>;
  /** What a partition has parked, in the order of the groups' ids. */
  parked(partition?: number): readonly ParkedGroup[];
  /** How far a partition has been committed. */
  position(partition?: number): Position | null;
}

/** A new, empty database in memory, and a connection to it. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return new Connection({ rows: new Map(), partitions: new Map() }, options.now ?? (() => 0));
}

class Connection implements MemoryStore {
  readonly kind = "memory";
  readonly place = "memory";
  readonly limits = { keyBytesMax: 2 ** 29, valueBytesMax: 2 ** 29 };
  readonly #database: Database;
  readonly #now: () => number;
  /** The generation of each claim. */
  readonly #claims = new Map<number, number>();

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  connect(): MemoryStore {
    return new Connection(this.#database, this.#now);
  }

  rows(): ReadonlyMap<Bytes, RecordValue> {
    return this.#database.rows;
  }

  parked(partition = 0): readonly ParkedGroup[] {
    const parked = this.#database.partitions.get(partition)?.parked ?? new Map<number, ParkedGroup>();
    return [...parked.values()].toSorted((a, b) => a.id - b.id);
  }

  position(partition = 0): Position | null {
    return this.#database.partitions.get(partition)?.position ?? null;
  }

  async open({ logId, partition: number = 0, adopt }: StoreClaim): Promise<StoreOpened> {
    const partition = this.#partition(number);
    const { partitions } = this.#database;
    const claims = [...partitions.values()].map(({ owner, heartbeatAt }) => ({
      owner,
      ageMs: this.#now() - heartbeatAt,
    }));
    const stranger = liveStranger(claims, logId);
    if (stranger !== null)
      throw new WriteBehindError("TABLES_IN_USE", `the queue ${stranger.owner} writes to ${this.place}`);
    if (adopt !== undefined) {
      partition.position = adopt;
      partition.runEnds = runEndsAdopted(partition.runEnds, adopt);
    }
    if (partition.position === null || partition.position.logId === logId) {
      // What is left of another queue has been silent for long: it writes nothing any more, to no partition.
      for (const each of partitions.values()) {
        if (each.owner !== null && queueOf(each.owner) !== queueOf(logId)) each.owner = null;
      }
      partition.owner = logId;
      partition.heartbeatAt = this.#now();
      partition.generation = Math.max(partition.generation + 1, Math.floor(this.#now()));
      this.#claims.set(number, partition.generation);
    }
    const { position, generation, runEnds } = partition;
    return { position, generation, parked: this.parked(number), runEnds };
  }

  async commit(batch: Batch): Promise<void> {
    const database = this.#database;
    const { expected, to, partition: number = 0 } = batch;
    const partition = database.partitions.get(number);
    if (
      partition === undefined ||
      !sameOrNull(expected, partition.position) ||
      batch.generation !== partition.generation ||
      to.logId !== partition.owner
    ) {
      throw new StoreError("moved", "the position or the claim is not the expected one");
    }
    // All or nothing: whatever throws in here, the database still has the old maps.
    const rows = new Map(batch.clear ? [] : database.rows);
    for (const [record, change] of batch.rows) {
      const value = apply(rows.get(record) ?? null, change);
      if (value === null) rows.delete(record);
      else rows.set(record, value);
    }
    const parked = parkedAfter(batch, partition.parked);
    if (batch.sweepUpTo !== null) {
      const others = [...database.partitions.values()].filter((each) => each !== partition);
      sweep(rows, batch.sweepUpTo, recordsOf([parked, ...others.map((each) => each.parked)]));
    }
    database.rows = rows;
    partition.parked = parked;
    partition.position = to;
    partition.runEnds = runEndsAfter(partition.runEnds, batch);
    partition.generation = generationAfter(batch);
    partition.heartbeatAt = this.#now();
    this.#claims.set(number, partition.generation);
  }

  async read(records: readonly Bytes[], reached: Reached = null): Promise<readonly (RecordValue | null)[]> {
    for (const mark of marksOf(reached)) {
      const { position, generation } = this.#partition(mark.partition);
      const found = position === null ? null : { ...position, generation };
      if (!hasReached(found, mark)) throw new StoreError("moved", `${this.place} went back`);
    }
    return records.map((record) => this.#database.rows.get(record) ?? null);
  }

  async scan(after: Bytes | null, limit: number, nowMs: number): Promise<Page> {
    const found: Bytes[] = [];
    for (const [record, value] of this.#database.rows) {
      if ((after === null || record > after) && isLive(value, nowMs)) found.push(record);
    }
    const records = found.toSorted(inByteOrder).slice(0, limit);
    return { records, next: found.length > limit ? (records.at(-1) ?? null) : null };
  }

  async release(number: number): Promise<void> {
    const partition = this.#partition(number);
    if (this.#claims.get(number) === partition.generation) partition.owner = null;
    this.#claims.delete(number);
  }

  async close(): Promise<void> {
    for (const number of this.#claims.keys()) await this.release(number);
  }

  #partition(number = 0): Partition {
    const { partitions } = this.#database;
    const nothing = { parked: new Map(), position: null, runEnds: [], generation: 0, owner: null, heartbeatAt: 0 };
    const partition = partitions.get(rowIdOf(number) - 1) ?? nothing;
    partitions.set(number, partition);
    return partition;
  }
}

function parkedAfter({ clear, parking }: Batch, before: Partition["parked"]): Partition["parked"] {
  if (!clear && parking === null) return before;
  const parked = new Map(clear ? [] : before);
  for (const id of parking?.drop ?? []) parked.delete(id);
  for (const { id, letters, behind } of parking?.put ?? []) {
    const old = parked.get(id);
    const all = new Map([...(old?.letters ?? []), ...letters].map((letter) => [letter.position.sequence, letter]));
    parked.set(id, {
      id,
      letters: [...all.values()].toSorted((a, b) => a.position.sequence - b.position.sequence),
      behind: new Map([...(old?.behind ?? []), ...behind]),
    });
  }
  return parked;
}

function recordsOf(all: readonly Partition["parked"][]): Set<Bytes> {
  const records = new Set<Bytes>();
  for (const { letters, behind } of all.flatMap((parked) => [...parked.values()])) {
    for (const { changes } of letters) for (const { record } of changes) records.add(record);
    for (const record of behind.keys()) records.add(record);
  }
  return records;
}

function sweep(rows: Map<Bytes, RecordValue>, upTo: number, kept: ReadonlySet<Bytes>): void {
  let swept = 0;
  for (const [record, value] of rows) {
    if (!isLive(value, upTo) && !kept.has(record) && swept++ < sweepRowsMax) rows.delete(record);
  }
}

function sameOrNull(a: Position | null, b: Position | null): boolean {
  return a === null || b === null ? a === b : samePosition(a, b);
}

function inByteOrder(a: Bytes, b: Bytes): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
