/**
 * What a Redis holds for a fleet, in memory: the state behind a MemoryKeeper, and what can befall it. It is the twin of
 * the keys that src/redis/scripts/ work on; what they do to them is in memory-keeper.ts and keeper-records.ts.
 *
 * Contents are never changed after they were put, so a copy of the maps is a copy of all.
 */
import type { Bytes } from "../../src/bytes.js";
import type { Content } from "../../src/change.js";
import type { Clock } from "../../src/host/host.js";
import type { FrameOnDisk, Position } from "../../src/queue/queue.js";
import type { Fleet, News, Order, Overlay } from "../../src/redis/keeper.js";

/** A key under a record's own name. */
export interface KeyEntry {
  /** Null: of a type that is none of ours. */
  readonly content: Content | null;
  /** When the record ends, in log time. */
  readonly endsAt: number | null;
  /** When the keeper forgets it by itself; null where it is pending. */
  readonly forgottenAt: number | null;
}

/** That a record is pending. `kind`: its value is known, its removal is pending, or only an overlay is known. */
export interface PendingMark {
  readonly sequence: number;
  readonly kind: "value" | "absent" | "overlay";
}

/** Frames of one call. */
export interface LogEntry {
  readonly last: number;
  readonly at: number;
  readonly frames: readonly FrameOnDisk[];
}

/** Who owns a partition. */
export interface Owner {
  readonly worker: string;
  readonly claim: number;
  readonly until: number;
  readonly leaseMs: number;
}

/** What the head of a log has made of each record, encoded. */
export interface BaseData {
  readonly from: Position;
  to: Position;
  at: number;
  readonly oldestAt: number;
  bytes: number;
  readonly changes: Map<Bytes, Bytes>;
}

/** One partition. */
export interface PartitionData {
  readonly logId: string;
  sequence: number;
  tag: number;
  at: number;
  stored: number;
  storedTag: number;
  storedAt: number;
  generation: number;
  settled: number;
  bytes: number;
  oldestAt: number | null;
  broken: string | null;
  thrown: number;
  claim: number;
  claimant: string;
  owner: Owner | null;
  letters: number;
  waitingBehind: number;
  heard: string | null;
  settling: string | null;
  log: LogEntry[];
  base: BaseData | null;
  /** Positions that the database may have reached, by sequence. */
  readonly aims: Map<number, Position>;
  readonly pending: Map<Bytes, PendingMark>;
  /** Absences that are remembered, and until when. */
  readonly absent: Map<Bytes, number>;
  readonly leases: Map<Bytes, string>;
  /** Pending records that are not to stay once they are clean. */
  readonly doubts: Set<Bytes>;
  readonly overlays: Map<Bytes, Overlay>;
  readonly parked: Map<Bytes, Bytes>;
  readonly parkedFrames: Map<number, string>;
  readonly orders: Order[];
}

/** A worker that has said that it lives. */
export interface WorkerData {
  readonly seenAt: number;
  readonly report: string;
}

interface Everything {
  fleet: Fleet | null;
  paused: boolean;
  partitions: PartitionData[];
  keys: Map<Bytes, KeyEntry>;
  workers: Map<string, WorkerData>;
  notes: Map<string, string>;
}

/** A copy of all that a keeper held at a moment. */
export interface KeeperSnapshot {
  readonly copied: Everything;
}

/** What all processes of a simulated fleet share. Time is the clock's. */
export class MemoryKeeperState {
  readonly #clock: Pick<Clock, "now">;
  readonly #listeners = new Set<(news: News | null) => void>();
  readonly answers = new Map<string, string>();
  #all: Everything = nothing();
  /**
   * Called before anything is appended: throws where there is no memory left. A script that fails takes nothing back.
   */
  onAppend: () => void = () => {};
  /** Never goes back, whatever else does: two calls must not make the same tags. */
  #calls = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** The keeper's clock: milliseconds since 1970. */
  now(): number {
    return Math.floor(this.#clock.now());
  }

  get fleet(): Fleet | null {
    return this.#all.fleet;
  }

  get paused(): boolean {
    return this.#all.paused;
  }

  /** Every worker of the fleet is to pause, or to go on. */
  set paused(paused: boolean) {
    this.#all.paused = paused;
  }

  get partitions(): readonly PartitionData[] {
    return this.#all.partitions;
  }

  get notes(): Map<string, string> {
    return this.#all.notes;
  }

  get workers(): Map<string, WorkerData> {
    return this.#all.workers;
  }

  /** A fleet is born. */
  begin(fleet: Fleet, partitions: PartitionData[]): void {
    this.#all = { ...this.#all, fleet, partitions, workers: new Map(), notes: new Map() };
  }

  /** What lies under a record's name. */
  key(record: Bytes): KeyEntry | null {
    const found = this.#all.keys.get(record);
    if (found === undefined) return null;
    if (found.forgottenAt === null || found.forgottenAt > this.now()) return found;
    this.#all.keys.delete(record);
    return null;
  }

  /** A clock that went back would let the dead own their partitions, and live, until it is there again. */
  lastNoLongerThanLeases(): void {
    const now = this.now();
    for (const [id, each] of this.workers) if (each.seenAt > now) this.workers.set(id, { ...each, seenAt: now });
    for (const data of this.partitions) {
      const { owner } = data;
      if (owner !== null && owner.until > now + owner.leaseMs) data.owner = { ...owner, until: now + owner.leaseMs };
    }
  }

  /** Puts something under a record's name; null takes it away. */
  putKey(record: Bytes, entry: KeyEntry | null): void {
    if (entry === null) this.#all.keys.delete(record);
    else this.#all.keys.set(record, entry);
  }

  /** Everything that lies there under a record's name. */
  records(): readonly Bytes[] {
    return [...this.#all.keys.keys()].filter((record) => this.key(record) !== null);
  }

  /** Another nonce for each call. */
  nextNonce(): Bytes {
    this.#calls++;
    return this.#calls.toString(16).padStart(16, "0") as Bytes;
  }

  publish(news: News): void {
    for (const listener of this.#listeners) listener(news);
  }

  /** Calls at each message, in the step that sends it, until the returned function is called. */
  listen(listener: (news: News | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // What can befall it.

  /** Takes the room of a clean record, as an eviction policy may. Says whether it could. */
  evict(record: Bytes): boolean {
    if (this.#all.partitions.some(({ pending }) => pending.has(record))) return false;
    return this.#all.keys.delete(record);
  }

  /** Takes every clean record's room. */
  evictAll(): void {
    for (const record of this.#all.keys.keys()) this.evict(record);
  }

  /** Some other client deletes a key, whether it is pending or not. */
  lose(record: Bytes): void {
    this.#all.keys.delete(record);
  }

  /** Some other client puts a key of a type that is none of ours. */
  plant(record: Bytes): void {
    this.#all.keys.set(record, { content: null, endsAt: null, forgottenAt: null });
  }

  /** It is emptied. */
  wipe(): void {
    this.#all = nothing();
  }

  /** A copy, to go back to. */
  snapshot(): KeeperSnapshot {
    return { copied: copyOf(this.#all) };
  }

  /** It is what it was, as a Redis is that started from an older file. */
  restore(snapshot: KeeperSnapshot): void {
    this.#all = copyOf(snapshot.copied);
  }
}

function nothing(): Everything {
  return { fleet: null, paused: false, partitions: [], keys: new Map(), workers: new Map(), notes: new Map() };
}

function copyOf(all: Everything): Everything {
  return {
    ...all,
    keys: new Map(all.keys),
    workers: new Map(all.workers),
    notes: new Map(all.notes),
    partitions: all.partitions.map((data) => ({
      ...data,
      log: [...data.log],
      base: data.base === null ? null : { ...data.base, changes: new Map(data.base.changes) },
      aims: new Map(data.aims),
      pending: new Map(data.pending),
      absent: new Map(data.absent),
      leases: new Map(data.leases),
      doubts: new Set(data.doubts),
      overlays: new Map(data.overlays),
      parked: new Map(data.parked),
      parkedFrames: new Map(data.parkedFrames),
      orders: [...data.orders],
    })),
  };
}

/** A partition without any frame. */
export function newPartition(logId: string): PartitionData {
  return {
    logId,
    sequence: 0,
    tag: 0,
    at: 0,
    stored: 0,
    storedTag: 0,
    storedAt: 0,
    generation: 0,
    settled: 0,
    bytes: 0,
    oldestAt: null,
    broken: null,
    thrown: 0,
    claim: 0,
    claimant: "",
    owner: null,
    letters: 0,
    waitingBehind: 0,
    heard: null,
    settling: null,
    log: [],
    base: null,
    aims: new Map(),
    pending: new Map(),
    absent: new Map(),
    leases: new Map(),
    doubts: new Set(),
    overlays: new Map(),
    parked: new Map(),
    parkedFrames: new Map(),
    orders: [],
  };
}
