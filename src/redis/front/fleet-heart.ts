/**
 * The heart of a process that shares cache and queue with others: the same verbs as write-behind.ts, where cache and
 * queue are a keeper's. Read `execution.ts` first: it is the road of a write. What is pending is written by the
 * fleet's workers; one of them may live in this process.
 */
import type { Bytes } from "../../bytes.js";
import { Counters } from "../../counters.js";
import type { WriteBehindError } from "../../errors.js";
import type { Emitter } from "../../events.js";
import type {
  CloseReport,
  DeadLetters,
  Executed,
  FlushReport,
  Heart,
  Inspection,
  QueuePage,
  Reached,
  Recent,
  Status,
  StepReport,
  Watch,
  WorkOptions,
} from "../../heart.js";
import { closed, closedBeforeStored, paused } from "../../heart/failures.js";
import type { KeyWalk } from "../../heart/key-walk.js";
import type { Host, Timer } from "../../host/host.js";
import type { EngineOptions } from "../../options.js";
import type { Durability } from "../../queue/queue.js";
import type { Plan } from "../../routes/plan.js";
import type { StoreLimits, StoreReader } from "../../store/store.js";
import type { Workspace } from "../../workspace.js";
import type { Fleet, FleetSeen, Keeper, PartitionState } from "../keeper.js";
import { partitionOf } from "../partition.js";
import { Cold } from "./cold.js";
import { FleetExecution } from "./execution.js";
import type { FleetAddressing } from "./fleet-addressing.js";
import { FleetDesk } from "./fleet-desk.js";
import { FleetFlushes, type FlushOptions } from "./fleet-flush.js";
import { FleetInspector } from "./fleet-inspector.js";
import { describeFleet, reportOf, tellChanges } from "./fleet-status.js";
import { fleetKeys } from "./fleet-keys.js";
import { FleetTime } from "./fleet-time.js";
import { FleetWatch } from "./fleet-watch.js";
import { Reads } from "./reads.js";
import { StoredWatch } from "./stored-watch.js";
import { WorkerTotals } from "./worker-totals.js";
import { Writes } from "./writes.js";

/** Status is looked at afresh so often, in milliseconds. */
const refreshEveryMs = 500;

/** A worker in this process. */
export interface OwnWorker {
  /** Hands its partitions over. False where it hangs in the database's driver. */
  stop(deadlineMs: number): Promise<boolean>;
}

/** What it is made of. */
export interface FleetHeartParts {
  readonly host: Host;
  readonly keeper: Keeper;
  readonly fleet: Fleet;
  /** What the keeper keeps of an answered write, in a sentence. */
  readonly keeps: string;
  readonly options: EngineOptions;
  /** Bytes that may be pending in all. */
  readonly roomBytes: number;
  readonly reader: StoreReader;
  readonly storeKind: string;
  readonly limits: StoreLimits | null;
  readonly addressing: FleetAddressing;
  readonly worker: OwnWorker | null;
  readonly events: Emitter;
  /** Ends what the keeper is made of. */
  readonly end: () => Promise<void>;
}

/** A process of a fleet. */
export class FleetHeart implements Heart {
  readonly events: Emitter;
  readonly deadLetters: DeadLetters;
  readonly counters: Counters;
  readonly #workers = new WorkerTotals();
  readonly #parts: FleetHeartParts;
  readonly #time: FleetTime;
  readonly #stored: StoredWatch;
  readonly #cold: Cold;
  readonly #execution: FleetExecution;
  readonly #keys: KeyWalk;
  readonly #desk: FleetDesk;
  readonly #inspector: FleetInspector;
  readonly #flushes: FleetFlushes;
  #status: Status;
  /** Why this process takes no more work. */
  #wrong: WriteBehindError | null = null;
  #seen: { readonly states: readonly PartitionState[]; readonly fleet: FleetSeen } | null = null;
  /** Whether it was seen how things are: before that nothing is news. */
  #looked = false;
  #timer: Timer | null = null;
  #closing: Promise<CloseReport> | null = null;

  private constructor(parts: FleetHeartParts) {
    const { host, keeper, options, fleet, addressing, reader } = parts;
    const { clock, random } = host;
    const { partitions } = fleet;
    this.#parts = parts;
    this.events = parts.events;
    this.counters = new Counters(this.#workers.tally);
    this.#time = new FleetTime(clock);
    this.#stored = new StoredWatch(keeper, clock, partitions);
    this.#cold = new Cold({
      keeper,
      reader,
      clock,
      atOnceMax: options.loadsMax,
      bytesMax: options.cacheBytes,
      heldMs: options.waitMs,
      freshMs: (record) => Math.min(options.cacheTtlMs, addressing.freshMs(record)),
      absentMs: options.absentMs,
    });
    this.#execution = this.#makeExecution();
    this.#keys = fleetKeys({ ...parts, view: (work) => this.view(work), now: () => this.#time.now() });
    this.#desk = new FleetDesk(keeper, clock, random, partitions);
    this.#inspector = new FleetInspector({
      keeper,
      reader,
      partitions,
      resolve: (key) => addressing.resolve(key),
      plan: () => addressing.plan,
    });
    this.#flushes = new FleetFlushes({
      keeper,
      clock,
      leaseMs: options.leaseMs,
      partitionOf: (key) => partitionOf(addressing.resolve(key).record, partitions),
      desk: this.#desk,
      inspector: this.#inspector,
      stored: this.#stored,
      refresh: async () => {
        await this.refresh();
        return this.#status;
      },
      assertOpen: () => this.#assertOpen(),
    });
    this.deadLetters = {
      list: (limit, after) => this.#desk.list(limit, after),
      retry: (ids) => this.#desk.retry(ids),
      discard: (ids, { behind = false } = {}) => this.#desk.discard(ids, behind),
      refusal: (number) => this.#stored.refusal(number),
      anyIn: (first, last) => this.#stored.anyIn(first, last),
    };
    this.#status = this.#describe("not looked at yet");
  }

  /** Opens a process of a fleet. */
  static async open(parts: FleetHeartParts): Promise<FleetHeart> {
    const heart = new FleetHeart(parts);
    await heart.refresh();
    heart.#tick();
    return heart;
  }

  #makeExecution(): FleetExecution {
    const { keeper, options, fleet, addressing, limits, roomBytes } = this.#parts;
    const { clock, random } = this.#parts.host;
    const room = {
      bytes: Math.max(1, Math.floor(roomBytes / fleet.partitions)),
      records: Math.max(1, Math.floor(options.queueRecords / fleet.partitions)),
      ageMs: options.queueAgeMs,
    };
    return new FleetExecution({
      keeper,
      clock,
      random,
      time: this.#time,
      waitMs: options.waitMs,
      limits,
      partitions: fleet.partitions,
      resolve: (key) => addressing.resolve(key),
      reads: new Reads(keeper, clock, random),
      writes: new Writes(keeper, clock, fleet.partitions, room),
      cold: this.#cold,
      stored: this.#stored,
      events: this.events,
      counters: this.counters,
      assertOpen: () => this.#assertOpen(),
    });
  }

  get durability(): Durability {
    return this.#parts.options.durability;
  }

  /** What is answered is kept: the keeper has said so. */
  get kept(): number {
    return this.#stored.frames.last;
  }

  get accepted(): number {
    return this.#stored.frames.last;
  }

  get stored(): number {
    return this.#stored.stored;
  }

  get plan(): Plan | null {
    return this.#parts.addressing.plan;
  }

  execute<T>(work: (workspace: Workspace) => T, options: WorkOptions = {}): Promise<Executed<T>> {
    return this.#execution.run(work, true, options);
  }

  view<T>(work: (workspace: Workspace) => T, options: WorkOptions = {}): Promise<Executed<T>> {
    return this.#execution.run(work, false, options);
  }

  async keys(...asked: Parameters<Heart["keys"]>): ReturnType<Heart["keys"]> {
    this.#assertOpen();
    return this.#keys.page(...asked);
  }

  async randomKey(): Promise<Bytes | null> {
    this.#assertOpen();
    return this.#keys.any();
  }

  watch(key: Bytes): Watch {
    return new FleetWatch(this.#parts.addressing.resolve(key).record);
  }

  whenKept(_number: number, reached: Reached): void {
    reached(null);
  }

  whenDurable(_number: number, reached: Reached): void {
    reached(null);
  }

  whenStored(number: number, reached: Reached): () => void {
    return this.#stored.whenStored(number, reached);
  }

  onFailed(): void {
    // There is no journal here that could fail: a keeper that cannot be reached is waited for.
  }

  flush(options: FlushOptions = {}): Promise<FlushReport> {
    this.#assertOpen();
    return this.#flushes.flush(options);
  }

  async pause(): Promise<void> {
    this.#assertOpen();
    await this.#desk.pause();
    this.#stored.failWaits(paused());
    await this.refresh();
  }

  async resume(): Promise<void> {
    this.#assertOpen();
    await this.#desk.resume();
    await this.refresh();
  }

  async step(): Promise<StepReport> {
    this.#assertOpen();
    const report = await this.#desk.step();
    await this.refresh();
    return report;
  }

  status(): Status {
    return this.#status;
  }

  async refresh(): Promise<void> {
    try {
      const [{ now, states }, fleet] = await Promise.all([
        this.#desk.states(),
        this.#parts.keeper.look(this.#parts.options.leaseMs),
      ]);
      this.#time.saw(now);
      this.#wrong = await this.#parts.addressing.lookAgain();
      this.#seen = { states, fleet };
      for (const { report } of fleet.workers) this.#workers.saw(reportOf(report));
      this.#stored.saw(states);
      const before = this.#status;
      this.#status = this.#describe(this.#wrong?.message ?? null);
      this.#tell(before, this.#status);
    } catch (error) {
      const before = this.#status;
      this.#status = this.#describe((error as Error).message);
      this.#tell(before, this.#status);
    }
  }

  inspect(key: Bytes): Promise<Inspection> {
    return this.#inspector.inspect(key);
  }

  async recent(key: Bytes): Promise<Recent> {
    const { queue, deadLetters } = await this.#inspector.inspect(key);
    return { changes: queue, deadLetters };
  }

  pending(limit: number, after: string | null): Promise<QueuePage> {
    return this.#inspector.pending(limit, after);
  }

  close({
    deadlineMs = this.#parts.options.closeMs,
  }: { readonly deadlineMs?: number | undefined } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    const { host, worker, keeper, reader, end } = this.#parts;
    const startedAt = host.clock.monotonic();
    await this.#drain(deadlineMs);
    const left = Math.max(stopMsMin, deadlineMs - (host.clock.monotonic() - startedAt));
    const hasStopped = (await worker?.stop(left)) ?? true;
    await this.refresh();
    const pendingChanges = this.accepted - this.stored;
    this.#timer?.cancel();
    this.#cold.end(closed());
    this.#stored.end(closedBeforeStored());
    await Promise.allSettled([reader.close(), end()]);
    return {
      drained: pendingChanges === 0,
      pendingChanges,
      leftIn:
        pendingChanges === 0
          ? null
          : `${pendingChanges} changes of this process are in the queue in the Redis at ${keeper.place}; the fleet's workers write them`,
      deadLetters: this.#status.deadLetters.count,
      hangs: !hasStopped,
    };
  }

  async #drain(deadlineMs: number): Promise<void> {
    if (this.accepted === this.stored || this.#seen?.fleet.paused === true || deadlineMs === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.host.clock.after(deadlineMs, resolve, true);
      this.whenStored(this.accepted, () => {
        timer.cancel();
        resolve();
      });
    });
  }

  #tick(): void {
    this.#timer = this.#parts.host.clock.after(refreshEveryMs, () => {
      void this.refresh().finally(() => {
        if (this.#closing === null) this.#tick();
      });
    });
  }

  #tell(before: Status, now: Status): void {
    const { events } = this;
    tellChanges(events, before, now, { looked: this.#looked, accepted: this.accepted, at: this.#time.now() });
    this.#looked = true;
  }

  #describe(down: string | null): Status {
    const { keeper, fleet, keeps, options, storeKind, roomBytes } = this.#parts;
    return describeFleet({
      place: keeper.place,
      fleetId: fleet.id,
      keeps,
      durability: options.durability,
      cacheBytesMax: options.cacheBytes,
      queueMax: { bytesMax: roomBytes, recordsMax: options.queueRecords },
      now: this.#time.now(),
      states: this.#seen?.states ?? [],
      seen: this.#seen?.fleet ?? { now: 0, paused: false, workers: [], owners: [] },
      storeKind,
      totals: this.#workers.totals,
      hits: this.#execution.hits,
      misses: this.#cold.misses,
      closing: this.#closing !== null,
      down,
    });
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw closed();
    if (this.#wrong !== null) throw this.#wrong;
  }
}

/** Stopping may take so long, at the least, where a commit is in hand. */
const stopMsMin = 1000;
