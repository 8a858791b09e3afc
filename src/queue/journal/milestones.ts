/**
 * Where and when frames were accepted, roughly: what status and the writer's delay need, without reading the log. One
 * milestone is kept for each millisecond in which frames came. When there are too many, those go whose neighbours are
 * near, compared to their age: so an age is exact for what is recent and never off by more than a hundredth or so.
 */
const milestonesMax = 8192;
/** Distance of two milestones by their age. From 1 ms to a year this leaves some 5,000. */
const spacing = 1 / 200;

/** The milestones of one log. Numbers of a milestone are at the same place of three arrays. */
export class Milestones {
  #sequences: number[] = [];
  #offsets: number[] = [];
  #times: number[] = [];
  #lastAt = -1;

  /** A frame was accepted: its sequence, its offset in the log, its log time. Each greater than the one before. */
  note(sequence: number, offset: number, at: number): void {
    if (at === this.#lastAt) return;
    this.#lastAt = at;
    this.#sequences.push(sequence);
    this.#offsets.push(offset);
    this.#times.push(at);
    if (this.#sequences.length > milestonesMax) this.#thin();
  }

  /** Log time and offset of a frame not later than the first one after `sequence`; null where none is known. */
  after(sequence: number): { readonly offset: number; readonly at: number } | null {
    const place = this.#placeOf(sequence + 1);
    if (place < 0) return null;
    return { offset: this.#offsets[place] as number, at: this.#times[place] as number };
  }

  /** Nobody will ask for what is before `sequence` any more. */
  forget(sequence: number): void {
    const place = this.#placeOf(sequence);
    // Moving the arrays costs their length: only when it is worth it.
    if (place < 64 || place * 2 < this.#sequences.length) return;
    this.#sequences = this.#sequences.slice(place);
    this.#offsets = this.#offsets.slice(place);
    this.#times = this.#times.slice(place);
  }

  /** The last milestone whose sequence is at most this one, or the first milestone; -1 where there is none. */
  #placeOf(sequence: number): number {
    let low = 0;
    let high = this.#sequences.length - 1;
    if (high < 0) return -1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#sequences[middle] as number) <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #thin(): void {
    const times = this.#times;
    const last = times.length - 1;
    const newest = times[last] as number;
    const kept = [0];
    let lastKept = times[0] as number;
    for (let place = 1; place < last; place++) {
      const next = times[place + 1] as number;
      if (next - lastKept <= (newest - next) * spacing) continue;
      kept.push(place);
      lastKept = times[place] as number;
    }
    kept.push(last);
    const pick = (numbers: readonly number[]): number[] => kept.map((place) => numbers[place] as number);
    this.#sequences = pick(this.#sequences);
    this.#offsets = pick(this.#offsets);
    this.#times = pick(times);
  }
}
