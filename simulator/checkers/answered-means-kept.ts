/**
 * Promise 1: once a write is answered, no crash loses it that the level of durability covers. And the second half of
 * promise 2: what a reply has shown is never taken back by such a crash, whoever wrote it.
 */
import { ModelChecker, Violation, type Ending, type Invocation } from "./checker.js";

const promise = "1 answered means kept";

export class AnsweredMeansKept extends ModelChecker {
  readonly promise = promise;
  /** Up to here clients have seen replies. */
  #shown = 0;
  /** Up to here somebody was told "on disk", or it is in the database. */
  #durable = 0;

  answered({ shows }: Invocation): void {
    this.#shown = Math.max(this.#shown, shows);
  }

  toldDurable(sequence: number): void {
    this.#durable = Math.max(this.#durable, sequence);
  }

  committed({ batch }: { readonly batch: { readonly to: { readonly sequence: number } } }): void {
    this.#durable = Math.max(this.#durable, batch.to.sequence);
  }

  opened(recovered: number, ending: Ending): void {
    const { model } = this.parts;
    const least = this.#least(ending);
    if (recovered < least) {
      throw new Violation(promise, `after ${ending} the queue ends at ${recovered}, but must reach ${least}`);
    }
    if (recovered > model.last) {
      throw new Violation(promise, `the queue ends at ${recovered}, but only ${model.last} frames were ever accepted`);
    }
  }

  resumed(recovered: number): void {
    this.#shown = Math.min(this.#shown, recovered);
    this.#durable = Math.min(this.#durable, recovered);
  }

  /** What must still be there. */
  #least(ending: Ending): number {
    const { engine, model } = this.parts;
    const { durability } = engine;
    const covered = durability === "disk" || (durability === "os" && ending === "kill");
    if (ending === "close") return model.last;
    // Nothing can say of the last frame whether it was torn or damaged.
    if (ending === "rot") return model.last - 1;
    return covered ? Math.max(this.#shown, this.#durable) : this.#durable;
  }
}
