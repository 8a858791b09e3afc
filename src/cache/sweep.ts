/** Goes through the entries again and again, some at a time. It knows nothing of what is looked for. */
import type { Entry } from "./entry.js";

/** Where it is. */
export class Sweep {
  #at: Iterator<Entry> | null = null;

  /** Looks at the next `limit` entries, `all` being those it begins anew with; says how many of them were taken. */
  next(all: Iterator<Entry>, limit: number, take: (entry: Entry) => boolean): number {
    let taken = 0;
    for (let looked = 0; looked < limit; looked += 1) {
      this.#at ??= all;
      const next = this.#at.next();
      if (next.done === true) {
        this.#at = null;
        break;
      }
      if (take(next.value)) taken += 1;
    }
    return taken;
  }

  /** From the beginning, the next time. */
  startAnew(): void {
    this.#at = null;
  }
}
