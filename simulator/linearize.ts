/**
 * Is there an order in which the operations on one record could have been done one after the other, each at some
 * moment between its call and its reply, so that every reply is right? The search of Wing and Gong ("Testing and
 * Verifying Concurrent Objects", 1993), with the memory of Lowe ("Testing for Linearizability", 2017): a set of
 * done operations with a state that led nowhere once is not tried again.
 *
 * An operation without a reply may have been done at any moment after its call, or never. The guess, the order in
 * which somebody believes they were done, only says what is tried first: it decides how long a search takes, not
 * what it finds.
 */

/** A state that is not known: any first reply fits. */
export const unknown = Symbol("unknown");

/** One operation. Times are counts, no two of them are the same. */
export interface Call<S> {
  readonly start: number;
  /** Infinity where no reply came. */
  readonly end: number;
  /** Tried in this order. */
  readonly guess: number;
  /** The state after it, or undefined where its reply does not fit the state before. */
  apply(state: S | typeof unknown): S | typeof unknown | undefined;
}

/** What a search came to; `undecided` where it took too many steps. */
export type Verdict = "yes" | "no" | "undecided";

/** Searches for an order. `nameOf` gives equal states the same name. */
export function linearize<S>(
  calls: readonly Call<S>[],
  initial: S | typeof unknown,
  nameOf: (state: S) => string,
  stepsMax = 20_000,
): Verdict {
  const search = new Search(calls, nameOf, stepsMax);
  return search.run(initial);
}

/** One try: a call that was done, what else could have been, and how it was before. */
interface Frame<S> {
  readonly state: S | typeof unknown;
  readonly candidates: readonly number[];
  next: number;
  done: number;
}

class Search<S> {
  readonly #calls: readonly Call<S>[];
  readonly #nameOf: (state: S) => string;
  readonly #done: boolean[];
  readonly #dead = new Set<string>();
  /** Calls with a reply that are not done yet. */
  #open: number;
  /** Every call before this one is done or has no reply. */
  #low = 0;
  #left: number;

  constructor(calls: readonly Call<S>[], nameOf: (state: S) => string, stepsMax: number) {
    this.#calls = calls.toSorted((a, b) => a.start - b.start);
    this.#nameOf = nameOf;
    this.#done = calls.map(() => false);
    this.#open = calls.filter(({ end }) => end !== Number.POSITIVE_INFINITY).length;
    this.#left = stepsMax;
  }

  run(initial: S | typeof unknown): Verdict {
    const stack: Frame<S>[] = [this.#frame(initial)];
    while (this.#open > 0) {
      const top = stack.at(-1);
      if (top === undefined) return "no";
      if (top.done >= 0) this.#set(top, -1);
      const index = top.candidates[top.next++];
      if (index === undefined) {
        this.#dead.add(this.#name(top.state));
        stack.pop();
        continue;
      }
      if (this.#left-- === 0) return "undecided";
      const state = (this.#calls[index] as Call<S>).apply(top.state);
      if (state === undefined) continue;
      this.#set(top, index);
      if (this.#open > 0 && this.#dead.size > 0 && this.#dead.has(this.#name(state))) continue;
      stack.push(this.#frame(state));
    }
    return "yes";
  }

  #frame(state: S | typeof unknown): Frame<S> {
    return { state, candidates: this.#candidates(), next: 0, done: -1 };
  }

  /** Calls `index` done, or what was done in this frame undone where it is -1. */
  #set(frame: Frame<S>, index: number): void {
    const at = index === -1 ? frame.done : index;
    this.#done[at] = index !== -1;
    const counts = (this.#calls[at] as Call<S>).end !== Number.POSITIVE_INFINITY;
    if (counts) this.#open += index === -1 ? 1 : -1;
    frame.done = index;
    this.#low = index === -1 ? Math.min(this.#low, at) : this.#low;
  }

  /** What may be next: whatever was called before the first reply of those that are not done. */
  #candidates(): number[] {
    const calls = this.#calls;
    while (this.#low < calls.length && this.#done[this.#low] === true) this.#low++;
    let until = Number.POSITIVE_INFINITY;
    const found: number[] = [];
    for (let i = this.#low; i < calls.length && (calls[i] as Call<S>).start < until; i++) {
      if (this.#done[i] === true) continue;
      found.push(i);
      until = Math.min(until, (calls[i] as Call<S>).end);
    }
    const guess = (index: number): number => (calls[index] as Call<S>).guess;
    return found.filter((index) => (calls[index] as Call<S>).start < until).sort((a, b) => guess(a) - guess(b));
  }

  /** What is done and how it is then: what led nowhere once leads nowhere again. */
  #name(state: S | typeof unknown): string {
    let name = state === unknown ? "?" : this.#nameOf(state);
    for (let i = this.#low; i < this.#done.length; i++) if (this.#done[i] === true) name += `,${i}`;
    return `${this.#low}:${name}`;
  }
}
