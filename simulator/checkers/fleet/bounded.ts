/** Promise 8: what is pending in a partition stays within its limits, and who is refused has waited for room. */
import { Violation, type Invocation } from "../checker.js";
import { FleetModelChecker, type PartitionLook } from "./fleet-checker.js";

const promise = "8 bounded, and honest about it";

export class FleetBounded extends FleetModelChecker {
  readonly promise = promise;
  #forgiving = false;

  stepped(partition: number, before: PartitionLook, after: PartitionLook, frames: number): void {
    if (frames === 0 || this.#forgiving) return;
    const { engine, partitions } = this.parts.options;
    const records = Math.max(1, Math.floor(engine.queueRecords / partitions));
    const bytes = Math.max(1, Math.floor(engine.queueBytes / partitions));
    if (after.pendingRecords > records)
      throw new Violation(
        promise,
        `${after.pendingRecords} records are pending in partition ${partition}: ${records} fit`,
      );
    if (before.bytes >= bytes)
      throw new Violation(
        promise,
        `partition ${partition} takes frames with ${before.bytes} of ${bytes} bytes pending`,
      );
  }

  failed({ client, askedMs }: Invocation, code: string, nowMs: number): void {
    const { waitMs } = this.parts.options.engine;
    if (code === "QUEUE_FULL" && nowMs - askedMs < waitMs)
      throw new Violation(promise, `${client} is refused after ${nowMs - askedMs} of ${waitMs} ms`);
  }

  databaseWentBack(): void {
    this.#forgiving = true;
  }

  keeperWentBack(): void {
    this.#forgiving = true;
  }
}
