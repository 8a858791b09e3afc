/**
 * The reference store: a database in memory, as obviously right as it can be made, because the contract suite and the
 * simulator measure everything else against it. Not for production: it ends with the process.
 */
import type { Bytes } from "../../bytes.js";
import { apply, isLive, type RecordValue } from "../../change.js";
import { WriteBehindError } from "../../errors.js";
import { samePosition, type Position } from "../../queue/queue.js";
import {
  claimStaleMs,
  generationAfter,
  hasReached,
  StoreError,
  type Batch,
  type Page,
  type ParkedGroup,
  type ReachedMark,
  type Store,
  type StoreClaim,
  type StoreOpened,
} from "../store.js";

/** So many expired rows go with one commit. */
const sweepRowsMax = 1000;

/** What a real database would keep on its disk. */
interface Database {
  rows: Map<Bytes, RecordValue>;
  /** By id. */
  parked: ReadonlyMap<number, ParkedGroup>;
  position: Position | null;
  generation: number;
  /** The log id of the queue that has the claim. */
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
  /** What is parked, in the order of the groups' ids. */
  parked(): readonly ParkedGroup[];
  /** How far the queue has been committed. */
  position(): Position | null;
}

/** A new, empty database in memory, and a connection to it. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const database = { rows: new Map(), parked: new Map(), position: null, generation: 0, owner: null, heartbeatAt: 0 };
  return new Connection(database, options.now ?? (() => 0));
}

class Connection implements MemoryStore {
  readonly kind = "memory";
  readonly place = "memory";
  readonly limits = { keyBytesMax: 2 ** 29, valueBytesMax: 2 ** 29 };
  readonly #database: Database;
  readonly #now: () => number;
  #generation: number | null = null;

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

  parked(): readonly ParkedGroup[] {
    return [...this.#database.parked.values()].toSorted((a, b) => a.id - b.id);
  }

  position(): Position | null {
    return this.#database.position;
  }

  async open(claim: StoreClaim): Promise<StoreOpened> {
    const database = this.#database;
    const live = database.owner !== null && Math.abs(this.#now() - database.heartbeatAt) < claimStaleMs;
    if (live && database.owner !== claim.logId) {
      throw new WriteBehindError("TABLES_IN_USE", `the queue ${database.owner} writes to ${this.place}`);
    }
    if (claim.adopt !== undefined) database.position = claim.adopt;
    if (database.position === null || database.position.logId === claim.logId) {
      database.owner = claim.logId;
      database.heartbeatAt = this.#now();
      this.#generation = ++database.generation;
    }
    return { position: database.position, generation: database.generation, parked: this.parked() };
  }

  async commit(batch: Batch): Promise<void> {
    const database = this.#database;
    const { expected, to } = batch;
    if (
      !sameOrNull(expected, database.position) ||
      batch.generation !== database.generation ||
      to.logId !== database.owner
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
    const parked = parkedAfter(batch, database.parked);
    if (batch.sweepUpTo !== null) sweep(rows, batch.sweepUpTo, recordsOf(parked));
    database.parked = parked;
    database.rows = rows;
    database.position = to;
    this.#generation = database.generation = generationAfter(batch);
    database.heartbeatAt = this.#now();
  }

  async read(records: readonly Bytes[], reached: ReachedMark | null = null): Promise<readonly (RecordValue | null)[]> {
    const { position, generation } = this.#database;
    const found = position === null ? null : { ...position, generation };
    if (!hasReached(found, reached)) throw new StoreError("moved", `${this.place} went back`);
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

  async close(): Promise<void> {
    if (this.#generation === this.#database.generation) this.#database.owner = null;
    this.#generation = null;
  }
}

function parkedAfter({ clear, parking }: Batch, before: Database["parked"]): Database["parked"] {
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

function recordsOf(parked: Database["parked"]): Set<Bytes> {
  const records = new Set<Bytes>();
  for (const { letters, behind } of parked.values()) {
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
