/**
 * Promise 5: every frame takes effect once. Positions only grow, each commit goes on exactly where the last one ended,
 * and its rows are those of its frames, no more and no fewer.
 */
import type { Bytes } from "../../src/bytes.js";
import type { Commit } from "../database.js";
import { ModelChecker, Violation } from "./checker.js";

const promise = "5 once";

export class Once extends ModelChecker {
  readonly promise = promise;
  #stored = 0;

  committed({ batch, parkedBefore }: Commit): void {
    const from = batch.expected?.sequence ?? 0;
    const to = batch.to.sequence;
    if (from !== this.#stored)
      throw new Violation(promise, `a commit goes on from ${from}, the database was at ${this.#stored}`);
    if (to < from) throw new Violation(promise, `a commit goes back from ${from} to ${to}`);
    if (batch.clear) {
      this.#stored = to;
      return;
    }
    const unparked = new Set<Bytes>();
    for (const id of batch.parking?.drop ?? []) {
      const group = parkedBefore.get(id);
      for (const { changes } of group?.letters ?? []) for (const { record } of changes) unparked.add(record);
      for (const record of group?.behind.keys() ?? []) unparked.add(record);
    }
    this.#compareRows(batch.rows, from, to, unparked);
    this.#stored = to;
  }

  wentBack(sequence: number): void {
    this.#stored = sequence;
  }

  /**
   * Every row of the batch belongs to a frame of the run, or to letters that are retried. (What is missing or wrong in
   * it, promise 4 sees.)
   */
  #compareRows(rows: ReadonlyMap<Bytes, unknown>, from: number, to: number, due: Set<Bytes>): void {
    for (let sequence = from + 1; sequence <= to; sequence++) {
      for (const record of this.parts.model.frame(sequence)?.effects.keys() ?? []) due.add(record);
    }
    for (const record of rows.keys()) {
      if (!due.has(record))
        throw new Violation(promise, `${record} is written by the run ${from + 1} to ${to}, which does not hold it`);
    }
  }
}
