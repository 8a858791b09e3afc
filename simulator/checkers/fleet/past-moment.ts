/**
 * Promise 4, per partition: after every commit the records of the partition are in the database as they were after the
 * frame of its position, what is parked laid over their rows. Promise 5: a commit goes on exactly where the last one
 * ended, in the same history; nothing of a history that has parted is laid over another one.
 */
import type { Bytes } from "../../../src/bytes.js";
import { partitionOf } from "../../../src/redis/partition.js";
import { withParked, type Commit } from "../../database.js";
import { isBefore, type FleetFrame } from "../../fleet/fleet-model.js";
import { textOf } from "../../operation.js";
import { Violation } from "../checker.js";
import { FleetModelChecker } from "./fleet-checker.js";

const promise = "4 a past moment";

export class FleetPastMoment extends FleetModelChecker {
  readonly promise = promise;
  #sweptUpTo = 0;

  committed(commit: Commit, partition: number): void {
    const { batch, rows } = commit;
    const { sequence } = batch.to;
    this.#sweptUpTo = Math.max(this.#sweptUpTo, batch.sweepUpTo ?? 0);
    const frame = this.#frame(commit, partition);
    if (frame === null) return;
    const { model, options } = this.parts;
    if (batch.expected !== null && batch.expected.sequence > 0) {
      const from = model.frame(batch.expected);
      if (from === undefined || !isBefore(from, frame)) {
        throw new Violation("5 once", `frame ${sequence} of partition ${partition} goes on from another history`);
      }
    }
    for (const record of new Set([...frame.state.keys(), ...rows.keys()])) {
      if (partitionOf(record, options.partitions) === partition) this.#compare(commit, record, frame);
    }
  }

  #frame({ batch }: Commit, partition: number): FleetFrame | null {
    const { to } = batch;
    if (to.sequence === 0) return null;
    const frame = this.parts.model.frame(to);
    if (frame !== undefined) return frame;
    throw new Violation(promise, `partition ${partition} in the database is at ${to.sequence}, which no log ever held`);
  }

  #compare(commit: Commit, record: Bytes, frame: FleetFrame): void {
    const should = frame.state.get(record) ?? null;
    const is = withParked(commit, record);
    if (textOf(is) === textOf(should)) return;
    const endedBy = Math.max(frame.at, this.#sweptUpTo);
    // One that has ended may be swept; a row of a parked one is not.
    if ((should?.expiresAt ?? Infinity) <= endedBy && (is?.expiresAt ?? 0) <= endedBy) return;
    if (should === null && (is?.expiresAt ?? Infinity) <= frame.at) return;
    const { sequence } = frame.position;
    throw new Violation(
      promise,
      `after the commit of ${sequence} the database holds for ${record}\n    ${textOf(is)}\n    should be ${textOf(should)}`,
    );
  }
}
