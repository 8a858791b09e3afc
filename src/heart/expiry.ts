/** Frees the memory of records that have ended, a few at a time. Nothing depends on it: they read as absent anyway. */
import type { MemoryCache } from "../cache/memory-cache.js";
import type { Clock, Timer } from "../host/host.js";

/** How often ended records are looked for, and among how many at a time. */
const tickMs = 500;
const recordsPerTick = 2000;

/** Looks through one cache again and again. */
export class Expiry {
  readonly #clock: Clock;
  readonly #cache: MemoryCache;
  readonly #now: () => number;
  #timer: Timer | null = null;

  /** `now`: log time. */
  constructor(clock: Clock, cache: MemoryCache, now: () => number) {
    this.#clock = clock;
    this.#cache = cache;
    this.#now = now;
  }

  begin(): void {
    this.#timer = this.#clock.after(tickMs, () => {
      this.#cache.expire(this.#now(), recordsPerTick);
      this.begin();
    });
  }

  end(): void {
    this.#timer?.cancel();
  }
}
