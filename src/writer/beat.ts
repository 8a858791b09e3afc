/**
 * Commits without rows: they keep the claim on the tables fresh, and delete expired rows. When they are made and up to
 * which log time they sweep. No clock in here: readings are passed in.
 */

/** Between two of them while expired rows may be left, in milliseconds. */
export const sweepEveryMs = 1000;

/** So many sweeps follow the last run at that pace; then little can be left that had expired at its log time. */
export const sweepsMax = 60;

/** Between two of them after that, and while paused: a third of the time after which a claim is stale. Milliseconds. */
export const beatEveryMs = 10_000;

/** How far the log's time may be ahead of the clocks: a sleeping laptop is hours off, a wrong clock days or years. */
export const clockSlackMs = 24 * 3_600_000;

/** The wall and the monotonic clock, read together. Milliseconds. */
export interface ClockReading {
  readonly wall: number;
  readonly monotonic: number;
}

/**
 * The log time up to which the store may sweep, or null where the log is ahead of the clocks: then a clock has jumped,
 * and rows that are alive would be deleted. It is never the wall clock itself: a row must not go before the frame that
 * prolonged its life has been committed.
 */
export function sweepBound(at: number, start: ClockReading, now: ClockReading): number | null {
  const expected = start.wall + (now.monotonic - start.monotonic);
  return at <= Math.min(now.wall, expected) + clockSlackMs ? at : null;
}

/** Up to where one writer sweeps. */
export class Sweeps {
  readonly #clocks: () => ClockReading;
  readonly #warn: (text: string) => void;
  readonly #start: ClockReading;
  #stopped = false;

  constructor(clocks: () => ClockReading, warn: (text: string) => void) {
    this.#clocks = clocks;
    this.#warn = warn;
    this.#start = clocks();
  }

  /** The bound for a log time. That a clock has jumped is said once. */
  bound(logTime: number): number | null {
    const bound = sweepBound(logTime, this.#start, this.#clocks());
    const text = "a clock has jumped: the log is more than a day ahead of it, so expired rows are not deleted";
    if (bound === null && !this.#stopped) this.#warn(text);
    this.#stopped = bound === null;
    return bound;
  }
}

/** The beats of one writer. */
export class Beats {
  #at: number | null = null;
  /** Beats since the last run. */
  #count = 0;
  #logTime: number | null = null;

  /** When the next one is due, on the monotonic clock; null while the store is not open. */
  get at(): number | null {
    return this.#at;
  }

  /** Log time of the last run that is in the store; null where this writer has committed none. */
  get logTime(): number | null {
    return this.#logTime;
  }

  /** The store was claimed at another position than before. */
  opened(now: number): void {
    this.#logTime = null;
    this.#at = now + beatEveryMs;
  }

  /** A run was committed whose last frame has this log time. */
  ran(logTime: number, now: number): void {
    this.#logTime = logTime;
    this.#count = 0;
    this.#at = now + sweepEveryMs;
  }

  /** The store is to be looked at now, if it is open. */
  hasten(now: number): void {
    if (this.#at !== null) this.#at = Math.min(this.#at, now);
  }

  /** A beat was made. One that failed was not, and is due still. */
  beaten(now: number, paused: boolean): void {
    if (!paused) this.#count++;
    const sweeping = !paused && this.#logTime !== null && this.#count < sweepsMax;
    this.#at = now + (sweeping ? sweepEveryMs : beatEveryMs);
  }
}
