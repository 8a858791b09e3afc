/** A writer on the caller's thread: for a store that is a plain object, and for worlds that have no threads. */
import { plainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Host } from "../host/host.js";
import type { Store } from "../store/store.js";
import type { DeadLetterPage, LetterIds, LetterOutcome, WriterOptions, WriterReport } from "./messages.js";
import { SideQueue, type FrameReader } from "./side-queue.js";
import { stopDeadlineMs, tell, type WriterHandle, type WriterReports } from "./writer-handle.js";
import { Writer } from "./writer.js";

/** What it is started with. */
export interface WriterHereSetup {
  readonly store: Store;
  readonly frames: () => Promise<FrameReader>;
  readonly logId: string;
  readonly paused: boolean;
  readonly options: WriterOptions;
}

/** A writer on the caller's thread. */
export class WriterHere implements WriterHandle {
  readonly #host: Host;
  readonly #queue: SideQueue;
  readonly #writer: Writer;
  #abandoned = false;

  constructor(host: Host, setup: WriterHereSetup, reports: WriterReports) {
    const { store, logId, paused, options } = setup;
    const { clock, random } = host;
    this.#host = host;
    this.#queue = new SideQueue(setup.frames, reports);
    const report = (each: WriterReport): void => {
      if (!this.#abandoned) tell(reports, each);
    };
    this.#writer = new Writer({ store, queue: this.#queue, logId, clock, random, options, paused, report });
    this.#writer.ended.catch((error: unknown) =>
      report({ type: "broken", error: plainError(error), opening: false, away: false }),
    );
  }

  hurry(upTo: number): void {
    this.#writer.hurry(upTo);
  }

  lookAtStore(): void {
    this.#writer.lookAtStore();
  }

  pause(): Promise<void> {
    return this.#writer.pause();
  }

  resume(): void {
    this.#writer.resume();
  }

  step(): Promise<BatchReport | null> {
    return this.#writer.step();
  }

  deadLetters(limit: number, after: string | null): Promise<DeadLetterPage> {
    return this.#writer.list(limit, after);
  }

  retryDeadLetters(ids: LetterIds): Promise<readonly LetterOutcome[]> {
    return this.#writer.settleLetters("retry", ids);
  }

  discardDeadLetters(ids: LetterIds, behind: boolean): Promise<readonly LetterOutcome[]> {
    return this.#writer.settleLetters(behind ? "discardBehind" : "discard", ids);
  }

  stop(deadlineMs = stopDeadlineMs): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#abandoned = true;
        resolve(true);
      };
      const timer = this.#host.clock.after(deadlineMs, end, true);
      this.#writer
        .stop()
        .then(() => this.#queue.close())
        .then(end, end);
    });
  }
}
