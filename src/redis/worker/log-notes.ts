/** What is to be told of the frames of one partition: remembered where they were read, else read again. */
import type { RecordChange } from "../../change.js";
import type { FrameOnDisk } from "../../queue/queue.js";
import { baseOfBytes } from "../base-entry.js";
import type { BaseSeen, Claim, Keeper } from "../keeper.js";
import type { Freshness } from "./freshness.js";
import { pagesOfBase, pieceBytes, stateOf } from "./log-reads.js";
import { noteOf, Remembered, type FrameNote } from "./remembered.js";

/** What they are read with. */
export interface LogNotesParts {
  readonly keeper: Pick<Keeper, "states" | "frames" | "baseRecords">;
  readonly claim: Claim;
  readonly freshness: Freshness;
}

/** The notes of a partition's log. */
export class LogNotes {
  readonly #parts: LogNotesParts;
  readonly #remembered: Remembered;

  constructor(parts: LogNotesParts) {
    this.#parts = parts;
    this.#remembered = new Remembered((change) => this.#isDoubtful(change));
  }

  /** These frames were read. */
  remember(frames: readonly FrameOnDisk[]): void {
    this.#remembered.add(frames);
  }

  forget(): void {
    this.#remembered.clear();
  }

  forgetUpTo(sequence: number): void {
    this.#remembered.forgetUpTo(sequence);
  }

  /** Those after one up to another; null where some are not remembered. */
  remembered(from: number, to: number): readonly FrameNote[] | null {
    return this.#remembered.between(from, to);
  }

  /** Those after one up to another, in pieces; a base is one of them. */
  async *between(from: number, to: number): AsyncIterable<readonly FrameNote[]> {
    const remembered = this.#remembered.between(from, to);
    if (remembered !== null) {
      if (remembered.length > 0) yield remembered;
      return;
    }
    const { base } = await stateOf(this.#parts.keeper, this.#parts.claim.partition);
    if (base === null) {
      yield* this.#read(from, to);
      return;
    }
    yield* this.#read(from, Math.min(to, base.from.sequence));
    if (from < base.to.sequence && base.to.sequence <= to) yield* this.#ofBase(base);
    yield* this.#read(Math.max(from, base.to.sequence), to);
  }

  /** Log time of a frame; 0 where it is not in the log. */
  async logTimeOf(sequence: number): Promise<number> {
    const [first] = await this.#parts.keeper.frames(this.#parts.claim.partition, sequence - 1, 1);
    return first?.frame.at ?? 0;
  }

  async *#read(from: number, to: number): AsyncIterable<readonly FrameNote[]> {
    const { keeper, claim } = this.#parts;
    let after = from;
    while (after < to) {
      const frames = await keeper.frames(claim.partition, after, pieceBytes);
      const notes = frames
        .map((frame) => noteOf(frame, (change) => this.#isDoubtful(change)))
        .filter(({ sequence }) => sequence <= to);
      const last = notes.at(-1);
      if (last === undefined) return;
      yield notes;
      after = last.sequence;
    }
  }

  /** The keeper itself knows the base's bytes. */
  async *#ofBase(base: BaseSeen): AsyncIterable<readonly FrameNote[]> {
    const { keeper, claim } = this.#parts;
    const { to, at } = base;
    for await (const changes of pagesOfBase(keeper, claim.partition, base)) {
      const composed = [...changes].map(([record, entry]) => ({ record, change: baseOfBytes(entry).change }));
      const doubtful = composed.filter((change) => this.#isDoubtful(change)).map(({ record }) => record);
      yield [{ sequence: to.sequence, at, bytes: 0, records: [...changes.keys()], doubtful }];
    }
  }

  #isDoubtful(change: RecordChange): boolean {
    return this.#parts.freshness.mayDiffer(change);
  }
}
