/** Calls that wait until a mark has reached their sequence: kept, durable or stored. Pure bookkeeping, no promises. */
import type { WriteBehindError } from "../errors.js";
import type { Reached } from "../heart.js";

/** One call that waits. A class, because many wait at the same time (docs/decisions/0020). */
export class Wait {
  readonly sequence: number;
  readonly reached: Reached;

  constructor(sequence: number, reached: Reached) {
    this.sequence = sequence;
    this.reached = reached;
  }
}

/** Waits in order of sequence; those of equal sequence in order of arrival. */
export class Waits {
  #waits: Wait[] = [];
  #first = 0;

  get size(): number {
    return this.#waits.length - this.#first;
  }

  /** The highest sequence that anybody waits for; 0 where nobody waits. */
  get last(): number {
    return this.size === 0 ? 0 : (this.#waits[this.#waits.length - 1] as Wait).sequence;
  }

  /** Adds a wait. */
  add(sequence: number, reached: Reached): Wait {
    const wait = new Wait(sequence, reached);
    if (sequence >= this.last) this.#waits.push(wait);
    else this.#waits.splice(this.#placeOf(sequence), 0, wait);
    return wait;
  }

  /** Calls a wait off. */
  cancel(wait: Wait): void {
    const at = this.#waits.indexOf(wait, this.#first);
    if (at !== -1) this.#waits.splice(at, 1);
  }

  /** The mark is here now: everything that waited for less or as much is called. */
  reach(mark: number): void {
    while (this.#first < this.#waits.length) {
      const wait = this.#waits[this.#first] as Wait;
      if (wait.sequence > mark) break;
      this.#first++;
      wait.reached(null);
    }
    this.#compact();
  }

  /** The mark will never come: everybody is told why. */
  fail(error: WriteBehindError): void {
    const waits = this.#waits.slice(this.#first);
    this.#waits = [];
    this.#first = 0;
    for (const wait of waits) wait.reached(error);
  }

  #placeOf(sequence: number): number {
    let low = this.#first;
    let high = this.#waits.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#waits[middle] as Wait).sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    if (this.#first === this.#waits.length) {
      this.#waits.length = 0;
      this.#first = 0;
    } else if (this.#first > 1024 && this.#first > this.#waits.length / 2) {
      this.#waits = this.#waits.slice(this.#first);
      this.#first = 0;
    }
  }
}
