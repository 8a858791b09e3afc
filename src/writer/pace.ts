/**
 * When the writer acts: takes a run, tries a parked group, does what was ordered, beats, looks into the queue, or
 * sleeps. Pure: decided from values.
 */

/** How the writer's time is set. All in milliseconds, `bytes` in bytes of raw log. */
export interface PaceLimits {
  /** How long a change may wait for company. */
  readonly delayMs: number;
  /** So much waits for no more company. */
  readonly enoughBytes: number;
}

/** What was in the queue when it was last looked at. */
export interface Seen {
  /** When it was looked at, on the monotonic clock. */
  readonly at: number;
  /** Age of the oldest waiting frame at that moment. */
  readonly oldestAgeMs: number;
  readonly bytes: number;
}

/** Everything that the decision depends on. Moments are on the monotonic clock. */
export interface Situation {
  readonly now: number;
  readonly paused: boolean;
  /** Somebody asked for one run now. */
  readonly stepping: boolean;
  /** Somebody asked for dead letters to be tried again or given up. */
  readonly ordered: boolean;
  /** Somebody waits for the database. */
  readonly hurried: boolean;
  /** Until when the writer leaves the machine to the clients, if nobody waits for it; null: it need not. */
  readonly restUntil: number | null;
  /** A failed try: not before this moment, null where there was none. */
  readonly notBefore: number | null;
  /** A run that failed is in hand and goes first. */
  readonly inHand: boolean;
  /** What waits; null: not known. */
  readonly seen: Seen | null;
  /** The queue has been asked what waits and has not answered: nothing waits. */
  readonly asking: boolean;
  /** When a commit without rows is due, to keep the claim fresh. */
  readonly beatAt: number | null;
  /** When a parked group is to be tried; null where nothing is parked. */
  readonly tryAt: number | null;
  /** What was done last was such a try: then a run goes first. */
  readonly triedLast: boolean;
}

/** What to do. `sleep` ends early when something happens; `ms` null: only then. */
export type Pace =
  | { readonly act: "run" }
  | { readonly act: "order" }
  | { readonly act: "try" }
  | { readonly act: "beat" }
  | { readonly act: "look" }
  | { readonly act: "sleep"; readonly ms: number | null };

/** While changes wait for company the queue is looked at this often: it may have filled up. */
export const lookAgainMs = 250;

/** The pause after a look that found nothing durable yet, so that two sides that disagree do not spin. */
export const emptyLookMs = 5;

/**
 * What to do now. A change waits for company until it is `delayMs` old, however young the last one is: so a record that
 * is updated without pause is stored within the delay, and what came in during a long commit does not wait again.
 */
export function pace(situation: Situation, limits: PaceLimits): Pace {
  const { now, notBefore, beatAt } = situation;
  if (situation.stepping) return { act: "run" };
  if (situation.ordered) return { act: "order" };
  if (notBefore !== null && now < notBefore && !situation.paused) return { act: "sleep", ms: notBefore - now };
  const next = situation.paused ? sleepUntil(null, now) : tries(work(situation, limits), situation);
  if (next.act !== "sleep" || beatAt === null) return next;
  const at = Math.max(beatAt, notBefore ?? beatAt);
  if (now >= at) return { act: "beat" };
  return { act: "sleep", ms: Math.min(at - now, next.ms ?? Infinity) };
}

/** What to do about what is pending. */
function work({ now, hurried, inHand, seen, asking, restUntil }: Situation, limits: PaceLimits): Pace {
  if (inHand) return { act: "run" };
  if (seen === null) return asking ? sleepUntil(null, now) : { act: "look" };
  const dueAt = Math.max(seen.at + limits.delayMs - seen.oldestAgeMs, restUntil ?? 0);
  if (hurried || seen.bytes >= limits.enoughBytes || now >= dueAt) return { act: "run" };
  const lookAt = seen.at + lookAgainMs;
  return now >= lookAt ? { act: "look" } : sleepUntil(Math.min(dueAt, lookAt), now);
}

/**
 * How long the writer rests after a commit: as long as the commit took, and not longer than a change may wait. So a
 * busy writer leaves half of a processor and of the disk to those who answer clients, and its next run saves more rows.
 */
export function restMs(commitMs: number, delayMs: number): number {
  return Math.min(commitMs, delayMs);
}

/**
 * Parked groups are tried between runs: one at a time, so that they delay the others by no more than one transaction a
 * run; none while a run is in hand, which may be done already.
 */
function tries(next: Pace, { now, inHand, tryAt, triedLast }: Situation): Pace {
  if (tryAt === null || inHand) return next;
  if (now < tryAt)
    return next.act === "sleep" ? { act: "sleep", ms: Math.min(tryAt - now, next.ms ?? Infinity) } : next;
  return next.act === "sleep" || !triedLast ? { act: "try" } : next;
}

function sleepUntil(at: number | null, now: number): Pace {
  return { act: "sleep", ms: at === null ? null : at - now };
}

/** How much is enough not to wait for company: a full run, or a quarter of a queue that is smaller. */
export function enoughBytes(batchBytes: number, queueBytes: number): number {
  return Math.min(batchBytes, Math.ceil(queueBytes / 4));
}
