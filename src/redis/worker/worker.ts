/**
 * The worker of a fleet: it says that it lives, owns a fair share of the partitions, and runs a writer for each. It
 * decides nothing about shares (share.ts). Leases say only who should write; what a worker that was taken over still
 * sends is stopped by the generation in the database (promise 5).
 */
import { WriterTally } from "../../counters.js";
import { plainError, type PlainError } from "../../errors.js";
import type { Host } from "../../host/host.js";
import type { Routing } from "../../routes/route.js";
import type { Store } from "../../store/store.js";
import { clockSlackMs } from "../../writer/beat.js";
import { Wake } from "../../writer/wake.js";
import type { Fleet, FleetSeen, Keeper, News } from "../keeper.js";
import { Others } from "./others.js";
import { OwnedPartition } from "./owned.js";
import type { WorkerIdentity, WorkerOptions, WorkerReport } from "./report.js";
import { share } from "./share.js";
import { SharedStore } from "./shared-store.js";
import { pollEveryMs, StatesPoll } from "./states-poll.js";
import { storeHealthOf } from "./store-health.js";
import { within } from "./within.js";

/** How long a partition that is given back to others may take to finish its run, in milliseconds. */
const giveBackMs = 10_000;

/** Rows are swept so long after they expired: another partition may be so far behind. Milliseconds. */
const sweepLagMs = 60_000;

/** What a worker is made of. */
export interface FleetWorkerParts {
  readonly keeper: Keeper;
  readonly fleet: Fleet;
  readonly store: Store;
  readonly host: Pick<Host, "clock" | "random">;
  readonly options: WorkerOptions;
  readonly identity: WorkerIdentity;
  /** The routes of the store; without it there are none. */
  readonly routing?: Routing | undefined;
  /** Something that an operator must know and that stops no write. */
  readonly warn: (text: string) => void;
  /** Called after each beat. */
  readonly beaten?: ((report: WorkerReport) => void) | undefined;
}

/** A worker. It starts when it is made. */
export class FleetWorker {
  readonly id: string;
  readonly #parts: FleetWorkerParts;
  readonly #shared: SharedStore;
  readonly #poll: StatesPoll;
  readonly #wake: Wake;
  readonly #owned = new Map<number, OwnedPartition>();
  /** Holds that were lost or given back, and have something under way still: not claimed anew until that has ended. */
  readonly #ending = new Map<number, Promise<void>>();
  readonly #givingBack = new Set<Promise<void>>();
  /** Partitions that wait for others. */
  readonly #waiting = new Set<number>();
  readonly #living: Promise<void>;
  /** Partitions whose writer a fault has ended, and until when they are not taken again, on the monotonic clock. */
  readonly #faulted = new Map<number, number>();
  /** What the partitions that it owns no more have done. */
  #done = { batches: 0, rows: 0, coalesced: 0, retries: 0 };
  readonly #tally = new WriterTally();
  #paused = false;
  #error: PlainError | null = null;
  #stopping: Promise<void> | null = null;
  #ended = false;
  readonly #startedAt: number;

  constructor(parts: FleetWorkerParts) {
    const { keeper, store, host, options } = parts;
    this.#parts = parts;
    this.id = host.random.hex(8);
    this.#startedAt = host.clock.now();
    this.#shared = new SharedStore(store);
    this.#wake = new Wake(host.clock);
    this.#poll = new StatesPoll(keeper, host.clock, pollEveryMs(options.delayMs), () => this.#keeperIsBack());
    this.#living = this.#live();
  }

  /** What is told to all; null: some of it was missed. */
  heard(news: News | null): void {
    if (news === null || news.kind === "fleet") this.#wake.wake();
    else if (news.kind === "order") void this.#owned.get(news.partition)?.obey();
    else if (news.kind === "hurry") this.#owned.get(news.partition)?.hurry(news.sequence);
    if (news?.kind !== "stored") this.#poll.look();
  }

  /** What it says of itself. */
  report(): WorkerReport {
    const owned = [...this.#owned.values()].toSorted((a, b) => a.claim.partition - b.claim.partition);
    const partitions = owned.map((each) => each.report());
    const totals = partitions.reduce(sumOf, this.#done);
    const { kind } = this.#parts.store;
    const troubles = owned.map(({ storeTrouble }) => storeTrouble).filter((each) => each !== null);
    const store = storeHealthOf(kind, troubles, this.#startedAt);
    const { commitSeconds, retries } = this.#tally;
    const tally = { commitCounts: commitSeconds.counts, commitSum: commitSeconds.sum, retries };
    return { ...this.#parts.identity, id: this.id, partitions, totals, tally, store, error: this.#error };
  }

  /** Finishes the runs in hand, gives every partition back and leaves. What has not ended by then is given up. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    for (const owned of this.#owned.values()) this.#giveBack(owned, deadlineMs);
    await Promise.all(this.#givingBack);
    this.#ended = true;
    this.#wake.wake();
    // Nothing hangs (promise 8): a question may be without an answer, a commit stuck in the driver.
    const { clock } = this.#parts.host;
    await within(clock, deadlineMs, Promise.all([this.#living, ...this.#ending.values()]));
    this.#poll.close();
    // Who cannot be told hears it from the lease.
    await within(clock, deadlineMs, this.#parts.keeper.leave(this.id));
    await within(clock, deadlineMs, this.#shared.close());
  }

  async #live(): Promise<void> {
    await Promise.resolve();
    while (!this.#ended) {
      try {
        await this.#beat();
        this.#error = null;
      } catch (error) {
        this.#error = plainError(error);
      }
      this.#parts.beaten?.(this.report());
      if (!this.#ended) await this.#wake.sleep(this.#parts.options.leaseMs / 3);
    }
  }

  async #beat(): Promise<void> {
    const { keeper, options } = this.#parts;
    await Promise.all([...this.#owned.values()].map((owned) => this.#prolong(owned)));
    const seen = await keeper.beat(this.id, options.leaseMs, JSON.stringify(this.report()));
    this.#pause(seen.paused);
    if (this.#stopping === null) await this.#takeShare(seen);
    await this.#findSweep();
    for (const owned of this.#owned.values()) {
      owned.trim();
      void owned.obey();
    }
  }

  async #prolong(owned: OwnedPartition): Promise<void> {
    const holds = await this.#parts.keeper.holds(owned.claim, this.#parts.options.leaseMs);
    if (!holds && this.#owned.get(owned.claim.partition) === owned) {
      owned.giveUp();
      this.#forget(owned);
    }
  }

  #pause(paused: boolean): void {
    this.#paused = paused;
    for (const owned of this.#owned.values()) owned.pause(paused);
  }

  async #takeShare({ workers, owners }: FleetSeen): Promise<void> {
    // What is being given back is neither free nor to be given back, and so is what it owns without knowing a claim.
    const mine = owners.map((owner, partition) =>
      owner === this.id && this.#owned.get(partition)?.leaving !== false ? "" : owner,
    );
    const { giveBack, take } = share({ workers: workers.map(({ id }) => id), owners: mine, me: this.id });
    for (const partition of giveBack) this.#giveBack(this.#owned.get(partition) as OwnedPartition, giveBackMs);
    const now = this.#parts.host.clock.monotonic();
    // One whose lease is over is its own still, as long as nobody else has taken it: its next beat prolongs that.
    const isFree = (each: number): boolean => !this.#owned.has(each) && !this.#ending.has(each);
    const wanted = take.filter((each) => isFree(each) && (this.#faulted.get(each) ?? 0) <= now);
    await Promise.all(wanted.map((partition) => this.#claim(partition)));
  }

  async #claim(partition: number): Promise<void> {
    const { keeper, fleet, host, options, warn } = this.#parts;
    const claim = await keeper.claim(this.id, partition, options.leaseMs);
    if (claim === null) return;
    if (this.#stopping !== null) return keeper.release(claim);
    const others = new Others({
      keeper,
      clock: host.clock,
      partition,
      partitions: fleet.partitions,
      waiting: this.#waiting,
      ended: () => owned.leaving || this.#owned.get(partition) !== owned,
    });
    const owned: OwnedPartition = new OwnedPartition({
      keeper,
      host,
      fleet,
      claim,
      shared: this.#shared,
      poll: this.#poll,
      options,
      paused: this.#paused,
      routing: this.#parts.routing ?? { routes: [], unrouted: "store" },
      others: () => others.stored(),
      changed: () => this.#parts.beaten?.(this.report()),
      tell: () => keeper.beat(this.id, options.leaseMs, JSON.stringify(this.report())),
      lost: () => this.#forget(owned),
      faulted: (error) => {
        warn(`the writer of partition ${partition} has ended, and is started again: ${plainError(error).message}`);
        this.#faulted.set(partition, host.clock.monotonic() + options.leaseMs);
        this.#giveBack(owned, giveBackMs);
      },
      warn,
      tally: this.#tally,
    });
    this.#owned.set(partition, owned);
  }

  #giveBack(owned: OwnedPartition, deadlineMs: number): void {
    const giving = owned.giveBack(deadlineMs).then(() => {
      this.#forget(owned);
      this.#givingBack.delete(giving);
    });
    this.#givingBack.add(giving);
  }

  #forget(owned: OwnedPartition): void {
    const { partition } = owned.claim;
    if (this.#owned.get(partition) !== owned) return;
    this.#owned.delete(partition);
    this.#done = sumOf(this.#done, owned.report());
    const ended = owned.ended.then(() => {
      this.#ending.delete(partition);
      // Another may have it by now, or nobody: that the next beat sees.
      if (this.#stopping === null) this.#wake.wake();
    });
    this.#ending.set(partition, ended);
  }

  /** Up to where expired rows may go: what every partition has committed, and a while before. */
  async #findSweep(): Promise<void> {
    const { keeper, fleet, host } = this.#parts;
    this.#shared.sweepUpTo = null;
    if (!this.#owned.has(0) || this.#paused) return;
    const { states } = await keeper.states([...Array(fleet.partitions).keys()]);
    const bound = Math.min(...states.map(({ storedAt }) => storedAt)) - sweepLagMs;
    // A clock that has jumped ahead would sweep rows that are alive.
    this.#shared.sweepUpTo = bound > 0 && bound <= host.clock.now() + clockSlackMs ? bound : null;
  }

  #keeperIsBack(): void {
    for (const owned of this.#owned.values()) owned.hurry(0);
    this.#wake.wake();
  }
}

type Counts = WorkerReport["totals"];

function sumOf(a: Counts, b: Counts): Counts {
  return {
    batches: a.batches + b.batches,
    rows: a.rows + b.rows,
    coalesced: a.coalesced + b.coalesced,
    retries: a.retries + b.retries,
  };
}
