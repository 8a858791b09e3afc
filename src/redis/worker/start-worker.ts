/**
 * Where a worker runs: a store that a thread can make gets a thread of its own, a plain object stays on the caller's. A
 * thread that dies is started again: the database's positions say where it goes on.
 */
import { plainError } from "../../errors.js";
import type { Host, Thread, Timer } from "../../host/host.js";
import type { Store, StoreDescriptor } from "../../store/store.js";
import { retryDelayMs } from "../../writer/retry.js";
import { endMs } from "../../writer/writer-handle.js";
import type { WorkerReport } from "./report.js";
import { WorkerHere } from "./worker-here.js";
import type {
  FromWorker,
  ToWorker,
  WorkerHandle,
  WorkerSetup,
  WorkerThreadData,
  WorkerTold,
} from "./worker-messages.js";

/** Starts a worker. Nothing is told before the caller's synchronous step is over. */
export function startWorker(
  host: Host,
  setup: WorkerSetup,
  store: Store | StoreDescriptor,
  tell: (told: WorkerTold) => void,
): WorkerHandle {
  if ("commit" in store) return new WorkerHere(host, setup, store, tell);
  return new WorkerOnThread(host, { ...setup, store }, tell);
}

/** A worker on a thread of its own. */
class WorkerOnThread implements WorkerHandle {
  readonly #host: Host;
  readonly #data: WorkerThreadData;
  readonly #tell: (told: WorkerTold) => void;
  /** Null between the death of a thread and the start of the next. */
  #thread: Thread<ToWorker, FromWorker> | null = null;
  #restart: Timer | null = null;
  /** Threads that died in a row without a beat. */
  #deaths = 0;
  #stopping: Promise<boolean> | null = null;
  #tellStopped: (() => void) | null = null;
  report: WorkerReport | null = null;

  constructor(host: Host, data: WorkerThreadData, tell: (told: WorkerTold) => void) {
    this.#host = host;
    this.#data = data;
    this.#tell = tell;
    this.#start();
  }

  stop(deadlineMs: number): Promise<boolean> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<boolean> {
    this.#restart?.cancel();
    const thread = this.#thread;
    if (thread === null) return true;
    await this.#within(deadlineMs + endMs, (resolve) => {
      this.#tellStopped = resolve;
      thread.post({ type: "stop", deadlineMs });
    });
    this.#thread = null;
    // Nothing hangs (promise 8): a commit may be stuck in the driver, and its thread with it.
    return this.#within(endMs, (resolve) => void thread.terminate().then(resolve));
  }

  /** Whether it is done in time. */
  #within(ms: number, begin: (resolve: () => void) => void): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#host.clock.after(ms, () => resolve(false), true);
      begin(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  #start(): void {
    const url = new URL("./worker-thread.js", import.meta.url).href;
    const thread = this.#host.threads.start<ToWorker, FromWorker>(url, this.#data);
    this.#thread = thread;
    thread.receive((message) => {
      if (this.#thread === thread) this.#hear(message);
    });
    thread.ended((error) => {
      if (this.#thread === thread) this.#died(error);
    });
  }

  #hear(message: FromWorker): void {
    if (message.type === "stopped") return this.#tellStopped?.();
    if (message.type === "report") {
      this.#deaths = 0;
      this.report = message.report;
    }
    return this.#tell(message);
  }

  #died(error: Error | null): void {
    this.#thread = null;
    if (this.#stopping !== null) return this.#tellStopped?.();
    this.#deaths++;
    const { clock, random } = this.#host;
    const why = error === null ? "" : `: ${error.message}`;
    this.#tell({ type: "failed", error: plainError(new Error(`the worker's thread ended${why}`)) });
    const delayMs = retryDelayMs(this.#deaths, random.number(), false, this.#data.options);
    this.#restart = clock.after(delayMs, () => this.#start());
    return undefined;
  }
}
