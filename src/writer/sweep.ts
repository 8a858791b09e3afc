/** When expired rows are deleted, and up to which log time. No clock in here: readings are passed in. */

/** Between two sweeps of a writer that has nothing to write, in milliseconds. */
export const sweepEveryMs = 1000;

/** So many sweeps follow the last run; then little can be left that had expired at its log time. */
export const sweepsIdleMax = 60;

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

/** The sweeps of one writer: with every run, and for a while after the last one. */
export class Sweeps {
  readonly #start: ClockReading;
  #at: number | null = null;
  #idle = 0;
  #logTime = 0;

  constructor(start: ClockReading) {
    this.#start = start;
  }

  /** When to sweep although there is nothing to write, on the monotonic clock; null: not at all. */
  get at(): number | null {
    return this.#at;
  }

  /** A run was committed whose last frame has this log time. */
  ran(logTime: number, now: number): void {
    this.#logTime = logTime;
    this.#idle = 0;
    this.#at = now + sweepEveryMs;
  }

  /** The bound of an idle sweep. */
  idleBound(now: ClockReading): number | null {
    return this.bound(this.#logTime, now);
  }

  /** An idle sweep was made. One that failed was not, and is due still. */
  swept(now: number): void {
    this.#idle++;
    this.#at = this.#idle < sweepsIdleMax ? now + sweepEveryMs : null;
  }

  /** The bound of a sweep that goes with a run. */
  bound(logTime: number, now: ClockReading): number | null {
    return sweepBound(logTime, this.#start, now);
  }

  /** The store is at another place: what was swept there is not known. */
  forget(): void {
    this.#at = null;
  }
}
