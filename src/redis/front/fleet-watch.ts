/** Notices that a record has changed since it was read: the keeper compares, when the work is written. */
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import type { Watch } from "../../heart.js";
import type { Mark } from "../keeper.js";

/** A watch. It begins with the first read of its record under it. */
export class FleetWatch implements Watch {
  readonly record: Bytes;
  mark: Mark | null = null;
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(record: Bytes) {
    this.record = record;
  }

  /** The record was read, unless that was before. A record that had ended by then cannot end again. */
  begin(mark: Mark, value: RecordValue | null, nowMs: number): void {
    if (this.mark !== null) return;
    this.mark = mark;
    const endsAt = value?.expiresAt ?? null;
    if (endsAt !== null && endsAt > nowMs) this.#endsAt = endsAt;
  }

  /** Whether it has ended, which is no frame. Of changes nobody knows here: whoever writes is told. */
  changed(nowMs: number): boolean {
    return this.#endsAt <= nowMs;
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
