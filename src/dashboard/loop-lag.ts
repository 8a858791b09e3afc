/** How late the event loop is: a timer that says by how much it was late. So long whatever had come has waited. */
import { Histogram } from "../counters.js";
import type { Clock, Timer } from "../host/host.js";

/** Milliseconds between two looks. */
const lookEveryMs = 50;

/** Timers are exact to a millisecond or two; what clients notice begins above. */
const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Looks at the loop that it was made on. */
export class LoopLag {
  readonly seconds = new Histogram(lagBounds);
  readonly #clock: Clock;
  #timer: Timer;

  /** Begins to look. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = this.#next();
  }

  /** Looks no more. */
  end(): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    const due = this.#clock.monotonic() + lookEveryMs;
    return this.#clock.after(lookEveryMs, () => {
      this.seconds.observe(Math.max(0, this.#clock.monotonic() - due) / 1000);
      this.#timer = this.#next();
    });
  }
}
