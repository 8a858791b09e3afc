/** Time, from the system. Its twin is simulator/host/clock.ts. */
import type { Clock } from "./host.js";

/** The system's clock and timers. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after: (delayMs, call, keepsAlive = false) => {
      const timer = new SystemTimer(call, performance.now() + delayMs, keepsAlive);
      timer.start();
      return timer;
    },
    soon: (call) => void setImmediate(call),
  };
}

/** Node's longest timer, and what it does beyond it: it fires at once. So a longer wait is taken in parts. */
const longestDelayMs = 2 ** 31 - 1;

class SystemTimer {
  readonly #call: () => void;
  readonly #due: number;
  readonly #keepsAlive: boolean;
  #timer: NodeJS.Timeout | null = null;

  constructor(call: () => void, due: number, keepsAlive: boolean) {
    this.#call = call;
    this.#due = due;
    this.#keepsAlive = keepsAlive;
  }

  start(): void {
    const left = Math.min(longestDelayMs, Math.max(0, Math.ceil(this.#due - performance.now())));
    this.#timer = setTimeout(() => this.#fire(), left);
    if (!this.#keepsAlive) this.#timer.unref();
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #fire(): void {
    // Node may be a fraction of a millisecond early, and a long wait has parts.
    if (performance.now() < this.#due) this.start();
    else this.#call();
  }
}
