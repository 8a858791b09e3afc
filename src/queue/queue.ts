/**
 * Station 2: the write queue, a durable, ordered log of frames. This file says what a frame and a position are and
 * what the writer needs of a queue; journal/ keeps it on disk.
 */
import type { RecordChange } from "../change.js";

/** The level of durability: which crash an answered write survives. */
export type Durability = "memory" | "os" | "disk" | "replicas";

/**
 * A place in the log, and proof of it: which log, the frame's number, and the checksum of the frame there. The
 * position before the first frame has the tag of the log's base (0 in a new log).
 */
export interface Position {
  /** 32 hexadecimal digits. */
  readonly logId: string;
  /** 1 for the first frame of a new log. */
  readonly sequence: number;
  /** The frame's checksum, an unsigned 32-bit number. */
  readonly tag: number;
}

/** What one command or transaction did: changes of distinct records, or "everything is gone" (FLUSHALL). */
export type FrameBody =
  | { readonly kind: "changes"; readonly changes: readonly RecordChange[] }
  | { readonly kind: "clear" };

/** The unit of the queue. Nothing ever cuts it. */
export interface Frame {
  readonly position: Position;
  /** Log time in milliseconds since 1970: never smaller than in the frame before. */
  readonly at: number;
  readonly body: FrameBody;
}

/** How much one run may take. */
export interface RunLimits {
  /** Bytes of raw log. */
  readonly bytes: number;
  /** Distinct records. */
  readonly records: number;
}

/** What waits in the queue when the writer asks. */
export interface Waiting {
  /** Age of the oldest frame after the asked position, in milliseconds. */
  readonly oldestAgeMs: number;
  /** Raw bytes of log that wait. */
  readonly bytes: number;
}

/** What a region has made of one record. */
export interface RegionChange extends RecordChange {
  /** The last frame of the region that changed it. */
  readonly sequence: number;
}

/**
 * A stretch of the log that stands no more as frames, but as one change for each record. The store is brought over it
 * by record, and is at no past moment until it is at `to`.
 */
export interface Region {
  readonly to: Position;
  /** Log time of the frame there. */
  readonly at: number;
  /** What it holds, and how many bytes that is. A record may come twice, then with the same change. */
  read(): AsyncIterable<{ readonly changes: readonly RegionChange[]; readonly bytes: number }>;
  /** Nobody brings the store over it any more: it may grow. May be called again. */
  close(): void;
}

/** The writer's side of a queue. */
export interface WriteQueue {
  /** Resolves when there is a frame after `sequence`. */
  waiting(sequence: number): Promise<Waiting>;
  /** Makes what is accepted durable where it is not yet, and says up to which sequence all is. The bound of a run. */
  durableMark(): Promise<number>;
  /** Throws QUEUE_MISMATCH unless the frame at `position` is still there and the same. */
  check(position: Position): Promise<void>;
  /**
   * Whether the frame at a position is still there and the same: asked of one that was read a while ago. Left out where
   * a log never goes back while it is open.
   */
  holds?(position: Position): Promise<boolean>;
  /** The position before the first frame that this log ever held: where an empty database starts. */
  base(): Promise<Position>;
  /**
   * The region that follows a position that was checked; null where frames do. It stays as it is until it is closed.
   * Left out where the queue has none.
   */
  region?(position: Position): Promise<Region | null>;
  /** Frames after `sequence` up to and including `upTo`, in order, in pieces of some hundreds. */
  read(sequence: number, upTo: number): AsyncIterable<readonly FrameOnDisk[]>;
  /** The store has committed everything up to here. */
  acknowledge(position: Position): void;
}

/** A frame and how many bytes of log it takes. */
export interface FrameOnDisk {
  readonly frame: Frame;
  readonly bytes: number;
}

/** A position as text: log id, sequence, tag in hexadecimal, joined by colons. */
export function positionText(position: Position): string {
  return `${position.logId}:${position.sequence}:${position.tag.toString(16).padStart(8, "0")}`;
}

/** A position from its text, or null where the text is none. */
export function positionOfText(text: string): Position | null {
  const match = /^([0-9a-f]{32}):(\d{1,16}):([0-9a-f]{8})$/.exec(text);
  if (match === null) return null;
  return { logId: match[1] as string, sequence: Number(match[2]), tag: Number.parseInt(match[3] as string, 16) };
}

/**
 * The queue that a log belongs to: the first 24 digits of its id. The logs of a queue that is cut into partitions have
 * those in common, and eight digits for the partition; of an embedded queue's random id they are as good as the whole.
 */
export function queueOf(logId: string): string {
  return logId.slice(0, 24);
}

/** Whether two positions are the same place of the same log. */
export function samePosition(a: Position, b: Position): boolean {
  return a.sequence === b.sequence && a.tag === b.tag && a.logId === b.logId;
}
