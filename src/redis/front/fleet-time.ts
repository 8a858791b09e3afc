/** The log time of a fleet, as one process knows it: the keeper's clock, from the last time it was told. */
import type { Clock } from "../../host/host.js";

/** Log time. Never goes back. */
export class FleetTime {
  readonly #clock: Clock;
  #ahead = 0;
  #last = 0;

  /** `now`: the keeper's clock was read just now, as in `saw`. */
  constructor(clock: Clock, now: number) {
    this.#clock = clock;
    this.saw(now);
  }

  /** Milliseconds since 1970. */
  now(): number {
    this.#last = Math.max(this.#last, Math.floor(this.#clock.monotonic() + this.#ahead));
    return this.#last;
  }

  /** The keeper's clock was read just now. */
  saw(now: number): void {
    this.#ahead = now - this.#clock.monotonic();
    this.#last = Math.max(this.#last, now);
  }
}
