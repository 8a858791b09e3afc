/**
 * One partition that this worker owns: its queue, its part of the store, the writer between them, and what the keeper
 * is told. Made with a claim; it ends when it is given back or lost.
 */
import type { WriterTally } from "../../counters.js";
import { WriteBehindError, type PlainError } from "../../errors.js";
import type { Host } from "../../host/host.js";
import type { Routing } from "../../routes/route.js";
import { Writer } from "../../writer/writer.js";
import type { WriterReport } from "../../writer/messages.js";
import type { Claim, Keeper } from "../keeper.js";
import { logIdOf } from "../partition.js";
import { Acknowledged } from "./acknowledged.js";
import { answerTo } from "./answers.js";
import { BaseGuard } from "./base-guard.js";
import { Compaction } from "./compaction.js";
import { Freshness } from "./freshness.js";
import { KeeperQueue } from "./keeper-queue.js";
import { changeOfOverlay, changeOfReport, changeOfUnparked } from "./parked-reports.js";
import type { PartitionReport, WorkerOptions } from "./report.js";
import { PartitionStore, type SharedStore } from "./shared-store.js";
import type { StatesPoll } from "./states-poll.js";
import { within } from "./within.js";

/** A store that has taken nothing for so long is taken to be down for a while; one that says nothing: for so long. */
const stuckMs = 1000;
const silentMs = 10_000;

/** What it is made with. */
export interface OwnedParts {
  readonly keeper: Keeper;
  readonly host: Pick<Host, "clock" | "random">;
  readonly fleet: { readonly id: string; readonly partitions: number };
  readonly claim: Claim;
  readonly shared: SharedStore;
  readonly poll: StatesPoll;
  readonly options: WorkerOptions;
  readonly paused: boolean;
  /** As in WriterParts. */
  readonly others: () => Promise<void>;
  readonly routing: Routing;
  /** How its store is may be another than it was. */
  readonly changed: () => void;
  /** Tells the keeper what the worker says of itself now. */
  readonly tell: () => Promise<unknown>;
  /** The partition is another worker's. */
  readonly lost: () => void;
  /** A fault of the program has ended its writer. */
  readonly faulted: (error: unknown) => void;
  readonly warn: (text: string) => void;
  /** What the worker counts of all its writers. */
  readonly tally: WriterTally;
}

/** What is the matter with the store, as one writer has found it. */
export interface Trouble {
  readonly state: "down" | "broken";
  readonly error: PlainError;
  readonly since: number;
  readonly nextTryAt: number | null;
}

/** An owned partition. */
export class OwnedPartition {
  readonly #parts: OwnedParts;
  readonly #store: PartitionStore;
  readonly #freshness: Freshness;
  readonly #acknowledged: Acknowledged;
  readonly #queue: KeeperQueue;
  readonly #guard = new BaseGuard();
  readonly #compaction: Compaction;
  readonly #writer: Writer;
  #paused: boolean;
  #isOpen = false;
  #leaving = false;
  #ended = false;
  #generation = 0;
  #trouble: Trouble | null = null;
  #counts = { batches: 0, rows: 0, coalesced: 0, retries: 0, lastCommitMs: null as number | null };

  constructor(parts: OwnedParts) {
    const { keeper, host, fleet, claim, shared, poll, options, paused } = parts;
    const { clock, random } = host;
    this.#parts = parts;
    this.#paused = paused;
    const lost = (): void => this.#lost();
    const aimed = (): void => this.#guard.readDone();
    this.#store = new PartitionStore({ shared, keeper, clock, claim, leaseMs: options.leaseMs, lost, aimed });
    this.#freshness = new Freshness(parts.routing, options.cacheTtlMs);
    this.#acknowledged = new Acknowledged({
      keeper,
      claim,
      clock,
      random,
      retry: options,
      retain: { bytes: options.retainBytes / fleet.partitions, ms: options.retainMs },
      freshness: this.#freshness,
      generation: () => this.#generation,
      parked: () => changeOfOverlay(this.#writer.parked),
      lost,
    });
    const { partition } = claim;
    const logId = logIdOf(fleet.id, partition);
    const [acknowledged, guard] = [this.#acknowledged, this.#guard];
    const queue = new KeeperQueue({ keeper, partition, logId, poll, acknowledged, guard });
    this.#queue = queue;
    const composed = (): void => acknowledged.forgetRead();
    this.#compaction = new Compaction({ keeper, claim, clock, guard, wanted: () => this.#isStuck(), composed });
    const report = (each: WriterReport): void => this.#hear(each);
    const { others } = parts;
    this.#writer = new Writer({ store: this.#store, queue, logId, clock, random, options, paused, others, report });
    this.#writer.ended.catch((error: unknown) => {
      if (!this.#ended) parts.faulted(error);
    });
  }

  get claim(): Claim {
    return this.#parts.claim;
  }

  /** Resolves when nothing of it is under way any more. */
  get ended(): Promise<void> {
    return this.#writer.ended.catch(() => {});
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  /** What is the matter with the store; null: nothing, or it is not the store's. */
  get storeTrouble(): Trouble | null {
    return this.#trouble !== null && isOfStore(this.#trouble.error) ? this.#trouble : null;
  }

  report(): PartitionReport {
    const { partition } = this.#parts.claim;
    return { partition, state: this.#state(), error: this.#trouble?.error ?? null, ...this.#counts };
  }

  /** Does not wait for company until this sequence is stored. */
  hurry(upTo: number): void {
    this.#writer.hurry(upTo);
  }

  /** Does what operators have asked for. */
  async obey(): Promise<void> {
    try {
      for (const { id, text } of await this.#parts.keeper.orders(this.#parts.claim)) void this.#answer(id, text);
    } catch (error) {
      // They are asked for again with the next beat. What Redis says to a script of ours is a fault, and is told.
      if (!(error instanceof WriteBehindError)) this.#parts.warn(`orders cannot be taken: ${String(error)}`);
    }
  }

  async #answer(id: string, text: string): Promise<void> {
    const answer = await answerTo(this.#writer, text);
    // Who has asked may look at status next.
    await this.#parts.tell().catch(() => {});
    await this.#parts.keeper.answer(id, JSON.stringify(answer)).catch(() => {});
  }

  pause(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    if (paused) void this.#writer.pause();
    else this.#writer.resume();
  }

  /** What was kept of the committed log long enough goes. */
  trim(): void {
    this.#acknowledged.trim();
  }

  /** Finishes the run in hand, tells the keeper, and gives the partition back; what has not ended then is given up. */
  async giveBack(deadlineMs: number): Promise<void> {
    this.#leaving = true;
    const { clock } = this.#parts.host;
    const done = this.#writer.stop().then(() => this.#acknowledged.settled());
    await within(clock, deadlineMs, done);
    if (this.#ended) return;
    this.#end();
    await within(clock, deadlineMs, this.#parts.keeper.release(this.#parts.claim));
  }

  /** The partition is another worker's: nothing more is said or written of it. */
  giveUp(): void {
    this.#end();
    void this.#writer.stop().catch(() => {});
  }

  #lost(): void {
    if (this.#ended) return;
    this.giveUp();
    this.#parts.lost();
  }

  #end(): void {
    this.#ended = true;
    this.#compaction.close();
    this.#store.giveUp();
    this.#acknowledged.close();
    this.#parts.poll.forget(this.#queue);
  }

  #state(): PartitionReport["state"] {
    if (this.#leaving) return "leaving";
    if (this.#trouble !== null) return this.#trouble.state === "broken" ? "broken" : "retrying";
    if (!this.#isOpen) return "opening";
    return this.#paused ? "paused" : "running";
  }

  #hear(report: WriterReport): void {
    if (this.#ended) return;
    const { warn, claim } = this.#parts;
    switch (report.type) {
      case "opened":
        this.#isOpen = true;
        this.#acknowledged.opened(report.position, changeOfOverlay(report.parked));
        this.#parts.changed();
        return;
      case "generation":
        this.#generation = report.generation;
        return;
      case "committed":
        this.#count(report.report.changes, report.report.records, report.report.commitMs);
        this.#parts.tally.committed(report.report.commitMs);
        if (report.parked !== null) this.#acknowledged.reachedParking(changeOfReport(report.parked));
        return;
      case "unparked":
        this.#acknowledged.parked(changeOfUnparked(report));
        return;
      case "retry":
        this.#counts.retries++;
        this.#parts.tally.failed(report.error, false);
        this.#inTrouble("down", report.error, this.#now() + report.delayMs);
        return;
      case "broken":
        this.#parts.tally.failed(report.error, true);
        this.#inTrouble("broken", report.error, this.#now() + this.#parts.options.retryMaxMs);
        return;
      case "up":
        this.#trouble = null;
        return;
      case "warning":
        warn(`partition ${claim.partition}: ${report.text}`);
        break;
      case "tables":
        this.#freshness.found(report.tables);
    }
  }

  /** Whether the store takes nothing, and not only for a moment. */
  #isStuck(): boolean {
    if (this.#ended || !this.#acknowledged.idle) return false;
    const trouble = this.storeTrouble;
    return (trouble !== null && this.#now() - trouble.since >= stuckMs) || this.#store.silentMs >= silentMs;
  }

  #inTrouble(state: Trouble["state"], error: PlainError, nextTryAt: number): void {
    this.#guard.readDone();
    const isNew = this.#trouble?.state !== state;
    this.#trouble = { state, error, since: this.#trouble?.since ?? this.#now(), nextTryAt };
    if (isNew) this.#parts.changed();
  }

  #count(changes: number, rows: number, lastCommitMs: number): void {
    const { batches, coalesced } = this.#counts;
    this.#counts = {
      ...this.#counts,
      batches: batches + 1,
      rows: this.#counts.rows + rows,
      coalesced: coalesced + Math.max(0, changes - rows),
      lastCommitMs,
    };
  }

  #now(): number {
    return this.#parts.host.clock.now();
  }
}

/** Whether an error is not of the queue. */
function isOfStore({ code }: PlainError): boolean {
  return code !== "CACHE_DOWN" && code !== "QUEUE_MISMATCH" && code !== "UNKNOWN";
}
