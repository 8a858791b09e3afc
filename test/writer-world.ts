/** A small world for tests of the writer: virtual time, a queue in memory, a store that fails as it is told. */
import type { Situation } from "../src/writer/pace.js";
import type { Bytes } from "../src/bytes.js";
import { apply, compose, isLive, type Change, type RecordChange, type RecordValue } from "../src/change.js";
import { WriteBehindError } from "../src/errors.js";
import type { Clock } from "../src/host/host.js";
import {
  samePosition,
  type Frame,
  type FrameBody,
  type FrameOnDisk,
  type Position,
  type Waiting,
  type WriteQueue,
} from "../src/queue/queue.js";
import { rest } from "../src/rest.js";
import {
  generationAfter,
  StoreError,
  type Batch,
  type ParkedGroup,
  type Store,
  type StoreClaim,
  type StoreOpened,
} from "../src/store/store.js";
import { rowsOfGroup } from "../src/writer/group.js";
import type { WriterOptions, WriterReport } from "../src/writer/messages.js";
import { Writer } from "../src/writer/writer.js";
import { EventLoop, processClock } from "../simulator/host/clock.js";
import { Dice } from "../simulator/host/random.js";
import { Trace } from "../simulator/trace.js";

export const logId = "0123456789abcdef0123456789abcdef";
export const base: Position = { logId, sequence: 0, tag: 0 };

/** What a string record is set to. */
export function put(record: string, value: string, expiresAt: number | null = null): RecordChange {
  return {
    record: record as Bytes,
    change: { kind: "replace", content: value as Bytes, expiresAt, afterRemove: false },
  };
}

export const optionsOfTests: WriterOptions = {
  delayMs: 100,
  batchBytes: 1_000_000,
  batchRecords: 1000,
  cacheBytes: 100_000_000,
  queueBytes: 1_000_000_000,
  retryMinMs: 100,
  retryMaxMs: 30_000,
  deadLettersMax: 1000,
};

/** A write queue in memory. */
export class MemoryQueue implements WriteQueue {
  readonly frames: FrameOnDisk[] = [];
  acknowledged = 0;
  marks = 0;
  /** Frames before this sequence are trimmed. */
  oldest = 1;
  failure: WriteBehindError | null = null;
  readonly #clock: Clock;
  readonly #acceptedAt: number[] = [];
  #ask: { readonly sequence: number; readonly resolve: (waiting: Waiting) => void } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get accepted(): number {
    return this.frames.length;
  }

  append(body: FrameBody, bytes = 100): Position {
    const sequence = this.frames.length + 1;
    const position = { logId, sequence, tag: (sequence * 2_654_435_761) >>> 0 };
    const frame: Frame = { position, at: this.#clock.now(), body };
    this.frames.push({ frame, bytes });
    this.#acceptedAt.push(this.#clock.monotonic());
    this.#answer();
    return position;
  }

  positionAt(sequence: number): Position {
    return sequence === 0 ? base : (this.frames[sequence - 1] as FrameOnDisk).frame.position;
  }

  waiting(sequence: number): Promise<Waiting> {
    return new Promise((resolve) => {
      this.#ask = { sequence, resolve };
      this.#answer();
    });
  }

  async durableMark(): Promise<number> {
    if (this.failure !== null) throw this.failure;
    this.marks++;
    const { accepted } = this;
    await rest(this.#clock, 0.5);
    return accepted;
  }

  async check(position: Position): Promise<void> {
    const held = position.sequence <= this.accepted && position.sequence >= this.oldest;
    if ((held || position.sequence === 0) && samePosition(position, this.positionAt(position.sequence))) return;
    throw new WriteBehindError("QUEUE_MISMATCH", `no frame ${position.sequence} here`);
  }

  async base(): Promise<Position> {
    return base;
  }

  async *read(sequence: number, upTo: number): AsyncIterable<readonly FrameOnDisk[]> {
    if (sequence + 1 < this.oldest) throw new WriteBehindError("QUEUE_MISMATCH", `frame ${sequence + 1} is trimmed`);
    for (let from = sequence; from < upTo; from += 3) {
      await Promise.resolve();
      yield this.frames.slice(from, Math.min(from + 3, upTo));
    }
  }

  acknowledge(position: Position): void {
    this.acknowledged = position.sequence;
  }

  #answer(): void {
    if (this.#ask === null || this.accepted <= this.#ask.sequence) return;
    const { sequence, resolve } = this.#ask;
    this.#ask = null;
    let bytes = 0;
    for (const frame of this.frames.slice(sequence)) bytes += frame.bytes;
    resolve({ oldestAgeMs: this.#clock.monotonic() - (this.#acceptedAt[sequence] as number), bytes });
  }
}

/** How a commit or an opening goes. `lost`: it is done, and the answer does not arrive. */
export type Fate = "done" | "lost" | StoreError | Error;

export const down = new StoreError("retryable", "connection refused");

/** A store in memory that compares and sets as a database would, and fails as it is told. */
export class TestStore implements Store {
  readonly kind = "test";
  readonly place = "nowhere";
  readonly limits = { keyBytesMax: 1000, valueBytesMax: 1_000_000 };
  position: Position | null = null;
  generation = 0;
  rows = new Map<Bytes, RecordValue>();
  parked = new Map<number, ParkedGroup>();
  /** What the database refuses for what it is: the reason, or null. Sees the row and all rows as they would be. */
  refuses: (record: Bytes, row: RecordValue | null, rows: ReadonlyMap<Bytes, RecordValue>) => string | null = () =>
    null;
  /** What a commit fails of because of what is in it. */
  fails: (batch: Batch) => StoreError | null = () => null;
  /** Runs that were committed. */
  readonly batches: Batch[] = [];
  /** Commits without rows. */
  readonly beats: Batch[] = [];
  /** Every try to commit a run, successful or not. */
  tries = 0;
  opens = 0;
  closed = false;
  commitMs = 1;
  /** How the next ones go; then `always`. */
  fates: Fate[] = [];
  always: Fate = "done";
  openFates: Fate[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async open(claim: StoreClaim): Promise<StoreOpened> {
    this.opens++;
    await this.#after(1);
    const fate = this.openFates.shift() ?? "done";
    if (typeof fate !== "string") throw fate;
    if (claim.logId !== logId) throw new Error("another log");
    this.generation++;
    return { position: this.position, generation: this.generation, parked: [...this.parked.values()] };
  }

  async commit(batch: Batch): Promise<void> {
    const beat = batch.rows.size === 0 && !batch.clear && batch.to.sequence === (batch.expected ?? base).sequence;
    const idle = beat && batch.parking === null;
    if (!idle) this.tries++;
    await this.#after(this.commitMs);
    const fate = this.fates.shift() ?? this.always;
    if (typeof fate !== "string") throw fate;
    const failure = this.fails(batch);
    if (failure !== null) throw failure;
    this.#compare(batch);
    this.#apply(batch);
    (idle ? this.beats : this.batches).push(batch);
    if (fate === "lost") throw down;
  }

  #compare({ expected, generation }: Batch): void {
    const same =
      expected === null || this.position === null ? expected === this.position : samePosition(expected, this.position);
    if (!same || generation !== this.generation) throw new StoreError("moved", "the position has moved");
  }

  /** All of it, or nothing. */
  #apply(batch: Batch): void {
    const rows = new Map(batch.clear ? [] : this.rows);
    for (const [record, change] of batch.rows) this.#row(rows, record, change);
    for (const record of batch.rows.keys()) {
      const reason = this.refuses(record, rows.get(record) ?? null, rows);
      if (reason !== null) throw new StoreError("refused", reason);
    }
    const { sweepUpTo } = batch;
    const parked = parkedAfter(batch, this.parked);
    const kept = new Set([...parked.values()].flatMap((group) => [...rowsOfGroup(group).keys()]));
    for (const [record, row] of sweepUpTo === null ? [] : rows) {
      if (!isLive(row, sweepUpTo as number) && !kept.has(record)) rows.delete(record);
    }
    this.rows = rows;
    this.parked = parked;
    this.generation = generationAfter(batch);
    this.position = batch.to;
  }

  /** Everything as it was after one of the batches: a backup is restored. */
  restore(
    rows: Map<Bytes, RecordValue>,
    position: Position | null,
    parked = new Map<number, ParkedGroup>(),
    generation = this.generation,
  ): void {
    this.generation = generation;
    this.rows = new Map(rows);
    this.parked = new Map(parked);
    this.position = position;
  }

  value(record: string): string | undefined {
    return this.rows.get(record as Bytes)?.content as string | undefined;
  }

  async read(records: readonly Bytes[]): Promise<readonly (RecordValue | null)[]> {
    return records.map((record) => this.rows.get(record) ?? null);
  }

  async scan(): Promise<{ records: Bytes[]; next: null }> {
    return { records: [], next: null };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #row(rows: Map<Bytes, RecordValue>, record: Bytes, change: Change): void {
    const row = apply(rows.get(record) ?? null, change);
    if (row === null) rows.delete(record);
    else rows.set(record, row);
  }

  #after(ms: number): Promise<void> {
    return rest(this.#clock, ms);
  }
}

/** What a database would have parked after a batch. */
function parkedAfter({ clear, parking }: Batch, before: ReadonlyMap<number, ParkedGroup>): Map<number, ParkedGroup> {
  const parked = new Map(clear ? [] : before);
  for (const id of parking?.drop ?? []) parked.delete(id);
  for (const { id, letters, behind } of parking?.put ?? []) {
    const old = parked.get(id);
    const all = new Map([...(old?.letters ?? []), ...letters].map((each) => [each.position.sequence, each]));
    const inOrder = [...all.values()].toSorted((a, b) => a.position.sequence - b.position.sequence);
    parked.set(id, { id, letters: inOrder, behind: new Map([...(old?.behind ?? []), ...behind]) });
  }
  return new Map([...parked].toSorted(([a], [b]) => a - b));
}

/** The parts, joined. */
export class World {
  readonly loop: EventLoop;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly queue: MemoryQueue;
  readonly store: TestStore;
  readonly reports: WriterReport[] = [];

  constructor(seed = 1) {
    this.dice = new Dice(seed);
    this.loop = new EventLoop(this.dice, new Trace(false));
    this.clock = processClock(this.loop, { alive: true });
    this.queue = new MemoryQueue(this.clock);
    this.store = new TestStore(this.clock);
  }

  start(options: Partial<WriterOptions> = {}, paused = false): Writer {
    return new Writer({
      store: this.store,
      queue: this.queue,
      logId,
      clock: this.clock,
      random: this.dice,
      options: { ...optionsOfTests, ...options },
      paused,
      report: (report) => {
        // Told in between wherever the store is claimed: the mark of those who read.
        if (report.type !== "generation") this.reports.push(report);
      },
    });
  }

  /** One frame of these changes. */
  write(...changes: RecordChange[]): Position {
    return this.queue.append({ kind: "changes", changes });
  }

  /** Lets this much time go by. */
  async advance(ms: number): Promise<void> {
    // What is ready now happens now, before time moves.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    let over = false;
    this.loop.after(ms, "test", null, () => (over = true));
    await this.loop.run(() => over);
  }

  /** Lets time go by until something holds. */
  async until(holds: () => boolean): Promise<void> {
    await this.advance(0);
    const limit = this.loop.nowMs + 3_600_000;
    await this.loop.run(() => holds() || this.loop.nowMs > limit);
    if (!holds()) throw new Error("nothing happens any more");
  }

  /** Waits for a promise, in virtual time. */
  async over<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const end = (): void => void (over = true);
    promise.then(end, end);
    await this.until(() => over);
    return promise;
  }

  stored(): Promise<void> {
    return this.until(() => this.queue.acknowledged === this.queue.accepted);
  }

  told<Type extends WriterReport["type"]>(type: Type): Extract<WriterReport, { type: Type }>[] {
    return this.reports.filter((report) => report.type === type) as Extract<WriterReport, { type: Type }>[];
  }
}

/** The rows after all frames up to a sequence, one change after the other: what the store must hold. */
export function modelAt(frames: readonly FrameOnDisk[], sequence: number): Map<Bytes, RecordValue> {
  const rows = new Map<Bytes, RecordValue>();
  for (const { frame } of frames.slice(0, sequence)) {
    if (frame.body.kind === "clear") {
      rows.clear();
      continue;
    }
    for (const { record, change } of frame.body.changes) {
      const row = apply(rows.get(record) ?? null, change);
      if (row === null) rows.delete(record);
      else rows.set(record, row);
    }
  }
  return rows;
}

/** All changes of these frames for each record, composed one by one. */
export function composedAt(frames: readonly FrameOnDisk[]): Map<Bytes, Change> {
  const rows = new Map<Bytes, Change>();
  for (const { frame } of frames) {
    if (frame.body.kind === "clear") continue;
    for (const { record, change } of frame.body.changes) {
      const older = rows.get(record);
      rows.set(record, older === undefined ? change : compose(older, change));
    }
  }
  return rows;
}

/** A writer that has nothing to do and knows of nothing. */
export const quiet: Situation = {
  now: 1000,
  paused: false,
  stepping: false,
  ordered: false,
  hurried: false,
  restUntil: null,
  notBefore: null,
  inHand: false,
  seen: null,
  asking: false,
  beatAt: null,
  tryAt: null,
  triedLast: false,
};
