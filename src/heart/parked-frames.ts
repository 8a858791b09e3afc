/** Which frames were parked, for those who ask later what became of theirs. Pure, bounded, and honest at its bound. */
import { WriteBehindError } from "../errors.js";

/** Ranges that are remembered: with 32 bytes or so each that is little, and nobody asks so long after. */
const rangesMax = 65_536;

/** Neighbouring frames of one fate. */
interface Range {
  readonly first: number;
  readonly last: number;
  /** `letter`: refused itself. `behind`: it waits behind letters. `unknown`: it may have been parked. */
  readonly what: "letter" | "behind" | "unknown";
  /** The letter, or one of the group that it waits in; null where that is unknown. */
  readonly letter: string | null;
  readonly discarded: boolean;
}

/** The memory. Frames are added in the order of their sequences. */
export class ParkedFrames {
  #ranges: Range[] = [];
  /** What was parked up to here may have been forgotten. */
  #forgotten = 0;
  readonly #rangesMax: number;

  constructor(max = rangesMax) {
    this.#rangesMax = max;
  }

  /** A frame was parked. */
  add(frame: number, what: "letter" | "behind", letter: string): void {
    this.#add({ first: frame, last: frame, what, letter, discarded: false });
  }

  /** Frames from `first` to `last` were stored or parked, and nobody knows which. */
  addUnknown(first: number, last: number): void {
    this.#add({ first, last, what: "unknown", letter: null, discarded: false });
  }

  /** Letters and what waited behind them are in the database. */
  stored(ids: readonly string[]): void {
    this.#change(ids, () => []);
  }

  /** Letters were given up, and what waited behind them as well or not. */
  discarded(ids: readonly string[], gaveUpBehind: boolean): void {
    this.#change(ids, (range) => (range.what === "letter" || gaveUpBehind ? [{ ...range, discarded: true }] : []));
  }

  /** These are all letters there are: what became of others, and of what waited behind them, was not told. */
  only(ids: ReadonlySet<string>): void {
    this.#ranges = this.#ranges.map((range) =>
      range.discarded || range.letter === null || ids.has(range.letter)
        ? range
        : { ...range, what: "unknown", letter: null },
    );
  }

  /** The database is where it was after this frame: what came later is pending once more. */
  cut(last: number): void {
    this.#ranges = this.#ranges.flatMap((range) =>
      range.first > last ? [] : [range.last > last ? { ...range, last } : range],
    );
  }

  /** Whether one of the frames from `first` to `last` was parked or may have been. */
  anyIn(first: number, last: number): boolean {
    if (first <= this.#forgotten) return true;
    const range = this.#ranges[this.#firstFrom(first)];
    return range !== undefined && range.first <= last;
  }

  /** The letters that frames from `first` to `last` are or wait behind. */
  lettersIn(first: number, last: number): readonly string[] {
    const letters = new Set<string>();
    for (let at = this.#firstFrom(first); at < this.#ranges.length; at++) {
      const range = this.#ranges[at] as Range;
      if (range.first > last) break;
      if (range.letter !== null && !range.discarded) letters.add(range.letter);
    }
    return [...letters];
  }

  /** Why a frame that the database's position has passed is not in it; null: it is. */
  refusal(sequence: number, reasonOf: (letter: string) => string | null): WriteBehindError | null {
    if (sequence <= this.#forgotten) return forgotten(sequence);
    const range = this.#ranges[this.#firstFrom(sequence)];
    if (range === undefined || range.first > sequence) return null;
    return range.what === "unknown" ? forgotten(sequence) : refused(range, reasonOf);
  }

  #change(ids: readonly string[], change: (range: Range) => readonly Range[]): void {
    const wanted = new Set<string | null>(ids);
    this.#ranges = this.#ranges.flatMap((range) =>
      !range.discarded && wanted.has(range.letter) ? change(range) : [range],
    );
  }

  #add(range: Range): void {
    const before = this.#ranges.at(-1);
    if (before !== undefined && isContinued(before, range)) {
      this.#ranges[this.#ranges.length - 1] = { ...before, last: range.last };
      return;
    }
    this.#ranges.push(range);
    if (this.#ranges.length <= this.#rangesMax) return;
    // Not one at a time: each would move all the others.
    const gone = this.#ranges.splice(0, Math.ceil(this.#rangesMax / 16));
    this.#forgotten = (gone.at(-1) as Range).last;
  }

  /** Place of the first range that does not end before this frame. */
  #firstFrom(sequence: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as Range).last < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isContinued(before: Range, next: Range): boolean {
  return (
    next.first === before.last + 1 &&
    next.what === before.what &&
    next.letter === before.letter &&
    next.discarded === before.discarded
  );
}

function refused({ what, letter, discarded }: Range, reasonOf: (letter: string) => string | null): WriteBehindError {
  const id = letter as string;
  const reason = reasonOf(id);
  const why = reason === null ? "" : `: ${reason}`;
  if (discarded) {
    const message =
      what === "letter"
        ? `the database refused the change, and dead letter ${id} was discarded: it will not be written`
        : `the change waited behind dead letter ${id}, and was discarded with it: it will not be written`;
    return new WriteBehindError("REFUSED", message, { hint: "read the record to see what the database has" });
  }
  const message =
    what === "letter"
      ? `the database refused the change, which is dead letter ${id} now${why}`
      : `the change waits behind dead letter ${id}, which the database refuses${why}`;
  return new WriteBehindError("REFUSED", message, {
    hint: `reads show the change; see write-behind dead show ${id}, mend what the database objects to and retry, or discard`,
  });
}

function forgotten(sequence: number): WriteBehindError {
  return new WriteBehindError(
    "UNKNOWN",
    `frame ${sequence} was stored, or parked as a dead letter: it is not known any more which`,
    { hint: "see write-behind inspect of the record" },
  );
}
