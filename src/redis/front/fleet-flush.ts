/** Flushing a fleet: until what is pending now, whoever wrote it, is stored or parked. */
import type { Bytes } from "../../bytes.js";
import type { FlushReport, Status, WaitOptions } from "../../heart.js";
import { paused } from "../../heart/failures.js";
import type { Clock } from "../../host/host.js";
import { rest } from "../../rest.js";
import type { Keeper, PartitionState } from "../keeper.js";
import type { FleetDesk } from "./fleet-desk.js";
import type { FleetInspector } from "./fleet-inspector.js";
import type { StoredWatch } from "./stored-watch.js";

/** While a flush waits it looks so often, in milliseconds. */
const lookMs = 20;

/** What may be said of a flush. */
export type FlushOptions = WaitOptions & { readonly keys?: readonly Bytes[] | undefined };

/** What it works with. */
export interface FleetFlushParts {
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly partitionOf: (key: Bytes) => number;
  readonly desk: FleetDesk;
  readonly inspector: FleetInspector;
  readonly stored: StoredWatch;
  /** The status as it is now. */
  readonly refresh: () => Promise<Status>;
  /** Throws where the instance takes no more work. */
  readonly assertOpen: () => void;
}

/** The flushes of one process. */
export class FleetFlushes {
  readonly #parts: FleetFlushParts;

  constructor(parts: FleetFlushParts) {
    this.#parts = parts;
  }

  /** Waits until what is pending (where keys are named, in their partitions) is stored or parked. */
  async flush({ keys, signal }: FlushOptions): Promise<FlushReport> {
    const { desk, stored, refresh, partitionOf } = this.#parts;
    const [before, last] = [stored.stored, stored.frames.last];
    const named = keys?.map(partitionOf);
    const goals = (await desk.states()).states.filter(
      ({ partition }) => named === undefined || named.includes(partition),
    );
    for (let left = behind(goals, goals); left.length > 0; left = behind(goals, (await desk.states()).states)) {
      signal?.throwIfAborted();
      await this.#hurry(left);
    }
    const status = await refresh();
    return { stored: status.queue.stored, parked: await this.#lettersOf(keys, before + 1, last) };
  }

  async #hurry(left: readonly PartitionState[]): Promise<void> {
    const { keeper, clock, leaseMs, assertOpen } = this.#parts;
    assertOpen();
    if ((await keeper.look(leaseMs)).paused) throw paused();
    for (const { partition, head } of left) await keeper.tell({ kind: "hurry", partition, sequence: head.sequence });
    await rest(clock, lookMs, true);
  }

  async #lettersOf(keys: readonly Bytes[] | undefined, first: number, last: number): Promise<readonly string[]> {
    const { inspector, stored } = this.#parts;
    if (keys === undefined) return stored.lettersIn(first, last);
    const inspections = await Promise.all(keys.map((key) => inspector.inspect(key)));
    return [...new Set(inspections.flatMap(({ deadLetters }) => deadLetters))];
  }
}

/** Those of `goals` whose head, as it was then, is not stored now. */
function behind(goals: readonly PartitionState[], now: readonly PartitionState[]): PartitionState[] {
  return goals.filter(({ partition, head }) => {
    const state = now.find((each) => each.partition === partition);
    return (state?.stored.sequence ?? 0) < head.sequence;
  });
}
