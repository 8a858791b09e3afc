/**
 * Promise 9: stopping tells the truth. It ends within its deadline; "drained" means that the database has everything;
 * else it says how much is left, and where. That all of it is there at the next start is promise 1's.
 */
import { ModelChecker, Violation, type Closing } from "./checker.js";

const promise = "9 stopping tells the truth";

/** Writer and reader may each take so long to let go of the database, at the least. */
const partMsMin = 1000;
/** So many calls of a slow disk close the files. */
const diskCalls = 300;
/** In calm a drain needs no longer. */
const drainMs = 5000;

export class StoppingTellsTheTruth extends ModelChecker {
  readonly promise = promise;
  #stored = 0;

  committed({ batch }: { readonly batch: { readonly to: { readonly sequence: number } } }): void {
    this.#stored = Math.max(this.#stored, batch.to.sequence);
  }

  opened(recovered: number): void {
    this.#stored = Math.min(this.#stored, recovered);
  }

  closed({ report, tookMs, calm }: Closing): void {
    const { model, engine, diskMs } = this.parts;
    const { drained, pendingChanges, leftIn } = report;
    const left = model.last - this.#stored;
    if (pendingChanges < left || drained !== (pendingChanges === 0)) {
      throw new Violation(
        promise,
        `it said drained: ${drained}, ${pendingChanges} changes left; ${left} frames are not stored`,
      );
    }
    if ((leftIn === null) !== drained || leftIn?.includes(engine.data) === false) {
      throw new Violation(promise, `of ${pendingChanges} changes it said that they are in: ${leftIn}`);
    }
    const most = Math.max(2 * engine.closeMs, engine.closeMs + 2 * partMsMin) + diskCalls * diskMs;
    if (tookMs > most) throw new Violation(promise, `stopping took ${tookMs} ms, at most ${most} were given`);
    if (calm && !drained && engine.closeMs >= drainMs) {
      throw new Violation(promise, `nothing failed, and yet ${pendingChanges} changes were left`);
    }
  }
}
