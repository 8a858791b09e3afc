/**
 * Promise 4: after every commit the database equals the cache as it was at one past moment. The moment is the position
 * of the commit, the cache is the model, and every record is compared, so a transaction is there whole or not at all.
 * Records that have ended by the log time of that moment may be there or swept; others are never swept.
 */
import { hasEnded, type RecordValue } from "../../src/change.js";
import { withParked, type Commit } from "../database.js";
import { textOf } from "../operation.js";
import { ModelChecker, Violation } from "./checker.js";

const promise = "4 a past moment";

export class PastMoment extends ModelChecker {
  readonly promise = promise;
  #sweptUpTo = 0;

  committed(commit: Commit): void {
    const { batch, rows, parked } = commit;
    const { model } = this.parts;
    const { sequence } = batch.to;
    const at = model.frame(sequence)?.at ?? 0;
    if (sequence > model.last) {
      throw new Violation(
        promise,
        `the database is ahead of the queue: at ${sequence}, the last frame is ${model.last}`,
      );
    }
    if (batch.sweepUpTo !== null && batch.sweepUpTo > at) {
      throw new Violation(promise, `swept up to ${batch.sweepUpTo}, but the log time of ${sequence} is ${at}`);
    }
    this.#sweptUpTo = Math.max(this.#sweptUpTo, batch.sweepUpTo ?? 0);
    for (const record of new Set([...model.records, ...rows.keys()])) {
      const should = model.valueAt(record, sequence);
      // What is parked is on top of its row: the one exception, and nothing of it is dropped (promise 7).
      const is = parked.size === 0 ? (rows.get(record) ?? null) : withParked(commit, record);
      if (textOf(is) === textOf(should) || this.#isSwept(is, should)) continue;
      // A delete of what has ended writes nothing: whoever reads it finds nothing, swept or (what is parked) not.
      if (should === null && hasEnded(is?.expiresAt ?? null, at)) continue;
      throw new Violation(
        promise,
        `after the commit of ${sequence} the database holds for ${record}\n    ${textOf(is)}\n    should be ${textOf(should)}`,
      );
    }
  }

  #isSwept(is: RecordValue | null, should: RecordValue | null): boolean {
    return is === null && hasEnded(should?.expiresAt ?? null, this.#sweptUpTo);
  }
}
