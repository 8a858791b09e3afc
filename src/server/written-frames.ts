/**
 * The frames that one connection has made and WAIT has not answered for: WAIT says whether the database has taken all
 * of them. Bounded: what is stored is looked up and let go, and where too much is pending neighbours become one, so
 * that another connection's parked frame between them may count as this one's. Never the other way round.
 */
import type { Written } from "../commands/command.js";
import type { Heart } from "../heart.js";

/** Ranges of frames that are kept before they are gone through: 64 KB or so. */
const rangesMax = 4096;

/** What is asked of the heart. */
export type Passed = { readonly stored: number; readonly deadLetters: Pick<Heart["deadLetters"], "anyIn"> };

/** The frames. */
export class WrittenFrames implements Written {
  last = 0;
  readonly #heart: Passed;
  /** First and last frame of each range, one after the other, ascending. */
  #ranges: number[] = [];
  #parked = false;

  constructor(heart: Passed) {
    this.#heart = heart;
  }

  /** A frame was made. */
  add(frame: number): void {
    const ranges = this.#ranges;
    if (frame === this.last + 1 && ranges.length > 0) {
      ranges[ranges.length - 1] = frame;
    } else {
      ranges.push(frame, frame);
      if (ranges.length > 2 * rangesMax) this.#shorten();
    }
    this.last = frame;
  }

  get anyParked(): boolean {
    this.#letGo();
    const { deadLetters } = this.#heart;
    for (let at = 0; at < this.#ranges.length && !this.#parked; at += 2) {
      this.#parked = deadLetters.anyIn(this.#ranges[at] as number, this.#ranges[at + 1] as number);
    }
    return this.#parked;
  }

  answered(): void {
    this.#ranges = [];
    this.#parked = false;
  }

  /** Looks up what became of the ranges that are stored, and keeps only that. */
  #letGo(): void {
    const { stored, deadLetters } = this.#heart;
    let at = 0;
    for (; at < this.#ranges.length && (this.#ranges[at + 1] as number) <= stored; at += 2) {
      this.#parked ||= deadLetters.anyIn(this.#ranges[at] as number, this.#ranges[at + 1] as number);
    }
    this.#ranges = this.#ranges.slice(at);
  }

  #shorten(): void {
    this.#letGo();
    if (this.#ranges.length <= rangesMax) return;
    const joined: number[] = [];
    for (let at = 0; at < this.#ranges.length; at += 4) {
      joined.push(this.#ranges[at] as number, (this.#ranges[at + 3] ?? this.#ranges[at + 1]) as number);
    }
    this.#ranges = joined;
  }
}
