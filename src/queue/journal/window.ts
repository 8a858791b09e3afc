/**
 * A window on an open segment: the bytes around the place that is read, filled in large pieces. Recovery, inspection
 * and the reader look at frames through it; it knows nothing of the order of segments.
 */
import type { DiskFile } from "../../host/host.js";
import { frameHeadBytes, lookAtFrame, mayBeFrame, type FrameHead, type Looked } from "./frame.js";
import { frameSeed, segmentHeaderBytes, segmentSeed, type SegmentHeader } from "./segment.js";

const pieceBytes = 256 * 1024;

/** A frame that a window found. `start` is where it lies in `buffer`, which the next fill overwrites. */
export interface Seen {
  readonly head: FrameHead;
  readonly offset: number;
  readonly buffer: Buffer;
  readonly start: number;
}

/** A frame that was searched for. */
export type Found = Pick<Seen, "head" | "offset">;

/** Looks at frames of one segment. */
export class Window {
  readonly header: SegmentHeader;
  readonly #file: DiskFile;
  readonly #seed: number;
  #buffer = Buffer.allocUnsafe(0);
  #from = 0;
  #count = 0;

  constructor(file: DiskFile, header: SegmentHeader) {
    this.#file = file;
    this.header = header;
    this.#seed = segmentSeed(header);
  }

  /** Forgets what was read: it may have been written meanwhile. */
  forget(): void {
    this.#count = 0;
  }

  /** What is at an offset, where the window holds enough to say. Never waits. */
  look(offset: number): Looked {
    const start = offset - this.#from;
    if (start < 0 || start > this.#count) return { state: "short", bytes: frameHeadBytes };
    return lookAtFrame(this.#buffer, start, this.#count, this.header.size - offset, frameSeed(this.#seed, offset));
  }

  /** The frame that `look` found there. */
  seen(offset: number, head: FrameHead): Seen {
    return { head, offset, buffer: this.#buffer, start: offset - this.#from };
  }

  /** What is at an offset, after reading as much as it needs. */
  async find(offset: number): Promise<Exclude<Looked, { state: "short" }>> {
    for (let read = -1; ; read = this.#count) {
      const looked = this.look(offset);
      if (looked.state !== "short") return looked;
      await this.#fill(offset, looked.bytes);
      // A file shorter than its header says: what is missing is no frame.
      if (this.#from === offset && this.#count < looked.bytes && read === this.#count) return { state: "none" };
    }
  }

  /**
   * The first frame from `offset` on that comes after `sequence` and says that all up to `durable` was durable, or null.
   * It looks at every byte, because behind a torn frame nobody knows where the next one begins.
   */
  async findFrame(offset: number, sequence: number, durable: number): Promise<Found | null> {
    for (let at = offset; at + frameHeadBytes <= this.header.size; at++) {
      const start = at - this.#from;
      if (start < 0 || start + frameHeadBytes > this.#count) {
        await this.#fill(at, frameHeadBytes);
        if (this.#count < frameHeadBytes) return null;
      }
      if (!mayBeFrame(this.#buffer, at - this.#from, sequence, durable)) continue;
      const looked = await this.find(at);
      if (looked.state === "frame") return { offset: at, head: looked.head };
    }
    return null;
  }

  /** Whether any byte from `offset` on is not zero. */
  async isDirtyFrom(offset: number): Promise<boolean> {
    for (let at = offset; at < this.header.size; at += this.#count) {
      await this.#fill(at, 1);
      if (this.#count === 0) return false;
      for (let i = 0; i < this.#count; i++) if (this.#buffer[i] !== 0) return true;
    }
    return false;
  }

  async #fill(offset: number, needed: number): Promise<void> {
    const length = Math.min(Math.max(pieceBytes, needed), Math.max(0, this.header.size - offset));
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafe(length);
    this.#count = 0;
    const count = await this.#file.read(this.#buffer, 0, length, offset);
    this.#from = offset;
    this.#count = count;
  }
}

/** Where the first frame of a segment is. */
export const firstFrameOffset = segmentHeaderBytes;
