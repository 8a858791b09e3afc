/**
 * What the database has refused, as the side that answers clients sees it: an overlay between a record's row and its
 * pending changes (promise 2: reads see a value although it is parked). The writer decides what is parked and keeps it
 * in the database; this is its picture in memory, put together from the writer's reports.
 */
import type { Bytes } from "../bytes.js";
import { apply, type RecordValue } from "../change.js";
import type { WriteBehindError } from "../errors.js";
import type { ParkedOverlay, ParkedRecord, ParkedReport, ParkedTotals, UnparkedReport } from "../writer/messages.js";
import { ParkedFrames } from "./parked-frames.js";

/** The overlay, and what became of frames that were parked since the start. */
export class Parked {
  readonly frames = new ParkedFrames();
  #records = new Map<Bytes, ParkedRecord>();
  #totals: ParkedTotals = { letters: 0, waitingBehind: 0 };
  /** What the database said of letters that were refused since the start. */
  readonly #reasons = new Map<string, string>();
  readonly #reasonOf = (letter: string): string | null => this.#reasons.get(letter) ?? null;

  /** Dead letters. */
  get count(): number {
    return this.#totals.letters;
  }

  /** Changes that wait behind them. */
  get waitingBehind(): number {
    return this.#totals.waitingBehind;
  }

  /** What a record holds when pending changes are left out: its row, which may be null, and what is parked of it. */
  over(record: Bytes, row: RecordValue | null): RecordValue | null {
    const parked = this.#records.get(record);
    return parked === undefined ? row : apply(row, parked.change);
  }

  /** Id of the letter that holds a record or that it waits behind, or null. */
  letterOf(record: Bytes): string | null {
    return this.#records.get(record)?.letter ?? null;
  }

  /** The letters that keep frames from `first` to `last` from the database; those of some records only, or null. */
  lettersIn(first: number, last: number, records: readonly Bytes[] | null): readonly string[] {
    const letters = this.frames.lettersIn(first, last);
    if (records === null) return letters;
    const wanted = new Set(records.map((record) => this.letterOf(record)));
    return letters.filter((id) => wanted.has(id));
  }

  /** Why a frame that the position has passed is not in the database; null: it is. */
  refusal(sequence: number): WriteBehindError | null {
    return this.frames.refusal(sequence, this.#reasonOf);
  }

  /** The store was opened: this is all. Gives the records of which what is parked may be another than before. */
  opened(overlay: ParkedOverlay): Iterable<Bytes> {
    const records = new Set([...this.#records.keys(), ...overlay.records.keys()]);
    this.#records = new Map(overlay.records);
    this.#totals = overlay;
    this.frames.only(new Set([...overlay.records.values()].map(({ letter }) => letter)));
    return records;
  }

  /** A commit has parked something. */
  parked({ letter, frames, records, ...totals }: ParkedReport): void {
    for (const [record, parked] of records) this.#records.set(record, parked);
    this.#totals = totals;
    if (letter !== null) this.#reasons.set(letter.id, letter.reason);
    const letters = new Set([...records.values()].map((parked) => parked.letter));
    this.frames.add(frames, letter === null ? "behind" : "letter", letter === null ? [...letters] : [letter.id]);
  }

  /** Letters and what was behind them are parked no longer. */
  unparked({ ids, records, how, ...totals }: UnparkedReport): void {
    for (const record of records) this.#records.delete(record);
    this.#totals = totals;
    for (const id of ids) this.#reasons.delete(id);
    if (how === "discarded") this.frames.discarded(ids);
    else this.frames.stored(ids);
  }
}
