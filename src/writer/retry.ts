/** What to do after a try that failed, and when to try again. Pure: the dice are passed in. */
import type { StoreErrorKind } from "../store/store.js";

/** The longest pauses between tries. */
export interface RetryLimits {
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

/**
 * While somebody waits for the database, tries come at least this often: stopping drains within seconds, and backing
 * off for half a minute would sleep through the moment at which the database is back.
 */
export const hurriedRetryMaxMs = 1000;

/**
 * The pause before the next try, after `attempt` failed ones in a row (1, 2, …): exponential backoff with full jitter,
 * that is `dice` (in [0, 1)) of the smaller of `retryMinMs` · 2^(attempt-1) and `retryMaxMs`, but at least 1 ms. Source: Marc Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function retryDelayMs(attempt: number, dice: number, hurried: boolean, limits: RetryLimits): number {
  const longest = Math.min(limits.retryMaxMs, limits.retryMinMs * 2 ** Math.min(attempt - 1, 40));
  return Math.max(1, dice * (hurried ? Math.min(longest, hurriedRetryMaxMs) : longest));
}

/** How much longer than between two tries of a store a parked group may wait: each try is a transaction of its own. */
export const groupRetryFactor = 10;

/**
 * The pause before a parked group is tried again, after it was refused `refusals` times in a row: as `retryDelayMs`,
 * but up to ten times `retryMaxMs`. The longest pause is how long a row waits for the one that it refers to.
 */
export function groupRetryDelayMs(refusals: number, dice: number, limits: RetryLimits): number {
  const { retryMinMs, retryMaxMs } = limits;
  return retryDelayMs(refusals, dice, false, { retryMinMs, retryMaxMs: groupRetryFactor * retryMaxMs });
}

/**
 * So many times in a row a run may fail of what may be its own fault, while the store answers; then it counts as
 * refused. Once is bad luck, three times are not.
 */
export const blamesMax = 3;

/** What a failed try means. */
export interface Verdict {
  /** Nothing will succeed until a person acts: say so loudly. Else it may pass by itself. */
  readonly broken: boolean;
  /** Open the store anew before the next try: its position, its claim or its schema may be another. */
  readonly reopen: boolean;
  readonly delayMs: number;
}

/**
 * What to do after a failure of this kind; null is an error that no store made (the queue's, or a bug's). A first
 * `moved` is looked into at once: most likely our own lost COMMIT succeeded.
 */
export function verdict(
  kind: StoreErrorKind | null,
  attempt: number,
  dice: number,
  hurried: boolean,
  limits: RetryLimits,
): Verdict {
  switch (kind) {
    case "retryable":
      return { broken: false, reopen: false, delayMs: retryDelayMs(attempt, dice, hurried, limits) };
    case "moved":
      return {
        broken: false,
        reopen: true,
        delayMs: attempt === 1 ? 0 : retryDelayMs(attempt - 1, dice, hurried, limits),
      };
    case "refused":
    case "broken":
    case null:
      return { broken: true, reopen: true, delayMs: limits.retryMaxMs };
  }
}
