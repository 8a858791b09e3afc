/** Log time: what expiry is measured by, in milliseconds since 1970. Within one process it never goes back. */
import type { Clock } from "../host/host.js";

/** The log time of one engine. */
export class LogTime {
  readonly #clock: Clock;
  readonly #log: { readonly lastAt: number };
  #last = 0;

  /** `lastAt`: log time of the last frame. */
  constructor(clock: Clock, log: { readonly lastAt: number }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Whatever was given once is remembered: a record that was seen expired must not come back (promise 2). */
  now(): number {
    this.#last = Math.max(this.#clock.now(), this.#log.lastAt, this.#last);
    return this.#last;
  }
}
