/**
 * How many changes are pending. A frame counts for one change by itself; only frames of several changes are remembered,
 * so a backlog of plain writes costs nothing here. Pure.
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

  /** Changes in `frames` pending frames. */
  of(frames: number): number {
    return frames + this.#extra;
  }
}
