/**
 * The write queue as the writer sees it: frames are read from the log itself, and what only the side that answers
 * clients knows (what waits, what is durable) is asked of it. The same on the caller's thread and on another.
 */
import type { FrameOnDisk, Position, Waiting, WriteQueue } from "../queue/queue.js";

/** What the side that answers clients is asked. */
export interface QueueSide {
  /** Calls `answer` once there is a frame after `sequence`. A newer question takes the place of an older one. */
  waiting(sequence: number, answer: (waiting: Waiting) => void): void;
  /** Makes what is accepted durable, and says up to which sequence all is. Rejects where the journal has failed. */
  durableMark(): Promise<number>;
}

/** The log, read with handles of one's own. */
export interface FrameReader extends Pick<WriteQueue, "check" | "base" | "read"> {
  close(): Promise<void>;
}

/** A reader of the log and the side's answers, joined. */
export class SideQueue implements WriteQueue {
  readonly #openFrames: () => Promise<FrameReader>;
  readonly #side: QueueSide;
  #frames: Promise<FrameReader> | null = null;

  /** The log is opened when it is first needed, and again where that failed. */
  constructor(openFrames: () => Promise<FrameReader>, side: QueueSide) {
    this.#openFrames = openFrames;
    this.#side = side;
  }

  waiting(sequence: number): Promise<Waiting> {
    return new Promise((resolve) => this.#side.waiting(sequence, resolve));
  }

  durableMark(): Promise<number> {
    return this.#side.durableMark();
  }

  async check(position: Position): Promise<void> {
    await (await this.#opened()).check(position);
  }

  async base(): Promise<Position> {
    return (await this.#opened()).base();
  }

  async *read(sequence: number, upTo: number): AsyncIterable<readonly FrameOnDisk[]> {
    yield* (await this.#opened()).read(sequence, upTo);
  }

  /** The report of the commit carries the position to the other side: nothing is left to do here. */
  acknowledge(): void {}

  /** Gives back the handles. */
  async close(): Promise<void> {
    const frames = this.#frames;
    this.#frames = null;
    if (frames !== null) await (await frames).close();
  }

  async #opened(): Promise<FrameReader> {
    this.#frames ??= this.#openFrames();
    try {
      return await this.#frames;
    } catch (error) {
      this.#frames = null;
      throw error;
    }
  }
}
