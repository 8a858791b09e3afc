/** What a worker tells of itself, as lines of the log: each thing once, when it changes. */
import type { PlainError } from "../errors.js";
import type { PartitionReport, WorkerReport } from "../redis/worker/report.js";
import type { WorkerTold } from "../redis/worker/worker-messages.js";
import type { Log } from "./log.js";
import { counted, duration } from "./output.js";

/** The log of one worker. */
export class WorkerLog {
  /** Partitions that it owns, as it said last. */
  partitions: readonly number[] = [];
  readonly #log: Log;
  readonly #ended: () => void;
  #store: WorkerReport["store"] | null = null;
  #error: string | null = null;
  #broken = new Map<number, string>();

  /** `ended`: called where it cannot run until a person has mended something. */
  constructor(log: Log, ended: () => void) {
    this.#log = log;
    this.#ended = ended;
  }

  /** Hears what it tells. */
  readonly hear = (told: WorkerTold): void => {
    if (told.type === "warning") this.#log.warn({ event: "warning" }, told.text);
    else if (told.type === "failed") this.#failed(told.error);
    else this.#report(told.report);
  };

  #failed(error: PlainError): void {
    this.#say(error);
    if (error.code === "CONFIG" || error.code === "DRIVER_MISSING") this.#ended();
  }

  #report(report: WorkerReport): void {
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

  #storeIs(store: WorkerReport["store"]): void {
    const before = this.#store;
    this.#store = store;
    if (before?.state === store.state || (before === null && store.state === "up")) return;
    if (store.state === "up") {
      const downMs = before === null ? 0 : Math.max(0, Date.now() - before.since);
      this.#log.info({ event: "storeUp", downMs }, `the database is up again after ${duration(downMs)}`);
      return;
    }
    const { code, message } = store.error ?? { code: "UNKNOWN", message: "unknown" };
    const what = store.state === "down" ? "down" : "not as it must be";
    this.#log.warn({ event: "storeDown", code }, `the database is ${what}: ${message}; the queue keeps every change`);
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
