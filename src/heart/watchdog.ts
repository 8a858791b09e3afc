/**
 * Whether the writer stands still although there is work (promise 10). The decision is pure; the heart looks twice a
 * second. A database that is known to be down or broken is not this: that is said with every failed try. This is for
 * what fails without a word: a commit that hangs, a thread that does not come back, a silent database.
 */
import type { Clock } from "../host/host.js";
import { claimStaleMs } from "../store/store.js";

/**
 * So long the writer may be silent. It is the time after which its claim on the tables is stale: from then on nobody
 * can rely on a commit that is under way, and another queue may take the tables.
 */
export const stillMs = claimStaleMs;

/** What is known of the writer. Moments are on the monotonic clock, null where there is no such thing now. */
export interface WriterFacts {
  readonly now: number;
  readonly paused: boolean;
  /** Where the store is broken that is what is said; `unopened`: it has not been open since the start. */
  readonly store: "open" | "unopened" | "broken";
  /** When the writer told something last, or was told to go on. */
  readonly heardAt: number;
  /** Since when something is pending. */
  readonly pendingSince: number | null;
  /** When it began to take a run that has not ended. */
  readonly runningSince: number | null;
  /** When a failed try is to be made again. */
  readonly nextTryAt: number | null;
  /** How long a change may wait for company. */
  readonly delayMs: number;
}

/** Why the writer stands still, in a sentence; null where it does not, or may. */
export function standsStill(facts: WriterFacts): string | null {
  const { now, paused, store, heardAt, pendingSince, runningSince, nextTryAt, delayMs } = facts;
  const since = (moment: number, text: (time: string) => string): string | null =>
    now - moment > stillMs ? text(`${Math.floor((now - moment) / 1000)} s`) : null;
  if (store === "broken") return null;
  // Paused, it may have taken a step that found nothing, and says nothing of that.
  if (runningSince !== null && !(paused && pendingSince === null))
    return since(runningSince, (time) => `a run has been under way for ${time} without an end`);
  if (paused) return null;
  if (nextTryAt !== null) return since(nextTryAt, (time) => `the try that was due ${time} ago has no end`);
  if (store === "unopened")
    return since(heardAt, (time) => `the database has been silent for ${time}, since the start`);
  if (pendingSince === null) return null;
  const due = Math.max(pendingSince, heardAt) + delayMs;
  return since(due, (time) => `changes should have been written ${time} ago, and the writer takes no run`);
}

/** What one look has found that is new. */
export type Finding = { readonly stalled: string } | { readonly goesOn: true } | null;

/** What the watchdog cannot know by itself. */
export type Circumstances = Pick<WriterFacts, "paused" | "store">;

/**
 * Collects the facts, and remembers what was found. One look is no look: a process that was stopped or asleep finds
 * everything overdue before it hears of what has been done meanwhile. So it barks at the second look in a row.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #delayMs: number;
  #heardAt: number;
  #pendingSince: number | null = null;
  #runningSince: number | null = null;
  #nextTryAt: number | null = null;
  #looks = 0;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#heardAt = clock.monotonic();
  }

  /** The writer has told something: whatever it was at has ended. `nextTryInMs`: it has failed. */
  heard(nextTryInMs: number | null = null): void {
    this.#heardAt = this.#clock.monotonic();
    this.#runningSince = null;
    this.#nextTryAt = nextTryInMs === null ? null : this.#heardAt + nextTryInMs;
  }

  /** It was told to go on: what it has not done while it was paused is not late. */
  resumed(): void {
    this.#heardAt = this.#clock.monotonic();
    if (this.#nextTryAt !== null) this.#nextTryAt = Math.max(this.#nextTryAt, this.#heardAt);
  }

  /** A run begins; where one has not ended, it is still that one. */
  runBegins(): void {
    this.#runningSince ??= this.#clock.monotonic();
  }

  /** The run that began has found nothing to take. */
  nothingTaken(): void {
    this.#runningSince = null;
  }

  /** Whether something is pending. */
  pending(is: boolean): void {
    if (!is) this.#pendingSince = null;
    else this.#pendingSince ??= this.#clock.monotonic();
  }

  /** One of the regular looks: what is new. */
  look(circumstances: Circumstances): Finding {
    const reason = standsStill(this.#facts(circumstances));
    const before = this.#looks;
    this.#looks = reason === null ? 0 : before + 1;
    if (reason === null) return before > 1 ? { goesOn: true } : null;
    return before === 1 ? { stalled: reason } : null;
  }

  /** Why the writer stands still, as soon as that was said and as long as it is true. */
  stalled(circumstances: Circumstances): string | null {
    return this.#looks > 1 ? standsStill(this.#facts(circumstances)) : null;
  }

  #facts(circumstances: Circumstances): WriterFacts {
    return {
      ...circumstances,
      now: this.#clock.monotonic(),
      heardAt: this.#heardAt,
      pendingSince: this.#pendingSince,
      runningSince: this.#runningSince,
      nextTryAt: this.#nextTryAt,
      delayMs: this.#delayMs,
    };
  }
}
