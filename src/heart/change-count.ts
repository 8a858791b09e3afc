/** Remembered frames at the most. Beyond that neighbours become one: memory is for records, not for changes. */
const framesMax = 65_536;

/**
 * How many changes are pending. A frame counts for one change by itself; only frames of several changes are remembered,
 * so a backlog of plain writes costs nothing here. Exact up to 65,536 such frames; beyond it the count is a little high
 * while the old ones are stored, never low, and 0 when all is. Pure.
 */
export class ChangeCount {
  /** Frames of several changes that are pending: their sequences, and how many changes each has beyond the first. */
  #sequences: number[] = [];
  #extras: number[] = [];
  #first = 0;
  #extra = 0;

  /** A frame was accepted. Sequences never go down. */
  accepted(sequence: number, changes: number): void {
    if (changes < 2) return;
    this.#sequences.push(sequence);
    this.#extras.push(changes - 1);
    this.#extra += changes - 1;
    if (this.#sequences.length - this.#first > framesMax) this.#joinNeighbours();
  }

  /** Everything up to here is stored. */
  stored(sequence: number): void {
    while (this.#first < this.#sequences.length && (this.#sequences[this.#first] as number) <= sequence) {
      this.#extra -= this.#extras[this.#first] as number;
      this.#first++;
    }
    if (this.#first < 4096 || this.#first * 2 < this.#sequences.length) return;
    this.#sequences = this.#sequences.slice(this.#first);
    this.#extras = this.#extras.slice(this.#first);
    this.#first = 0;
  }

  /** Frames near one another become one, that counts until the last of them is stored. */
  #joinNeighbours(): void {
    const first = this.#sequences[this.#first] as number;
    const last = this.#sequences[this.#sequences.length - 1] as number;
    const width = (last - first) / (framesMax / 2);
    const sequences: number[] = [];
    const extras: number[] = [];
    let from = Number.NEGATIVE_INFINITY;
    for (let at = this.#first; at < this.#sequences.length; at++) {
      const sequence = this.#sequences[at] as number;
      const extra = this.#extras[at] as number;
      if (sequence - from < width) {
        sequences[sequences.length - 1] = sequence;
        extras[extras.length - 1] = (extras[extras.length - 1] as number) + extra;
      } else {
        from = sequence;
        sequences.push(sequence);
        extras.push(extra);
      }
    }
    this.#sequences = sequences;
    this.#extras = extras;
    this.#first = 0;
  }

  /** So many are remembered. */
  get remembered(): number {
    return this.#sequences.length;
  }

  /** Changes in `frames` pending frames. */
  of(frames: number): number {
    return frames + this.#extra;
  }
}
