/**
 * How large the next run may be while a bad frame is looked for. Pure. Halving by position is bisection, replay in
 * order, and parking in one: every prefix that passes is committed, and what is left when a run of one frame fails is
 * the bad frame itself (promise 7).
 */

/** The limit, and what is known of where the bad frame is. */
export interface Halving {
  /** So many frames the next run takes at the most; null: no limit. */
  readonly framesMax: number | null;
  /** A run that ended at this sequence has failed: something up to there is bad. Null: nothing is known. */
  readonly failedTo: number | null;
}

/** Nothing is looked for. */
export const whole: Halving = { framesMax: null, failedTo: null };

/** After a run of frames from `from` (not in it) to `to` has failed: half of it. One frame cannot be halved. */
export function halved(from: number, to: number): Halving {
  return { framesMax: Math.max(1, Math.floor((to - from) / 2)), failedTo: to };
}

/**
 * After a run has ended well. While the bad frame is ahead: half of where it may be, so one among n costs log2(n)
 * commits. Behind it: twice as much as before, until a run ends by itself before the limit.
 */
export function grown(before: Halving, from: number, to: number): Halving {
  if (before.framesMax === null) return whole;
  if (before.failedTo !== null && to < before.failedTo) return halved(to, before.failedTo);
  const frames = to - from;
  // The run that ended at `failedTo` may be shorter than the limit only because the bad frame was its last.
  if (before.failedTo === null && frames < before.framesMax) return whole;
  return { framesMax: 2 * frames, failedTo: null };
}
