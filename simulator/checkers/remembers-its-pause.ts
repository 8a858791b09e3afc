/** Promise 10, a small piece of it: a pause outlives a restart, whatever the crash was, and status says so. */
import type { Status } from "../../src/heart.js";
import { Violation, type Checker, type Ending } from "./checker.js";

const promise = "10 a pause is remembered";

export class RemembersItsPause implements Checker {
  readonly promise = promise;
  /** What an operator was told; null where it is not known. */
  #paused: boolean | null = false;
  #asked = 0;
  #overlapped = false;

  pausing(): void {
    this.#overlapped = this.#asked > 0;
    this.#asked++;
    this.#paused = null;
  }

  paused(paused: boolean): void {
    this.#asked--;
    // Of two requests at the same time either may have been the last.
    if (this.#asked === 0 && !this.#overlapped) this.#paused = paused;
  }

  opened(_recovered: number, ending: Ending, status: Status): void {
    // What is broken does not say whether it is paused.
    const isPaused = status.state === "broken" ? null : status.state === "paused";
    if (this.#paused !== null && isPaused !== null && isPaused !== this.#paused) {
      throw new Violation(
        promise,
        `after ${ending} status says ${status.state}, an operator was told paused: ${this.#paused}`,
      );
    }
    if (isPaused !== null || this.#asked > 0) this.#paused = isPaused;
    this.#asked = 0;
    this.#overlapped = false;
  }
}
