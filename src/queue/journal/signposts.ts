/**
 * Where frames begin in the log, every so many bytes: what it takes to read one frame out of the middle without reading
 * what lies before it. Numbers of a post are at the same place of two arrays. Pure.
 */

/** A frame, and where it begins in the log. */
export interface Post {
  readonly sequence: number;
  /** Bytes of frames before it, since the log's first. */
  readonly offset: number;
}

const spacingBytesMin = 64 * 1024;
const postsMax = 65_536;

/** The posts of one log. */
export class Signposts {
  readonly #spacingBytes: number;
  #sequences: number[] = [];
  #offsets: number[] = [];
  #next = 0;

  /** `logBytesMax`: so long may the log become; it decides how far the posts are apart. */
  constructor(logBytesMax: number) {
    this.#spacingBytes = Math.max(spacingBytesMin, logBytesMax / postsMax);
  }

  /** A frame begins here. `first`: it is the first one of a segment, and has a post in any case. */
  note(sequence: number, offset: number, first: boolean): void {
    if (offset < this.#next && !first) return;
    this.#next = offset + this.#spacingBytes;
    this.#sequences.push(sequence);
    this.#offsets.push(offset);
  }

  /** The last post that is not behind a frame; undefined where the frame is older than all posts. */
  before(sequence: number): Post | undefined {
    const place = this.#placeOf(sequence);
    if (place < 0) return undefined;
    return { sequence: this.#sequences[place] as number, offset: this.#offsets[place] as number };
  }

  /** Nobody will ask for what is before `sequence` any more. */
  forget(sequence: number): void {
    const place = this.#placeOf(sequence);
    // Moving the arrays costs their length: only when it is worth it.
    if (place < 64 || place * 2 < this.#sequences.length) return;
    this.#sequences = this.#sequences.slice(place);
    this.#offsets = this.#offsets.slice(place);
  }

  #placeOf(sequence: number): number {
    let low = -1;
    let high = this.#sequences.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#sequences[middle] as number) <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
