/**
 * Where and when frames were accepted, roughly: what status and the writer's delay need, without reading the log. One
 * milestone is kept for each millisecond in which frames came; when there are too many, every other one of the older
 * half goes, so an answer is exact for what is recent and off by little, compared to its age, for what is old.
 */
const milestonesMax = 8192;

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
    const half = milestonesMax >> 1;
    const keep = (_: number, place: number): boolean => place >= half || place % 2 === 0;
    this.#sequences = this.#sequences.filter(keep);
    this.#offsets = this.#offsets.filter(keep);
    this.#times = this.#times.filter(keep);
  }
}
