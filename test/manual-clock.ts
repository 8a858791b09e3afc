/** Time that passes when a test says so. Not a simulated world: there are no dice and no other events. */
import type { Clock, Timer } from "../src/host/host.js";

interface Due extends Timer {
  readonly at: number;
  readonly call: () => void;
}

/** The clock. */
export class ManualClock implements Clock {
  nowMs = 0;
  #due: Due[] = [];

  now(): number {
    return this.nowMs;
  }

  monotonic(): number {
    return this.nowMs;
  }

  after(delayMs: number, call: () => void): Timer {
    const due: Due = {
      at: this.nowMs + delayMs,
      call,
      cancel: () => {
        this.#due = this.#due.filter((other) => other !== due);
      },
    };
    this.#due.push(due);
    return due;
  }

  soon(call: () => void): void {
    setImmediate(call);
  }

  /** Lets time pass, and calls what is due in its order. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.nowMs = Math.max(this.nowMs, next.at);
      next.cancel();
      next.call();
    }
    this.nowMs = end;
  }
}
