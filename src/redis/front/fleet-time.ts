/** The log time of a fleet, as one process knows it: the keeper's clock, from the last time it was told. */
import type { Clock } from "../../host/host.js";

/** Log time. Never goes back. */
export class FleetTime {
  readonly #clock: Clock;
  #ahead = 0;
  #last = 0;
  #isKnown = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ahead = clock.now() - clock.monotonic();
  }

  /** Whether it is the keeper's: before, it is what this machine says, and binds nobody. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Milliseconds since 1970. */
  now(): number {
    const now = Math.floor(this.#clock.monotonic() + this.#ahead);
    if (!this.#isKnown) return now;
    this.#last = Math.max(this.#last, now);
    return this.#last;
  }

  /** The keeper's clock was read just now. */
  saw(now: number): void {
    this.#isKnown = true;
    this.#ahead = now - this.#clock.monotonic();
    this.#last = Math.max(this.#last, now);
  }
}
