/** What a worker tells of itself, as lines of the log: each thing once, when it changes. */
import type { PlainError } from "../errors.js";
import type { PartitionReport, WorkerReport } from "../redis/worker/report.js";
import type { WorkerTold } from "../redis/worker/worker-messages.js";
import type { Clock } from "../host/host.js";
import type { Logger } from "../log/logger.js";
import { Outages, type Backlog } from "../log/outages.js";
import { counted } from "./output.js";

/** What it works with. */
export interface WorkerLogParts {
  readonly log: Logger;
  readonly clock: Clock;
  /** Where the fleet's queue is. */
  readonly place: string;
  /** Called where it cannot run until a person has mended something. */
  readonly ended: () => void;
}

/** The log of one worker. */
export class WorkerLog {
  /** Partitions that it owns, as it said last. */
  partitions: readonly number[] = [];
  /** Asks what is pending in the fleet; null until it can be asked. */
  backlog: (() => Promise<Backlog>) | null = null;
  readonly #log: Logger;
  readonly #ended: () => void;
  readonly #outages: Outages;
  #report: WorkerReport | null = null;
  #pending: Backlog | null = null;
  #asking = false;
  #error: string | null = null;
  #broken = new Map<number, string>();

  constructor({ log, clock, place, ended }: WorkerLogParts) {
    this.#log = log;
    this.#ended = ended;
    this.#outages = new Outages({
      logger: log,
      clock,
      look: () => ({ store: this.#store, queue: this.#pending, retries: this.#report?.totals.retries ?? 0 }),
      kept: () => `the queue in the Redis at ${place} keeps every change`,
    });
  }

  /** Hears what it tells. */
  readonly hear = (told: WorkerTold): void => {
    if (told.type === "warning") this.#log.warn({ event: "warning" }, told.text);
    else if (told.type === "failed") this.#failed(told.error);
    else this.#reported(told.report);
  };

  #failed(error: PlainError): void {
    this.#say(error);
    if (error.code === "CONFIG" || error.code === "DRIVER_MISSING") this.#ended();
  }

  /** Says no more. */
  end(): void {
    this.#outages.stop();
  }

  #reported(report: WorkerReport): void {
    this.#report = report;
    if (report.error !== null) this.#say(report.error);
    else if (this.#error !== null) {
      this.#error = null;
      this.#log.info({ event: "joined", worker: report.id }, "the worker is part of its fleet again");
    }
    this.#owns(report);
    this.#storeIs(report.store);
    for (const each of report.partitions) this.#stands(each);
  }

  /** Why it does not run. It is tried again and again; one word is enough. */
  #say({ code, message, hint }: PlainError): void {
    if (message === this.#error) return;
    this.#error = message;
    this.#log.error(
      { event: "failed", code },
      `the worker does not run: ${message}${hint === null ? "" : ` (${hint})`}`,
    );
  }

  #owns({ id, partitions }: WorkerReport): void {
    const owned = partitions.filter(({ state }) => state !== "leaving").map(({ partition }) => partition);
    if (owned.join() === this.partitions.join()) return;
    this.partitions = owned;
    const which = owned.length === 0 ? "" : `: ${owned.join(", ")}`;
    this.#log.info(
      { event: "partitions", worker: id, partitions: owned },
      `worker ${id} writes ${counted(owned.length, "partition")}${which}`,
    );
  }

  get #store() {
    const { store } = this.#report ?? {};
    return store === undefined ? null : { ...store, error: store.error?.message ?? null };
  }

  /** While the database is away it is asked what that costs; before and afterwards nobody need know. */
  #storeIs({ state }: WorkerReport["store"]): void {
    this.#outages.look();
    if (state === "up" || this.#asking || this.backlog === null) return;
    this.#asking = true;
    void this.backlog()
      .then((pending) => (this.#pending = pending))
      .catch(() => null)
      .finally(() => (this.#asking = false));
  }

  /** A partition of which nothing is written until a person acts. */
  #stands({ partition, state, error }: PartitionReport): void {
    const why = state === "broken" && error !== null && error.code === "QUEUE_MISMATCH" ? error.message : null;
    if (why === (this.#broken.get(partition) ?? null)) return;
    if (why === null) {
      this.#broken.delete(partition);
      this.#log.info({ event: "mended", partition }, `partition ${partition} is written again`);
      return;
    }
    this.#broken.set(partition, why);
    const hint = error?.hint ?? null;
    this.#log.error(
      { event: "broken", partition },
      `partition ${partition} stands still: ${why}${hint === null ? "" : ` (${hint})`}`,
    );
  }
}
