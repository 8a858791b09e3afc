/** Something that is done again and again, twice a second, until it is ended. */
import type { Clock, Timer } from "../host/host.js";

const tickMs = 500;

/** A clock's ticks. */
export class Ticks {
  readonly #clock: Clock;
  readonly #call: () => void;
  #timer: Timer | null = null;

  constructor(clock: Clock, call: () => void) {
    this.#clock = clock;
    this.#call = call;
  }

  begin(): void {
    this.#timer = this.#clock.after(tickMs, () => {
      this.#call();
      this.begin();
    });
  }

  end(): void {
    this.#timer?.cancel();
  }
}
