/**
 * What the database has refused, as the side that answers clients sees it: an overlay between a record's row and its
 * pending changes (promise 2: reads see a value although it is parked). The writer decides what is parked and keeps it
 * in the database; this is its picture in memory, put together from the writer's reports.
 */
import { jsonOfBytes, type Bytes } from "../bytes.js";
import { apply, type RecordChange, type RecordValue } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { ParkedOverlay, ParkedRecord, ParkedReport, ParkedTotals, UnparkedReport } from "../writer/messages.js";
import { ParkedFrames } from "./parked-frames.js";

/** The overlay, and what became of frames that were parked since the start. */
export class Parked {
  readonly frames = new ParkedFrames();
  #records = new Map<Bytes, ParkedRecord>();
  readonly bytesMax: number;
  #totals: ParkedTotals = { letters: 0, letterBytes: 0, waitingBehind: 0, behindBytes: 0 };
  /** What the database said of letters that were refused since the start. */
  readonly #reasons = new Map<string, string>();
  readonly #reasonOf = (letter: string): string | null => this.#reasons.get(letter) ?? null;

  /** `bytesMax`: memory for what waits behind letters. At so many bytes no more may come behind them. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Dead letters. */
  get count(): number {
    return this.#totals.letters;
  }

  /** How much is parked in all. */
  get totals(): ParkedTotals {
    return this.#totals;
  }

  /**
   * Throws QUEUE_FULL where changes that are to be one frame would wait behind letters, and there is no room (promise
   * 8). Frames of other records pass (promise 7), and so does the removal of one record: it only makes room.
   */
  checkRoom(changes: readonly RecordChange[]): void {
    if (this.#totals.behindBytes < this.bytesMax) return;
    const [first] = changes;
    if (changes.length === 1 && first?.change.kind === "remove") return;
    for (const { record } of changes) {
      const letter = this.letterOf(record);
      if (letter !== null) throw noRoomBehind(record, letter, this.#totals, this.bytesMax);
    }
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

  /** The records of which something is parked. */
  records(): Iterable<Bytes> {
    return this.#records.keys();
  }

  /** The sequence of the oldest letter; null where nothing is parked. */
  get oldest(): number | null {
    let oldest: number | null = null;
    for (const { letter } of this.#records.values()) oldest = Math.min(oldest ?? Number(letter), Number(letter));
    return oldest;
  }

  /** Ids of the letters that hold these records or that they wait behind. */
  lettersOf(records: readonly Bytes[]): readonly string[] {
    return [...new Set(records.map((record) => this.letterOf(record)))].filter((id) => id !== null);
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
  parked({ letter, frames, waitFor, records, ...totals }: ParkedReport): void {
    for (const [record, parked] of records) this.#records.set(record, parked);
    this.#totals = totals;
    if (letter !== null) this.#reasons.set(letter.id, letter.reason);
    frames.forEach((frame, at) => this.frames.add(frame, letter === null ? "behind" : "letter", waitFor[at] as string));
  }

  /** Letters and what was behind them are parked no longer. */
  unparked({ ids, records, how, gaveUpBehind, ...totals }: UnparkedReport): void {
    for (const record of records) this.#records.delete(record);
    this.#totals = totals;
    for (const id of ids) this.#reasons.delete(id);
    if (how === "discarded") this.frames.discarded(ids, gaveUpBehind);
    else this.frames.stored(ids);
  }
}

/** So much of a key is shown. */
const shownBytes = 64;

function noRoomBehind(record: Bytes, letter: string, totals: ParkedTotals, bytesMax: number): WriteBehindError {
  const shown = JSON.stringify(jsonOfBytes(record.slice(0, shownBytes) as Bytes));
  const message =
    `the change of ${shown}${record.length > shownBytes ? "…" : ""} would wait behind dead letter ${letter}, ` +
    `and what waits behind dead letters takes ${totals.behindBytes} bytes of memory and may take ${bytesMax}, ` +
    "as much as the cache: nothing was written";
  return new WriteBehindError("QUEUE_FULL", message, {
    hint:
      "see `write-behind dead list`, mend what the database objects to and retry, or discard; " +
      "changes of other records are taken",
  });
}
