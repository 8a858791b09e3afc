/** A small fleet for tests of its workers: virtual time, a keeper and a database in memory, faults as they are told. */
import type { Bytes } from "../src/bytes.js";
import type { RecordChange } from "../src/change.js";
import type { Clock } from "../src/host/host.js";
import type { Fleet, FrameToWrite, Keeper, PartitionState } from "../src/redis/keeper.js";
import { partitionOf } from "../src/redis/partition.js";
import { FleetWorker } from "../src/redis/worker/worker.js";
import type { WorkerOptions } from "../src/redis/worker/report.js";
import { memoryStore, type MemoryStore } from "../src/store/memory/memory-store.js";
import { StoreError, type Batch, type Store } from "../src/store/store.js";
import { EventLoop, processClock } from "../simulator/host/clock.js";
import { Dice } from "../simulator/host/random.js";
import { MemoryKeeperState } from "../simulator/redis/keeper-state.js";
import { MemoryKeeper, type KeeperHooks, type KeeperVerb } from "../simulator/redis/memory-keeper.js";
import { Trace } from "../simulator/trace.js";

export const fleetId = "0123456789abcdef01234567";
export const room = { bytes: 1e12, records: 1e9, ageMs: 0 };
export const workerOptions: WorkerOptions = {
  delayMs: 100,
  batchBytes: 1_000_000,
  batchRecords: 1000,
  cacheBytes: 100_000_000,
  queueBytes: 1_000_000_000,
  retryMinMs: 100,
  retryMaxMs: 1000,
  deadLettersMax: 1000,
  retainBytes: 64_000_000,
  retainMs: 3_600_000,
  leaseMs: 5000,
  cacheTtlMs: 60_000,
};

/** Something that those who come to it wait at while it is shut. */
export class Gate {
  #open: (() => void) | null = null;
  #opened: Promise<void> = Promise.resolve();
  waiting = 0;

  shut(): void {
    if (this.#open === null) this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  open(): void {
    this.#open?.();
    this.#open = null;
  }

  async pass(): Promise<void> {
    this.waiting++;
    await this.#opened;
    this.waiting--;
  }
}

/** A worker, and what can befall it. */
export interface TestWorker {
  readonly worker: FleetWorker;
  /** Between it and the keeper. */
  readonly toKeeper: Gate;
  /** What goes through there; null: everything. */
  gated: ReadonlySet<KeeperVerb> | null;
  /** Asked before each verb is done and after: throws where it is not done, or its answer is lost. */
  fault: (verb: KeeperVerb, when: "before" | "after") => void;
  /** Between it and the database. */
  readonly toStore: Gate;
  /** Every verb that it has asked of the keeper, and was answered. */
  readonly verbs: KeeperVerb[];
  /** How often it has opened the database. */
  opens: number;
  readonly warnings: string[];
  /** Whether it is alive and not stopped. */
  readonly living: () => boolean;
  /** It is dead: nothing of it happens any more. */
  kill(): void;
}

/** The parts, joined. */
export class FleetWorld {
  readonly loop: EventLoop;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly state: MemoryKeeperState;
  readonly database: MemoryStore;
  readonly front: MemoryKeeper;
  readonly fleet: Fleet;
  /** Every batch that the database has taken, in order. */
  readonly batches: Batch[] = [];
  /** Asked before each commit; throws where the database does not take it. */
  refuse: (batch: Batch) => void = () => {};
  /** Called after each commit; throws where its answer is lost. */
  answers: (batch: Batch) => void = () => {};
  /** The database cannot be reached. */
  down = false;

  constructor(partitions = 8, seed = 1) {
    this.dice = new Dice(seed);
    this.loop = new EventLoop(this.dice, new Trace(false));
    this.clock = processClock(this.loop, { alive: true });
    this.state = new MemoryKeeperState(this.clock);
    this.database = memoryStore({ now: () => this.clock.now() });
    this.front = new MemoryKeeper(this.state);
    this.fleet = { id: fleetId, partitions };
  }

  /** A process' own way to the keeper. */
  async keeper(hooks: KeeperHooks = {}): Promise<Keeper> {
    const keeper = new MemoryKeeper(this.state, { hooks });
    await keeper.fleet(this.fleet);
    return keeper;
  }

  /** One frame for each partition that these changes are of. */
  async write(...changes: RecordChange[]): Promise<void> {
    await this.front.fleet(this.fleet);
    for (let partition = 0; partition < this.fleet.partitions; partition++) {
      const group = changes.filter(({ record }) => partitionOf(record, this.fleet.partitions) === partition);
      if (group.length > 0) await this.writeFrames(partition, [group]);
    }
  }

  /** Frames of one partition. */
  async writeFrames(partition: number, frames: readonly (readonly RecordChange[])[]): Promise<void> {
    await this.front.fleet(this.fleet);
    const written: FrameToWrite[] = frames.map((changes) => ({ changes, from: new Map() }));
    const outcomes = await this.front.write(partition, written, room);
    if (outcomes.some(({ became }) => became !== "kept")) throw new Error("a frame was not kept");
  }

  async start(options: Partial<WorkerOptions> = {}): Promise<TestWorker> {
    const [toKeeper, toStore] = [new Gate(), new Gate()];
    const owner = { alive: true };
    const verbs: KeeperVerb[] = [];
    const warnings: string[] = [];
    const made: Pick<TestWorker, "gated" | "fault" | "opens"> = { gated: null, fault: () => {}, opens: 0 };
    const never = new Promise<never>(() => {});
    const keeper = await this.keeper({
      before: async (verb) => {
        if (made.gated === null || made.gated.has(verb)) await toKeeper.pass();
        if (!owner.alive) await never;
        made.fault(verb, "before");
      },
      after: (verb) => {
        verbs.push(verb);
        made.fault(verb, "after");
      },
    });
    const worker = new FleetWorker({
      keeper,
      fleet: this.fleet,
      store: this.#store(toStore, owner, () => made.opens++),
      host: { clock: processClock(this.loop, owner), random: this.dice },
      options: { ...workerOptions, ...options },
      identity: { version: "0", pid: 1, host: "here" },
      warn: (text) => warnings.push(text),
    });
    const deafen = this.state.listen((news) => {
      if (owner.alive) this.loop.after(1, "message", owner, () => worker.heard(news));
    });
    const kill = (): void => {
      owner.alive = false;
      deafen();
    };
    return Object.assign(made, { worker, toKeeper, toStore, verbs, warnings, living: () => owner.alive, kill });
  }

  async states(): Promise<readonly PartitionState[]> {
    await this.front.fleet(this.fleet);
    return (await this.front.states([...Array(this.fleet.partitions).keys()])).states;
  }

  /** The owner of each partition, as the keeper has it. */
  get owners(): (string | null)[] {
    return this.state.partitions.map(({ owner }) => (owner === null ? null : owner.worker));
  }

  /** Whether each of these owns so many partitions, and runs them. */
  owns(...shares: (readonly [TestWorker, number])[]): boolean {
    return shares.every(
      ([{ worker }, count]) =>
        worker.report().partitions.filter(({ state }) => state === "running").length === count &&
        this.owners.filter((owner) => owner === worker.id).length === count,
    );
  }

  /** Whether the keeper has been told that everything is in the database. */
  get stored(): boolean {
    return this.state.partitions.every(({ sequence, stored, pending }) => sequence === stored && pending.size === 0);
  }

  value(record: string): string | null {
    return (this.database.rows().get(record as Bytes)?.content as string | undefined) ?? null;
  }

  /** Lets time go by until something holds. */
  async until(holds: () => boolean, ms = 3_600_000): Promise<void> {
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const limit = this.loop.nowMs + ms;
    await this.loop.run(() => holds() || this.loop.nowMs > limit);
    if (!holds()) throw new Error(`it does not come to pass within ${ms} ms`);
  }

  /** Lets this much time go by. */
  async advance(ms: number): Promise<void> {
    await new Promise<void>((resolve) => process.nextTick(resolve));
    let over = false;
    this.loop.after(ms, "test", null, () => (over = true));
    await this.loop.run(() => over);
  }

  /** Waits for a promise, in virtual time. */
  async over<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const end = (): void => void (over = true);
    promise.then(end, end);
    await this.until(() => over);
    return promise;
  }

  #store(gate: Gate, owner: { readonly alive: boolean }, opens: () => void): Store {
    const connection = this.database.connect();
    const pass = async (): Promise<void> => {
      await gate.pass();
      await this.loop.arrive(1, "database", owner, () => undefined);
      if (this.down) throw new StoreError("retryable", "connection refused");
    };
    return {
      kind: "memory",
      place: "memory",
      limits: connection.limits,
      open: async (claim) => {
        await pass();
        opens();
        return connection.open(claim);
      },
      commit: async (batch) => {
        await pass();
        this.refuse(batch);
        await connection.commit(batch);
        this.batches.push(batch);
        this.answers(batch);
      },
      read: (...args) => connection.read(...args),
      scan: (...args) => connection.scan(...args),
      release: (partition) => connection.release?.(partition) ?? Promise.resolve(),
      close: () => connection.close(),
    };
  }
}
