/**
 * What is true in a world: every frame that was accepted, what each record was after it, and what a crash has taken
 * away again. Plain maps and lists, no engine in here: this is what the engine is measured against. Only where an
 * operator gives frames up is the truth made anew of what the queue was given (and of the laws of changes, which have
 * tests of their own).
 */
import type { Bytes } from "../src/bytes.js";
import { apply, type RecordChange, type RecordValue } from "../src/change.js";
import type { Outcome } from "./operation.js";

/** An accepted frame and its effect: what each record that it touched was afterwards. */
export interface ModelFrame {
  readonly sequence: number;
  /** Log time of the work. */
  readonly at: number;
  readonly effects: ReadonlyMap<Bytes, RecordValue | null>;
}

interface Frame extends ModelFrame {
  readonly effects: Map<Bytes, RecordValue | null>;
  readonly clears: boolean;
  /** What the queue was given, and for which of it that was given up. */
  readonly changes: readonly RecordChange[];
  readonly givenUp: Set<Bytes>;
}

interface Version {
  readonly sequence: number;
  readonly value: RecordValue | null;
  /** Whether a reader can tell it from the one before. */
  readonly shows: boolean;
}

/** The truth. */
export class Model {
  readonly #frames: Frame[] = [];
  readonly #versions = new Map<Bytes, Version[]>();

  /** The sequence of the last frame; 0 where there is none. */
  get last(): number {
    return this.#frames.length;
  }

  /** Every record that ever was. */
  get records(): Iterable<Bytes> {
    return this.#versions.keys();
  }

  /** A frame was accepted. `changes`: what the queue was given, where frames may be given up. */
  accept(sequence: number, at: number, outcome: Outcome, changes: readonly RecordChange[] = []): ModelFrame {
    const effects = new Map(outcome.effects);
    if (outcome.clears) for (const record of this.#versions.keys()) effects.set(record, null);
    const frame: Frame = { sequence, at, effects, clears: outcome.clears, changes, givenUp: new Set() };
    this.#frames.push(frame);
    for (const [record, value] of effects) this.#put(frame, record, value);
    return frame;
  }

  /** These frames are given up, as far as they change this record: it is as if they had not done it. */
  giveUp(record: Bytes, sequences: readonly number[]): void {
    for (const sequence of sequences) this.#frames[sequence - 1]?.givenUp.add(record);
    this.#versions.set(record, []);
    let value: RecordValue | null = null;
    for (const frame of this.#frames) {
      const change = changeOf(frame, record);
      if (frame.clears) value = null;
      else if (change !== undefined && !frame.givenUp.has(record)) value = apply(value, change);
      if (frame.effects.has(record)) frame.effects.set(record, value);
      this.#put(frame, record, value);
    }
  }

  /** The sequences of the frames that change a record. */
  changesOf(record: Bytes): number[] {
    const changing = this.#frames.filter((frame) => frame.clears || changeOf(frame, record) !== undefined);
    return changing.map(({ sequence }) => sequence);
  }

  /** The last of them; 0 where there is none. */
  lastChangeOf(record: Bytes): number {
    return this.changesOf(record).at(-1) ?? 0;
  }

  /** Frames after this sequence were lost. */
  truncate(sequence: number): void {
    while (this.#frames.length > sequence) {
      const frame = this.#frames.pop() as Frame;
      for (const record of frame.effects.keys()) {
        const versions = this.#versions.get(record);
        if (versions?.at(-1)?.sequence === frame.sequence) versions.pop();
      }
    }
  }

  /** A frame, or undefined where there is none of this sequence. */
  frame(sequence: number): ModelFrame | undefined {
    return this.#frames[sequence - 1];
  }

  /** The newest value of a record. */
  readonly newest = (record: Bytes): RecordValue | null => this.#versions.get(record)?.at(-1)?.value ?? null;

  /** The sequence of the frame that a reader of this record sees the effect of; 0 where there is none. */
  shownBy(record: Bytes): number {
    return this.versions(record).findLast((version) => version.shows)?.sequence ?? 0;
  }

  /** The value of a record after a frame. */
  valueAt(record: Bytes, sequence: number): RecordValue | null {
    return this.versions(record).findLast((version) => version.sequence <= sequence)?.value ?? null;
  }

  /** Whether a reader can tell the record after this frame from the one before. */
  changedBy(record: Bytes, sequence: number): boolean {
    return this.versions(record).some((version) => version.sequence === sequence && version.shows);
  }

  /** Every version of a record, oldest first. */
  versions(record: Bytes): readonly Version[] {
    return this.#versions.get(record) ?? [];
  }

  #put({ sequence, at }: Frame, record: Bytes, value: RecordValue | null): void {
    const versions = this.#versions.get(record) ?? [];
    this.#versions.set(record, versions);
    const before = versions.at(-1)?.value ?? null;
    if (isSame(value, before)) return;
    versions.push({ sequence, value, shows: isLive(value, at) || isLive(before, at) });
  }
}

function changeOf({ changes }: Frame, record: Bytes): RecordChange["change"] | undefined {
  return changes.find((one) => one.record === record)?.change;
}

function isLive(value: RecordValue | null, now: number): boolean {
  return value !== null && (value.expiresAt === null || value.expiresAt > now);
}

function isSame(a: RecordValue | null, b: RecordValue | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.expiresAt !== b.expiresAt) return false;
  const { content } = b;
  if (typeof a.content === "string" || typeof content === "string") return a.content === content;
  return a.content.size === content.size && [...a.content].every(([field, value]) => content.get(field) === value);
}
