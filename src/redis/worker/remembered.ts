/**
 * Frames that were read and are not acknowledged yet: which records they changed. Only so is it known what to settle
 * without reading the log twice. It may forget: what is missing is read from the log again. Pure.
 */
import type { Bytes } from "../../bytes.js";
import type { RecordChange } from "../../change.js";
import type { FrameOnDisk } from "../../queue/queue.js";

/** What is known of one frame. */
export interface FrameNote {
  readonly sequence: number;
  /** Log time. */
  readonly at: number;
  readonly bytes: number;
  readonly records: readonly Bytes[];
  /** Those whose row may hold more than they were given. */
  readonly doubtful: readonly Bytes[];
}

/** What is to be remembered of a frame. */
export function noteOf({ frame, bytes }: FrameOnDisk, isDoubtful: (change: RecordChange) => boolean): FrameNote {
  const { position, at, body } = frame;
  const changes = body.kind === "clear" ? [] : body.changes;
  const records = changes.map(({ record }) => record);
  const doubtful = changes.filter(isDoubtful).map(({ record }) => record);
  return { sequence: position.sequence, at, bytes, records, doubtful };
}

/** The notes, of frames without a gap between them. */
export class Remembered {
  readonly #isDoubtful: (change: RecordChange) => boolean;
  #notes: FrameNote[] = [];

  /** `isDoubtful`: whether the row may hold more than a change says. */
  constructor(isDoubtful: (change: RecordChange) => boolean) {
    this.#isDoubtful = isDoubtful;
  }

  /** Takes notes of frames that follow one another. What was read last counts: a log may go back, and have others. */
  add(frames: readonly FrameOnDisk[]): void {
    for (const frame of frames) {
      const { sequence } = frame.frame.position;
      const known = sequence - (this.#notes[0]?.sequence ?? sequence);
      this.#notes.length = known < 0 || known > this.#notes.length ? 0 : known;
      this.#notes.push(noteOf(frame, this.#isDoubtful));
    }
  }

  /** The notes after `from` up to `to`; null where some are missing. */
  between(from: number, to: number): readonly FrameNote[] | null {
    const first = this.#notes[0];
    if (first === undefined || first.sequence > from + 1) return null;
    const at = from + 1 - first.sequence;
    const found = this.#notes.slice(at, at + to - from);
    return found.length === to - from ? found : null;
  }

  /** Forgets what is not after this frame. */
  forgetUpTo(sequence: number): void {
    const first = this.#notes[0];
    if (first !== undefined && first.sequence <= sequence) this.#notes.splice(0, sequence - first.sequence + 1);
  }

  /** Forgets everything. */
  clear(): void {
    this.#notes = [];
  }
}
