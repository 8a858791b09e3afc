/** Notices that a record has changed since it was read: the keeper compares, when the work is written. */
import type { Bytes } from "../../bytes.js";
import type { Watch } from "../../heart.js";
import type { Mark } from "../keeper.js";

/** A watch. It begins with the first read of its record under it. */
export class FleetWatch implements Watch {
  readonly record: Bytes;
  mark: Mark | null = null;

  constructor(record: Bytes) {
    this.record = record;
  }

  /** Nobody knows here: whoever writes is told. */
  changed(): boolean {
    return false;
  }

  cancel(): void {
    this.mark = null;
  }
}

/** The marks of what was read under watches. */
export function marksOf(watches: readonly Watch[]): ReadonlyMap<Bytes, Mark> {
  const marks = new Map<Bytes, Mark>();
  for (const watch of watches) {
    if (watch instanceof FleetWatch && watch.mark !== null) marks.set(watch.record, watch.mark);
  }
  return marks;
}
