/**
 * The database of a world: the reference store behind an unreliable network. It lives outside the machine, so
 * crashes do not touch it; what it has committed stays.
 *
 * The fault model: a process may end before, inside and after each call (crash-points.ts); what it had begun in the
 * database is rolled back then, or was committed and nobody heard of it. A call takes time; it may fail before
 * anything happened, or after the commit has happened (the answer is lost), or be given up while the server is
 * still at it (it happens later, perhaps long after the process has died and another has taken over). The database
 * may be down for a while: calls are refused or hang until a time-out. It may go back to an earlier moment (a
 * failover, a restored backup). A read gives what was there at some moment between call and answer, never something
 * older.
 */
import type { Bytes } from "../src/bytes.js";
import { apply, type RecordValue } from "../src/change.js";
import { samePosition, type Position } from "../src/queue/queue.js";
import { memoryStore, type MemoryStore } from "../src/store/memory/memory-store.js";
import {
  generationAfter,
  StoreError,
  type Batch,
  type ParkedGroup,
  type Store,
  type StoreClaim,
  type TableSchema,
} from "../src/store/store.js";
import type { Moment } from "./crash-points.js";
import type { Machine, Process } from "./machine.js";
import { isRefused } from "./operation.js";

/** A call that hangs is given up after this time. */
const timeOutMs = 20_000;

/** How the database behaves. The world changes it while it runs. */
export interface DatabaseTemper {
  /** A call takes up to this long; now and then twenty times as long. */
  latencyMs: number;
  readFails: number;
  /** Probability that a read, a scan or an opening takes fifty times as long. */
  readSlow: number;
  failsBefore: number;
  failsAfter: number;
  /** The caller gives up; the server does not. */
  comesLate: number;
  down: boolean;
  /** Rows with a value that is marked are refused. */
  refuses: boolean;
}

/** A commit that has happened. */
export interface Commit {
  readonly batch: Batch;
  /** Everything in the database after it. */
  readonly rows: ReadonlyMap<Bytes, RecordValue>;
  /** What is parked after it, by group; and before it. */
  readonly parked: ReadonlyMap<number, ParkedGroup>;
  readonly parkedBefore: ReadonlyMap<number, ParkedGroup>;
  /** Who has done it; `late`: after its caller had given up. */
  readonly by: Process;
  readonly late: boolean;
}

/** A record as it is with what is parked of it on top of its row. */
export function withParked({ rows, parked }: Pick<Commit, "rows" | "parked">, record: Bytes): RecordValue | null {
  let value = rows.get(record) ?? null;
  if (parked.size === 0) return value;
  for (const { letters, behind } of parked.values()) {
    for (const { changes } of letters) {
      for (const each of changes) if (each.record === record) value = apply(value, each.change);
    }
    const waiting = behind.get(record);
    if (waiting !== undefined) value = apply(value, waiting.change);
  }
  return value;
}

/** The database. */
export class SimulatedDatabase {
  readonly temper: DatabaseTemper = {
    latencyMs: 2,
    readFails: 0,
    readSlow: 0,
    failsBefore: 0,
    failsAfter: 0,
    comesLate: 0,
    down: false,
    refuses: true,
  };
  /** Told of every commit at the moment at which it happens, before anybody else can see it. */
  onCommit: (commit: Commit) => void = () => {};
  /** Told that the database is as it was after an earlier commit. */
  onWentBack: (sequence: number) => void = () => {};
  /** Told of every opening that has happened. */
  onOpen: (process: Process, claim: StoreClaim) => void = () => {};
  /** Processes that cannot reach it. */
  readonly cutOff = new Set<Process>();
  /** The mapped tables that it has; null where there are none. */
  tables: readonly TableSchema[] | null = null;
  downSinceMs = 0;
  /** Calls that failed. */
  faults = 0;
  readonly #machine: Machine;
  #inner: MemoryStore;
  /** Connections that processes have. */
  #connections = new Map<Process, MemoryStore>();
  /** What was committed, in order: an earlier moment is made by committing it again. */
  #history: Batch[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#inner = this.#make();
  }

  /** How far the queue has been committed; 0 where nothing was. */
  get sequence(): number {
    return this.#history.at(-1)?.to.sequence ?? 0;
  }

  /** The database as one process sees it. */
  storeOf(process: Process): Store {
    return {
      kind: "memory",
      place: "the simulated database",
      limits: this.#inner.limits,
      open: (claim) =>
        this.#call(process, "store opens", async () => {
          const opened = await this.#of(process).open(claim);
          this.onOpen(process, claim);
          this.#machine.tell(() => `${process.name} opens the store at ${opened.position?.sequence ?? "nothing"}`);
          return this.tables === null ? opened : { ...opened, tables: this.tables };
        }),
      commit: (batch) => this.#call(process, "commit", (late) => this.#commit(process, batch, late), true),
      read: (records, reached) =>
        this.#call(process, "store reads", async () => {
          if (this.#machine.dice.chance(this.temper.readFails)) throw new StoreError("retryable", "the read failed");
          return this.#of(process).read(records, reached);
        }),
      scan: (after, limit, nowMs) =>
        this.#call(process, "store scans", () => this.#of(process).scan(after, limit, nowMs)),
      release: (partition) => this.#call(process, "store releases", async () => this.#of(process).release?.(partition)),
      close: () => this.#call(process, "store closes", () => this.#of(process).close()),
    };
  }

  /** How far a partition has been committed. */
  position(partition: number): Position | null {
    return this.#inner.position(partition);
  }

  /** Groups of letters that a partition has parked. */
  parkedGroups(partition: number): number {
    return this.#inner.parked(partition).length;
  }

  /** Everything that is in it now. */
  get rows(): ReadonlyMap<Bytes, RecordValue> {
    return this.#inner.rows();
  }

  /** The sequences of the letters that are parked in it. */
  get letters(): readonly number[] {
    return this.#inner.parked().flatMap(({ letters }) => letters.map(({ position }) => position.sequence));
  }

  /** Goes back by some commits, but not before the first one. */
  async goBack(commits: number): Promise<void> {
    const kept = this.#history.slice(0, Math.max(1, this.#history.length - commits));
    if (kept.length === this.#history.length || kept.length === 0) return;
    // At the same position only a try of parked changes is lost, and nobody looks before the next beat.
    if (this.#history.slice(kept.length).every(({ expected, to }) => expected?.sequence === to.sequence)) return;
    let claims: number | null = 0;
    const inner = memoryStore({ now: () => claims ?? this.#machine.loop.nowMs });
    const generations = new Map<number, number>();
    for (const each of kept) {
      claims = each.generation;
      await doAgain(inner, each, generations);
    }
    claims = null;
    this.#inner = inner;
    this.#connections.clear();
    this.#history = kept;
    this.#machine.tell(() => `the database goes back to ${this.sequence}`);
    this.onWentBack(this.sequence);
  }

  /** A call: on its way to the server, done there, on its way back. */
  #call<T>(process: Process, label: string, make: (late: boolean) => Promise<T>, commits = false): Promise<T> {
    const { dice, loop } = this.#machine;
    const total = this.#latency() * (commits ? 1 : this.#slow());
    const answer = (after: number, settle: () => void): void => void loop.after(after, "answer", process, settle);
    return new Promise((resolve, reject) => {
      const refuse = (after: number, why: string): void => {
        this.faults++;
        this.#machine.tell(() => `${process.name}: ${label} fails: ${why}`);
        answer(after, () => reject(new StoreError("retryable", why)));
      };
      if (this.temper.down || this.cutOff.has(process))
        return refuse(Math.min(timeOutMs, total * (dice.chance(0.3) ? 50 : 1)), "the database is down");
      const late = commits && dice.chance(this.temper.comesLate);
      if (late) refuse(total * dice.number(), "the answer took too long");
      loop.after(total * (late ? 1 + dice.below(100) : dice.number()), label, null, () => {
        // What a dead process has sent may still arrive.
        if (!process.alive && dice.chance(0.5)) return;
        const moment = this.#machine.crashes.draw(process);
        if (moment === "before" || (moment === "inside" && dice.chance(0.5)))
          return this.#crash(process, label, moment);
        if (!late && dice.chance(this.temper.failsBefore)) return refuse(total * 0.3, "the connection was cut before");
        const lost = commits && dice.chance(this.temper.failsAfter);
        const done = make(late);
        // A commit that was on its way when its process ended: rolled back above, or done here.
        if (moment !== null) return void done.catch(() => {}).then(() => this.#crash(process, label, moment));
        done.then(
          (value) => {
            if (late) return;
            if (lost) refuse(total * 0.3, "the connection was cut after");
            else answer(total * 0.3, () => resolve(value));
          },
          (error: unknown) => {
            if (!late) answer(total * 0.3, () => reject(error));
          },
        );
      });
    });
  }

  #crash(process: Process, label: string, moment: Moment): void {
    this.#machine.crashes.crash(process, label, moment);
  }

  async #commit(process: Process, batch: Batch, late: boolean): Promise<void> {
    const { partition } = batch;
    const parkedBefore = this.#parked(partition);
    try {
      this.#refuse(batch);
      await this.#of(process).commit(batch);
    } catch (error) {
      this.#machine.tell(() => `${process.name}: commit to ${batch.to.sequence} is refused: ${String(error)}`);
      throw error;
    }
    this.#machine.tell(() => `${process.name}: the database ${doneBy(batch)}`);
    this.#machine.trace.number(batch.to.sequence);
    this.#machine.trace.number(batch.to.tag);
    this.#history.push(batch);
    const parked = this.#parked(partition);
    this.onCommit({ batch, rows: this.rows, parked, parkedBefore, by: process, late });
  }

  #parked(partition?: number): Map<number, ParkedGroup> {
    return new Map(this.#inner.parked(partition).map((group) => [group.id, group]));
  }

  /** A constraint: what a change would make of its row is refused. The position is looked at first. */
  #refuse({ expected, rows, clear, partition }: Batch): void {
    const position = this.#inner.position(partition);
    const moved = expected === null || position === null ? expected !== position : !samePosition(expected, position);
    if (moved || clear || !this.temper.refuses) return;
    for (const [record, change] of rows) {
      if (isRefused(apply(this.rows.get(record) ?? null, change))) {
        throw new StoreError("refused", `the value of ${record} violates a constraint`);
      }
    }
  }

  #make(): MemoryStore {
    return memoryStore({ now: () => this.#machine.loop.nowMs });
  }

  #of(process: Process): MemoryStore {
    const connection = this.#connections.get(process) ?? this.#inner.connect();
    this.#connections.set(process, connection);
    return connection;
  }

  #slow(): number {
    return this.#machine.dice.chance(this.temper.readSlow) ? 50 : 1;
  }

  #latency(): number {
    const { dice } = this.#machine;
    return dice.number() * this.temper.latencyMs * (dice.chance(0.02) ? 20 : 1);
  }
}

/** As it was done then: by whoever had the claim, of which the clock says the number. */
async function doAgain(store: MemoryStore, batch: Batch, generations: Map<number, number>): Promise<void> {
  const { partition = 0 } = batch;
  let generation = generations.get(partition) ?? 0;
  if (generation < batch.generation) {
    generation = (await store.open({ logId: batch.to.logId, partition })).generation;
  }
  await store.commit({ ...batch, generation });
  generations.set(partition, generationAfter(batch));
}

function doneBy({ expected, to, rows, clear, sweepUpTo }: Batch): string {
  if (expected?.sequence === to.sequence) return `sweeps up to ${sweepUpTo}`;
  const what = clear ? "everything is gone" : [...rows.keys()].join(" ");
  return `commits ${expected?.sequence ?? "nothing"} to ${to.sequence}: ${what}`;
}
