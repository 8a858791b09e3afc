/**
 * Promise 4: after every commit the database equals the cache as it was at one past moment. The moment is the position
 * of the commit, the cache is the model, and every record is compared, so a transaction is there whole or not at all.
 * Records that have ended by the log time of that moment may be there or swept; others are never swept.
 */
import type { Bytes } from "../../src/bytes.js";
import { withParked, type Commit } from "../database.js";
import { textOf } from "../operation.js";
import { ModelChecker, Violation } from "./checker.js";

const promise = "4 a past moment";

export class PastMoment extends ModelChecker {
  readonly promise = promise;
  #sweptUpTo = 0;
  #everParked = false;

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
    if (parked.size > 0) this.#everParked = true;
    for (const record of new Set([...model.records, ...rows.keys()])) this.#compare(commit, record, at);
  }

  #compare(commit: Commit, record: Bytes, at: number): void {
    const { sequence } = commit.batch.to;
    const should = this.parts.model.valueAt(record, sequence);
    // What is parked is on top of its row: the one exception, and nothing of it is dropped (promise 7).
    const is = commit.parked.size === 0 ? (commit.rows.get(record) ?? null) : withParked(commit, record);
    if (textOf(is) === textOf(should)) return;
    const endsAt = should?.expiresAt ?? null;
    if (is === null && endsAt !== null && endsAt <= this.#sweptUpTo) return;
    // A row of a parked record is not swept. That it has ended is said by its time; removing it then is no change.
    if (this.#everParked && should === null && (is?.expiresAt ?? Infinity) <= at) return;
    throw new Violation(
      promise,
      `after the commit of ${sequence} the database holds for ${record}\n    ${textOf(is)}\n    should be ${textOf(should)}`,
    );
  }
}
