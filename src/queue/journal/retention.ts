/** Which segments may go: pure decisions about numbers. */

/** A segment, as trimming sees it. */
export interface HeldSegment {
  readonly path: string;
  readonly size: number;
  readonly firstSequence: number;
  readonly logOffset: number;
  /** Log time of the last frame before it. */
  readonly atBefore: number;
}

/** How much committed log is kept, to heal a database that went back. */
export interface Retention {
  readonly retainBytes: number;
  readonly retainMs: number;
}

/**
 * How many of the oldest segments may go, now that the store has committed up to `committed`. The segment with the
 * frame at `committed` never goes: before each run the writer compares that frame with the database (promise 5).
 */
export function trimmable(segments: readonly HeldSegment[], committed: number): number {
  let count = 0;
  while (count + 1 < segments.length && (segments[count + 1] as HeldSegment).firstSequence <= committed) count++;
  return count;
}

/** How many of the trimmable ones are beyond what is retained. `committedOffset`: where `committed` ends in the log. */
export function beyondRetention(
  segments: readonly HeldSegment[],
  committed: number,
  committedOffset: number,
  nowMs: number,
  retention: Retention,
): number {
  const most = trimmable(segments, committed);
  let count = 0;
  for (; count < most; count++) {
    const next = segments[count + 1] as HeldSegment;
    const tooMuch = committedOffset - next.logOffset >= retention.retainBytes;
    if (!tooMuch && nowMs - next.atBefore < retention.retainMs) break;
  }
  return count;
}
