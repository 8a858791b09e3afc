/** How a sleeping loop is woken. It says nothing of why: the loop looks at everything anew. */
import type { Clock } from "../host/host.js";

/** One sleeper. A wake that comes while nobody sleeps ends the next sleep at once, so none is lost. */
export class Wake {
  readonly #clock: Clock;
  #woken = false;
  #end: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the sleep. */
  wake(): void {
    this.#woken = true;
    this.#end?.();
  }

  /** Sleeps for `ms` (null: for ever), or until woken. */
  async sleep(ms: number | null): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = ms === null ? null : this.#clock.after(ms, resolve);
        this.#end = () => {
          timer?.cancel();
          resolve();
        };
      });
      this.#end = null;
    }
    this.#woken = false;
  }
}
