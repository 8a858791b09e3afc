/**
 * Promise 6: the queue keeps it until it succeeds. When the faults have ended and some time has passed, nothing is
 * pending, and the database holds what the model holds. And who is told "stored" is told the truth.
 */
import { textOf } from "../operation.js";
import type { Commit } from "../database.js";
import { ModelChecker, Violation, type Rest } from "./checker.js";

const promise = "6 kept until it succeeds";

export class KeptUntilItSucceeds extends ModelChecker {
  readonly promise = promise;
  #stored = 0;
  #everParked = false;

  committed({ batch, parked }: Commit): void {
    if (parked.size > 0) this.#everParked = true;
    this.#stored = Math.max(this.#stored, batch.to.sequence);
  }

  toldStored(sequence: number): void {
    if (sequence <= this.#stored) return;
    throw new Violation(promise, `somebody was told that ${sequence} is in the database, which is at ${this.#stored}`);
  }

  atRest({ rows, stored, status }: Rest): void {
    const { model } = this.parts;
    if (stored !== model.last) throw new Violation(promise, `at rest the database is at ${stored} of ${model.last}`);
    const { pendingChanges, pendingRecords, pendingBytes } = status.queue;
    if (pendingChanges !== 0 || pendingRecords !== 0 || pendingBytes !== 0) {
      throw new Violation(
        promise,
        `at rest status shows ${pendingChanges} changes, ${pendingRecords} records, ${pendingBytes} bytes pending`,
      );
    }
    const at = model.frame(model.last)?.at ?? 0;
    for (const record of model.records) {
      const should = model.newest(record);
      const is = rows.get(record) ?? null;
      const ended = is === null && (should?.expiresAt ?? null) !== null;
      // The row of a record that was parked when it ended is swept later.
      const endedParked = this.#everParked && should === null && (is?.expiresAt ?? Infinity) <= at;
      if (ended || endedParked || textOf(is) === textOf(should)) continue;
      throw new Violation(
        promise,
        `at rest the database holds ${textOf(is)} for ${record}, should be ${textOf(should)}`,
      );
    }
  }
}
