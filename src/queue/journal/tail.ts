/**
 * The end of the log, in memory: where the next frame goes, and the groups of encoded frames that wait to be written.
 * Synchronous, and the hot path of every write. It touches no file: journal.ts writes the groups, one at a time.
 *
 * A group is one write: frames that follow one another in one segment. Frames that arrive while a group is being
 * written go into the next one, so a slow disk makes groups larger, not more.
 */
import type { FrameBody } from "../queue.js";
import { encodeFrame, sealFrame } from "./frame.js";
import { frameSeed } from "./segment.js";
import type { Spare } from "./supply.js";
import { firstFrameOffset } from "./window.js";

/** A segment that frames are laid into. Its file gets its header and its name when its first group is written. */
export interface TailSegment {
  readonly spare: Spare;
  readonly index: number;
  readonly firstSequence: number;
  readonly logOffset: number;
  readonly atBefore: number;
  readonly seed: number;
  /** Whether header and name are on disk. */
  begun: boolean;
}

/** A write. */
export interface Group {
  readonly segment: TailSegment;
  /** Where in the segment it goes. */
  readonly offset: number;
  buffer: Buffer;
  length: number;
  firstLength: number;
  readonly firstSequence: number;
  lastSequence: number;
  lastTag: number;
}

const bufferBytesMin = 256 * 1024;
const groupBytesMax = 4 * 1024 * 1024;
const idleMax = 3;

/** The end of one log. */
export class Tail {
  #segment: TailSegment;
  #offset: number;
  #open: Group | null = null;
  readonly #closed: Group[] = [];
  readonly #idle: Buffer[] = [];

  constructor(segment: TailSegment, offset: number) {
    this.#segment = segment;
    this.#offset = offset;
  }

  get segment(): TailSegment {
    return this.#segment;
  }

  /** Whether a group waits that nothing more can be put into. */
  get hasFullGroup(): boolean {
    return this.#closed.length > 0;
  }

  /** Bytes in the group that is being filled. */
  get waitingBytes(): number {
    return this.#open?.length ?? 0;
  }

  /** Whether the segment that is being filled has no frame yet. */
  get isFresh(): boolean {
    return this.#offset === firstFrameOffset;
  }

  /** Whether a frame fits into the segment that is being filled. */
  fits(bytes: number): boolean {
    return this.#offset + bytes <= this.#segment.spare.size;
  }

  /** Goes on in another segment. */
  turnTo(segment: TailSegment): void {
    this.#close();
    this.#segment = segment;
    this.#offset = firstFrameOffset;
  }

  /** Lays down a frame of `length` bytes, which must fit. */
  append(body: FrameBody, length: number, sequence: number, at: number, durable: number): void {
    let group = this.#open;
    if (group === null || group.length + length > group.buffer.length) group = this.#groupFor(group, length, sequence);
    const start = group.length;
    encodeFrame(group.buffer, start, length, body, sequence, at);
    const seed = frameSeed(this.#segment.seed, this.#offset);
    group.lastTag = sealFrame(group.buffer, start, length, sequence - durable, seed);
    group.lastSequence = sequence;
    group.length = start + length;
    this.#offset += length;
  }

  /**
   * The next group to be written, or null. Its first frame is stamped with the newest durable mark, so that only the
   * last group of a log can be damaged without a witness.
   */
  next(durable: number): Group | null {
    if (this.#closed.length === 0) this.#close();
    const group = this.#closed.shift();
    if (group === undefined) return null;
    const seed = frameSeed(group.segment.seed, group.offset);
    const tag = sealFrame(group.buffer, 0, group.firstLength, group.firstSequence - durable, seed);
    if (group.firstSequence === group.lastSequence) group.lastTag = tag;
    return group;
  }

  /** A group has been written: its buffer may be used again. */
  written(group: Group): void {
    if (this.#idle.length < idleMax && group.buffer.length <= groupBytesMax) this.#idle.push(group.buffer);
  }

  #groupFor(full: Group | null, length: number, sequence: number): Group {
    if (full !== null && full.length + length <= groupBytesMax) {
      const size = Math.min(groupBytesMax, Math.max(full.buffer.length * 2, full.length + length));
      const larger = Buffer.allocUnsafeSlow(size);
      full.buffer.copy(larger, 0, 0, full.length);
      full.buffer = larger;
      return full;
    }
    this.#close();
    const idle = length <= bufferBytesMin ? this.#idle.pop() : undefined;
    const group: Group = {
      segment: this.#segment,
      offset: this.#offset,
      buffer: idle ?? Buffer.allocUnsafeSlow(Math.max(bufferBytesMin, length)),
      length: 0,
      firstLength: length,
      firstSequence: sequence,
      lastSequence: sequence,
      lastTag: 0,
    };
    this.#open = group;
    return group;
  }

  #close(): void {
    if (this.#open !== null) this.#closed.push(this.#open);
    this.#open = null;
  }
}
