/**
 * Promise 6: kept until it succeeds. Nobody says that something is in the database before it is there (what is said to
 * be there may be forgotten), and in calm all of it gets there.
 */
import type { Bytes } from "../../../src/bytes.js";
import type { RecordValue } from "../../../src/change.js";
import { partitionOf } from "../../../src/redis/partition.js";
import { isBefore, type FleetFrame } from "../../fleet/fleet-model.js";
import { textOf } from "../../operation.js";
import { Violation } from "../checker.js";
import { FleetModelChecker, type FleetRest, type PartitionLook } from "./fleet-checker.js";

const promise = "6 kept until it succeeds";

export class FleetKept extends FleetModelChecker {
  readonly promise = promise;
  /** The highest sequence that the database has had of each partition. */
  readonly #highest = new Map<number, number>();
  #forgiving = false;
  #keeperWentBack = false;

  committed({ batch }: { readonly batch: { readonly to: { readonly sequence: number } } }, partition: number): void {
    this.#highest.set(partition, Math.max(this.#highest.get(partition) ?? 0, batch.to.sequence));
  }

  stepped(partition: number, before: PartitionLook, after: PartitionLook): void {
    const highest = this.#highest.get(partition) ?? 0;
    const said = Math.max(
      after.stored > before.stored ? after.stored : 0,
      after.settled > before.settled ? after.settled : 0,
    );
    if (said > highest)
      throw new Violation(
        promise,
        `partition ${partition} is said to be stored up to ${said}, and is up to ${highest}`,
      );
  }

  databaseWentBack(): void {
    this.#forgiving = true;
  }

  keeperWentBack(): void {
    this.#forgiving = this.#keeperWentBack = true;
  }

  toldStored(heads: readonly (FleetFrame | null)[]): void {
    if (this.#forgiving) return;
    const { model, database } = this.parts;
    for (const [partition, head] of heads.entries()) {
      const position = database.position(partition);
      const is = position === null ? undefined : model.frame(position);
      if (head !== null && (is === undefined || !isBefore(head, is))) {
        throw new Violation(promise, `a flush is over, and frame ${head.position.sequence} is not in the database`);
      }
    }
  }

  atRest({ mismatched, looks }: FleetRest): void {
    const { model, database, options } = this.parts;
    for (const [partition, head] of model.heads.entries()) {
      if (mismatched.has(partition)) continue;
      const { pendingRecords, bytes } = looks[partition] as PartitionLook;
      if (pendingRecords > 0 && !this.#keeperWentBack)
        throw new Violation(promise, `at rest ${pendingRecords} records are pending`);
      if (bytes > 0 && !this.#keeperWentBack)
        throw new Violation("10 it can be seen", `at rest ${bytes} bytes are pending`);
      for (const [record, value] of head?.state ?? []) {
        if (partitionOf(record, options.partitions) === partition)
          compare(record, value, database.rows.get(record) ?? null);
      }
    }
  }
}

function compare(record: Bytes, value: RecordValue | null, is: RecordValue | null): void {
  if (textOf(is) === textOf(value)) return;
  // What has ended may be there or not.
  if (is === null && (value?.expiresAt ?? null) !== null) return;
  if (value === null && (is?.expiresAt ?? null) !== null) return;
  throw new Violation(promise, `at rest the database holds ${textOf(is)} for ${record}, and not ${textOf(value)}`);
}
