/**
 * A writer on a thread of its own, seen from the thread that answers clients. Where the thread dies it is started
 * again: the writer goes on from the position in the store, so nothing is lost and nothing is written twice.
 */
import { errorOfPlain, plainError, WriteBehindError, type PlainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Host, Thread, Timer } from "../host/host.js";
import type {
  DeadLetterPage,
  FromWriter,
  LetterIds,
  LetterOutcome,
  ToWriter,
  WriterAnswers,
  WriterOrder,
  WriterThreadData,
} from "./messages.js";
import { retryDelayMs } from "./retry.js";
import { endMs, stopDeadlineMs, tell, type WriterHandle, type WriterReports } from "./writer-handle.js";

type WriterThread = Thread<ToWriter, FromWriter>;

interface Call {
  readonly order: WriterOrder["type"];
  readonly resolve: (answer: WriterAnswers[keyof WriterAnswers]) => void;
  readonly reject: (error: WriteBehindError) => void;
}

/** A writer's thread. */
export class WriterOnThread implements WriterHandle {
  readonly #host: Host;
  readonly #data: WriterThreadData;
  readonly #reports: WriterReports;
  /** Null between the death of a thread and the start of the next. */
  #thread: WriterThread | null = null;
  #restart: Timer | null = null;
  #paused: boolean;
  #hurryUpTo = 0;
  #everOpen = false;
  /** Threads that died in a row without having opened the store. */
  #deaths = 0;
  #diedAt: number | null = null;
  #lastId = 0;
  readonly #calls = new Map<number, Call>();
  #stopping: Promise<boolean> | null = null;
  #tellStopped: (() => void) | null = null;

  constructor(host: Host, data: WriterThreadData, reports: WriterReports) {
    this.#host = host;
    this.#data = data;
    this.#reports = reports;
    this.#paused = data.paused;
    this.#start();
  }

  hurry(upTo: number): void {
    this.#hurryUpTo = Math.max(this.#hurryUpTo, upTo);
    this.#thread?.post({ type: "hurry", upTo: this.#hurryUpTo });
  }

  lookAtStore(): void {
    this.#thread?.post({ type: "lookAtStore" });
  }

  async pause(): Promise<void> {
    this.#paused = true;
    // Without a thread the writer stands still already; the next thread starts paused.
    if (this.#thread !== null) await this.#call({ type: "pause" });
  }

  resume(): void {
    this.#paused = false;
    this.#thread?.post({ type: "resume" });
  }

  step(): Promise<BatchReport | null> {
    return this.#order({ type: "step" });
  }

  deadLetters(limit: number, after: string | null): Promise<DeadLetterPage> {
    return this.#order({ type: "list", limit, after });
  }

  retryDeadLetters(ids: LetterIds): Promise<readonly LetterOutcome[]> {
    return this.#order({ type: "retry", ids });
  }

  discardDeadLetters(ids: LetterIds, behind: boolean): Promise<readonly LetterOutcome[]> {
    return this.#order({ type: "discard", ids, behind });
  }

  stop(deadlineMs = stopDeadlineMs): Promise<boolean> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<boolean> {
    this.#restart?.cancel();
    const thread = this.#thread;
    let ended = true;
    if (thread !== null) {
      await new Promise<void>((resolve) => {
        const timer = this.#host.clock.after(deadlineMs, resolve, true);
        this.#tellStopped = () => {
          timer.cancel();
          resolve();
        };
        thread.post({ type: "stop" });
      });
      this.#thread = null;
      ended = await this.#end(thread);
    }
    this.#endCalls("the writer is stopped");
    return ended;
  }

  /** Nothing hangs (promise 8): a commit may be stuck in the driver, and its thread with it. */
  #end(thread: WriterThread): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#host.clock.after(endMs, () => resolve(false), true);
      void thread.terminate().then(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  #start(): void {
    this.#restart = null;
    const data: WriterThreadData = { ...this.#data, paused: this.#paused };
    const url = new URL("./writer-thread.js", import.meta.url).href;
    const thread = this.#host.threads.start<ToWriter, FromWriter>(url, data);
    this.#thread = thread;
    thread.receive((message) => {
      // What a thread said before it died is history: the next one tells anew.
      if (this.#thread === thread) this.#hear(thread, message);
    });
    thread.ended((error) => {
      if (this.#thread === thread) this.#died(error);
    });
    if (this.#hurryUpTo > 0) thread.post({ type: "hurry", upTo: this.#hurryUpTo });
  }

  #hear(thread: WriterThread, message: FromWriter): void {
    switch (message.type) {
      case "ask":
        return this.#reports.waiting(message.sequence, (waiting) => {
          if (this.#thread === thread) thread.post({ type: "waiting", sequence: message.sequence, waiting });
        });
      case "mark":
        return this.#answerMark(thread);
      case "done":
        return this.#take(message.id)?.resolve(message.answer);
      case "failed":
        return this.#take(message.id)?.reject(errorOfPlain(message.error));
      case "stopped":
        return this.#tellStopped?.();
      case "opened":
        this.#everOpen = true;
        this.#deaths = 0;
        tell(this.#reports, message);
        if (this.#diedAt !== null) this.#reports.up(this.#host.clock.monotonic() - this.#diedAt);
        this.#diedAt = null;
        return undefined;
      case "retry":
      case "broken":
        return tell(this.#reports, { ...message, opening: message.opening && !this.#everOpen });
      case "generation":
      case "committed":
      case "unparked":
      case "up":
      case "warning":
        return tell(this.#reports, message);
    }
  }

  #answerMark(thread: WriterThread): void {
    const answer = (message: ToWriter): void => {
      if (this.#thread === thread) thread.post(message);
    };
    this.#reports.durableMark().then(
      (sequence) => answer({ type: "durable", sequence }),
      (error: unknown) => answer({ type: "journalFailed", error: plainError(error) }),
    );
  }

  #order<Order extends WriterOrder>(order: Order): Promise<WriterAnswers[Order["type"]]> {
    if (this.#thread === null || this.#stopping !== null)
      return Promise.reject(noThread("the writer's thread is not running"));
    return this.#call(order);
  }

  #call<Order extends WriterOrder>(order: Order): Promise<WriterAnswers[Order["type"]]> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      // The far end answers an order with what WriterAnswers names for it.
      this.#calls.set(id, { order: order.type, resolve: resolve as Call["resolve"], reject });
      this.#thread?.post({ type: "order", id, order });
    });
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  #died(error: Error | null): void {
    this.#thread = null;
    if (this.#stopping !== null) {
      this.#tellStopped?.();
      return;
    }
    const { clock, random } = this.#host;
    this.#deaths++;
    this.#diedAt ??= clock.monotonic();
    const delayMs = retryDelayMs(this.#deaths, random.number(), false, this.#data.options);
    const message = `the writer's thread ended${error === null ? "" : `: ${error.message}`}`;
    this.#endCalls(message);
    const plain: PlainError = { code: "UNKNOWN", message, hint: "it is started again; the queue keeps every change" };
    this.#reports.retry(plain, this.#deaths, delayMs, !this.#everOpen);
    this.#restart = clock.after(delayMs, () => this.#start());
  }

  /** A writer that is not there stands still, and steps no more. */
  #endCalls(why: string): void {
    for (const call of this.#calls.values()) {
      if (call.order === "pause") call.resolve(null);
      else call.reject(noThread(why));
    }
    this.#calls.clear();
  }
}

function noThread(why: string): WriteBehindError {
  return new WriteBehindError("UNKNOWN", `${why}: it is not known whether the run was committed`, {
    hint: "see status; the position in the database tells the writer",
  });
}
