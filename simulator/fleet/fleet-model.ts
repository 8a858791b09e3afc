/**
 * What is true in a simulated fleet: every frame that a partition's log ever held, what came before it, and how every
 * record of the partition was after it. A keeper that loses its last writes makes of a history two that part: so frames
 * are a tree, told apart by their tags. Plain maps, nothing of the engine but the law of changes, which has tests of
 * its own.
 */
import type { Bytes } from "../../src/bytes.js";
import { apply, type RecordChange, type RecordValue } from "../../src/change.js";
import type { Position } from "../../src/queue/queue.js";

/** A frame, and the partition as it was after it. */
export interface FleetFrame {
  readonly partition: number;
  readonly position: Position;
  readonly at: number;
  readonly parent: FleetFrame | null;
  readonly changes: readonly RecordChange[];
  readonly state: ReadonlyMap<Bytes, RecordValue | null>;
}

/** The truth. */
export class FleetModel {
  /** The last frame of each partition; null where it never had one. */
  heads: (FleetFrame | null)[] = [];
  /** A keeper went back to when others were parked than now: readers are not judged until it was told so. */
  doubtful = false;
  readonly #frames = new Map<string, FleetFrame>();

  /** A frame has entered a log. */
  accept(partition: number, position: Position, at: number, changes: readonly RecordChange[]): FleetFrame {
    const parent = this.heads[partition] ?? null;
    const state = new Map(parent?.state);
    for (const { record, change } of changes) state.set(record, apply(state.get(record) ?? null, change));
    const frame = { partition, position, at, parent, changes, state };
    while (this.heads.length < partition) this.heads.push(null);
    this.heads[partition] = frame;
    this.#frames.set(nameOf(position), frame);
    return frame;
  }

  /** The frame of a position that any history had. */
  frame(position: Position): FleetFrame | undefined {
    return this.#frames.get(nameOf(position));
  }

  /** The newest value of a record. */
  newest(partition: number, record: Bytes): RecordValue | null {
    return this.heads[partition]?.state.get(record) ?? null;
  }

  /** Whether a position is in the history that a partition has now; null is its beginning. */
  isPresent(partition: number, position: Position | null): boolean {
    if (position === null || position.sequence === 0) return true;
    const frame = this.frame(position);
    return frame !== undefined && isBefore(frame, this.heads[partition] ?? null);
  }
}

/** The frames from the first one to this one. */
export function historyOf(frame: FleetFrame | null): FleetFrame[] {
  const frames: FleetFrame[] = [];
  for (let each = frame; each !== null; each = each.parent) frames.push(each);
  return frames.reverse();
}

/** Whether a frame is a later one, or among those that it goes on from. */
export function isBefore(frame: FleetFrame, later: FleetFrame | null): boolean {
  for (let each = later; each !== null; each = each.parent) if (each === frame) return true;
  return false;
}

function nameOf({ logId, sequence, tag }: Position): string {
  return `${logId} ${sequence} ${tag}`;
}
