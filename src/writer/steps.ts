/** Those who asked for one run now. Each gets a run of its own, in the order in which they asked. */
import type { WriteBehindError } from "../errors.js";
import type { BatchReport } from "../events.js";

interface Step {
  readonly resolve: (report: BatchReport | null) => void;
  readonly reject: (error: WriteBehindError) => void;
}

/** The steps of one writer. */
export class Steps {
  readonly #waiting: Step[] = [];
  /** The one whose run is under way. */
  #running: Step | null = null;

  /** Whether somebody waits for a run. */
  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether the run that is under way is somebody's. */
  get running(): boolean {
    return this.#running !== null;
  }

  /** One more. */
  add(): Promise<BatchReport | null> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The run that begins now is for the first who waits, if anybody does. */
  begin(): void {
    this.#running = this.#waiting.shift() ?? null;
  }

  /** The run has ended; null: there was nothing to do. */
  succeed(report: BatchReport | null): void {
    this.#running?.resolve(report);
    this.#running = null;
  }

  /** The run has failed, or could not even begin: that was the first one's turn. */
  fail(error: WriteBehindError): void {
    (this.#running ?? this.#waiting.shift())?.reject(error);
    this.#running = null;
  }

  /** There will be no more runs. */
  failAll(error: WriteBehindError): void {
    this.fail(error);
    for (const step of this.#waiting.splice(0)) step.reject(error);
  }
}
