/**
 * Promise 3: the database never goes back to an older value of a record. What it holds over time, record by record, is
 * a subsequence of what was written, in order, and ends in the last value.
 */
import type { Bytes } from "../../src/bytes.js";
import type { RecordValue } from "../../src/change.js";
import type { Commit } from "../database.js";
import { textOf } from "../operation.js";
import { ModelChecker, Violation, type Rest } from "./checker.js";

const promise = "3 order per record";

export class OrderPerRecord extends ModelChecker {
  readonly promise = promise;
  /** For each record the version that the database holds, at the least: its place in the model's list. */
  readonly #reached = new Map<Bytes, number>();

  committed({ rows, batch }: Commit): void {
    for (const record of batch.clear ? rows.keys() : batch.rows.keys())
      this.#follow(record, textOf(rows.get(record) ?? null));
  }

  atRest({ rows }: Rest): void {
    const { model } = this.parts;
    for (const [record, at] of this.#reached) {
      const newest = model.versions(record).length - 1;
      const holds = rows.get(record) ?? null;
      if (at === newest || textOf(holds) === textOf(model.newest(record)) || holds === null) continue;
      // One that had ended when it was removed needed no change: whether its row may still be there, promise 6 knows.
      if (model.newest(record) === null && holds.expiresAt !== null) continue;
      throw new Violation(promise, `at rest the history of ${record} ends in version ${at} of ${newest}`);
    }
  }

  givenUp(records: readonly Bytes[]): void {
    for (const record of records) this.#reached.delete(record);
  }

  wentBack(): void {
    this.#reached.clear();
  }

  #follow(record: Bytes, holds: string): void {
    const versions = this.parts.model.versions(record);
    const from = this.#reached.get(record) ?? 0;
    if (from === 0 && holds === textOf(null)) return;
    // What has ended may be swept; when it may, promise 4 knows.
    const fits = (value: RecordValue | null): boolean =>
      textOf(value) === holds || (holds === textOf(null) && (value?.expiresAt ?? null) !== null);
    const at = versions.findIndex((version, index) => index >= from && fits(version.value));
    if (at === -1) {
      const older = versions.findLast((version) => textOf(version.value) === holds);
      const what = older === undefined ? "which nobody wrote" : `which is older: frame ${older.sequence}`;
      throw new Violation(promise, `the database now holds ${holds} for ${record}, ${what}`);
    }
    this.#reached.set(record, at);
  }
}
