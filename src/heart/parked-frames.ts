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
  /** The letters that it is or waits behind, as far as they are not in the database yet. */
  readonly letters: readonly string[];
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

  /** These frames were parked, ascending. */
  add(frames: readonly number[], what: Range["what"], letters: readonly string[]): void {
    for (const frame of frames) this.#add({ first: frame, last: frame, what, letters, discarded: false });
  }

  /** Frames from `first` to `last` were stored or parked, and nobody knows which. */
  addUnknown(first: number, last: number): void {
    this.#add({ first, last, what: "unknown", letters: [], discarded: false });
  }

  /** Letters and what waited behind them are in the database. */
  stored(ids: readonly string[]): void {
    const gone = new Set(ids);
    this.#ranges = this.#ranges.flatMap((range) => {
      if (range.discarded || !range.letters.some((id) => gone.has(id))) return [range];
      const letters = range.letters.filter((id) => !gone.has(id));
      return letters.length === 0 ? [] : [{ ...range, letters }];
    });
  }

  /** Letters were given up. */
  discarded(ids: readonly string[]): void {
    const gone = new Set(ids);
    this.#ranges = this.#ranges.map((range) =>
      range.letters.some((id) => gone.has(id)) ? { ...range, discarded: true } : range,
    );
  }

  /** These are all letters there are: what became of others, and of what waited behind them, was not told. */
  only(ids: ReadonlySet<string>): void {
    this.#ranges = this.#ranges.map((range) =>
      range.discarded || range.letters.every((id) => ids.has(id)) ? range : { ...range, what: "unknown", letters: [] },
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
      if (!range.discarded) for (const id of range.letters) letters.add(id);
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
    next.discarded === before.discarded &&
    next.letters.length === before.letters.length &&
    next.letters.every((id, index) => id === before.letters[index])
  );
}

function refused({ what, letters, discarded }: Range, reasonOf: (letter: string) => string | null): WriteBehindError {
  const names = `dead letter${letters.length === 1 ? "" : "s"} ${letters.join(", ")}`;
  if (discarded) {
    const message =
      what === "letter"
        ? `the database refused the change, and ${names} was discarded: it will not be written`
        : `the change waited behind ${names}, and that was discarded: it was written or given up with it`;
    return new WriteBehindError("REFUSED", message, { hint: "read the record to see what the database has" });
  }
  const id = letters[0] as string;
  const reason = reasonOf(id);
  const why = reason === null ? "" : `: ${reason}`;
  const message =
    what === "letter"
      ? `the database refused the change, which is ${names} now${why}`
      : `the change waits behind ${names}, which the database refuses${why}`;
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
