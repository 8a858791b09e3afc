/**
 * Frames that this process has made: it numbers them in the order in which they were kept, and remembers where in which
 * partition each is. Bounded: of the oldest ones only how far each partition had come is remembered, so that who waits
 * for one of them waits for a few more. Pure bookkeeping.
 */

/** Neighbours: the numbers from `first` on are the sequences from `sequence` on. */
interface Range {
  readonly first: number;
  count: number;
  readonly partition: number;
  readonly sequence: number;
}

/** Ranges that are kept: some megabytes. */
const rangesMax = 50_000;

/** The frames. */
export class MadeFrames {
  #last = 0;
  #ranges: Range[] = [];
  /** Everything up to this number is stored once each partition has come as far as `#far` says. */
  #farUpTo = 0;
  #far: number[];

  constructor(partitions: number) {
    this.#far = Array.from({ length: partitions }, () => 0);
  }

  /** The number of the last one; 0 where there is none. */
  get last(): number {
    return this.#last;
  }

  /** A frame was kept. Says its number. */
  add(partition: number, sequence: number): number {
    const number = ++this.#last;
    const before = this.#ranges.at(-1);
    if (before !== undefined && before.partition === partition && before.sequence + before.count === sequence) {
      before.count++;
    } else {
      this.#ranges.push({ first: number, count: 1, partition, sequence });
      if (this.#ranges.length > rangesMax) this.#shorten(rangesMax / 2);
    }
    return number;
  }

  /** A partition counts anew from an earlier frame on: what is stored up to this number need not be remembered. */
  restart(storedUpTo: number): void {
    this.#ranges = this.#ranges.filter(({ first, count }) => first + count - 1 > storedUpTo);
    this.#far = this.#far.map(() => 0);
    this.#farUpTo = Math.max(this.#farUpTo, storedUpTo);
  }

  /** The ranges that hold frames of these numbers, cut to them. */
  between(first: number, last: number): readonly Readonly<Range>[] {
    const found: Range[] = [];
    for (let at = Math.max(0, this.#indexOf(first)); at < this.#ranges.length; at++) {
      const range = this.#ranges[at] as Range;
      const from = Math.max(first, range.first);
      const count = Math.min(last, range.first + range.count - 1) - from + 1;
      if (range.first > last) break;
      if (count > 0)
        found.push({ first: from, count, partition: range.partition, sequence: range.sequence + from - range.first });
    }
    return found;
  }

  /** How far each partition must have come for all frames up to this number to be stored. */
  farOf(number: number): readonly number[] {
    const far = [...this.#far];
    for (const range of this.#ranges) {
      if (range.first > number) break;
      const last = range.sequence + Math.min(range.count - 1, number - range.first);
      far[range.partition] = Math.max(far[range.partition] ?? 0, last);
    }
    return far;
  }

  /** The highest number up to which all is stored, where partitions have come so far. Forgets none of them. */
  storedUpTo(stored: readonly number[]): number {
    let upTo = this.#far.every((sequence, partition) => (stored[partition] ?? 0) >= sequence) ? this.#farUpTo : 0;
    if (upTo < this.#farUpTo) return upTo;
    for (const { first, count, partition, sequence } of this.#ranges) {
      const done = (stored[partition] ?? 0) - sequence + 1;
      if (done < count) return done <= 0 ? upTo : first + done - 1;
      upTo = first + count - 1;
    }
    return upTo;
  }

  /** Ranges that are stored need not be remembered one by one. */
  letGo(stored: readonly number[]): void {
    let count = 0;
    for (const { partition, sequence, count: frames } of this.#ranges) {
      if ((stored[partition] ?? 0) < sequence + frames - 1) break;
      count++;
    }
    // Some are kept: whoever waited asks what became of them.
    if (count > rangesMax / 10) this.#shorten(count - rangesMax / 20);
  }

  #shorten(count: number): void {
    for (const { first, count: frames, partition, sequence } of this.#ranges.splice(0, count)) {
      this.#far[partition] = Math.max(this.#far[partition] ?? 0, sequence + frames - 1);
      this.#farUpTo = first + frames - 1;
    }
  }

  /** The last range that begins at or before a number. */
  #indexOf(number: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as Range).first <= number) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
