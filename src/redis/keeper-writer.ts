/** What the writers of a fleet say to its keeper and hear of it: claims, how a partition is, what a commit has done. */
import type { Bytes } from "../bytes.js";
import type { Position } from "../queue/queue.js";

/** Proof of owning a partition: what a worker does to it passes only while the claim is the newest one. */
export interface Claim {
  readonly partition: number;
  readonly worker: string;
  /** Grows with every new owner. */
  readonly number: number;
}

/**
 * A stretch at the log's head that stands no more as frames, but as one change for each record (base-entry.ts). The
 * frame at `from` is in the log still.
 */
export interface BaseSeen {
  readonly from: Position;
  readonly to: Position;
  /** Log time of the frame at `to`. */
  readonly at: number;
  readonly records: number;
  readonly bytes: number;
}

/** Frames that become part of the base. */
export interface Compaction {
  /** Where the base ends; where there is none, where it begins: at `stored` or beyond. */
  readonly after: Position;
  readonly to: Position;
  /** Log time of the first frame after `after`. */
  readonly oldestAt: number;
  /** Log time of the frame at `to`. */
  readonly at: number;
  /** The records of these frames: what the base has of each from now on. */
  readonly changes: ReadonlyMap<Bytes, Bytes>;
  /** Bytes of log that these frames took. */
  readonly bytes: number;
}

/** How a partition is, for its writer, operators and status. */
export interface PartitionState {
  readonly partition: number;
  /** The last frame; the log's base where it never had one. */
  readonly head: Position;
  /** What a worker has said to be committed. */
  readonly stored: Position;
  /** As in `PartitionSeen`; 0 where nothing was ever committed. */
  readonly reached: number;
  /** How far the database may be: `stored`, or what a commit was to reach that has not been told as stored. */
  readonly aimed: Position;
  readonly base: BaseSeen | null;
  /** Log time of the frame that was committed last; `now` where nothing is pending. */
  readonly storedAt: number;
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** Log time of the oldest pending frame; null where nothing is pending. */
  readonly oldestAt: number | null;
  /** Why a person must act before anything of this partition is written or taken; null: nothing is wrong. */
  readonly broken: string | null;
  readonly owner: string | null;
  readonly letters: number;
  readonly waitingBehind: number;
  /** The name of what its owner has told last; null where none has told anything. */
  readonly heard: string | null;
}

/** A change of what is parked, as readers need it. */
export interface ParkedChange {
  /** Everything that is parked of a record now, encoded (parked-change.ts). */
  readonly put: ReadonlyMap<Bytes, Bytes>;
  readonly drop: readonly Bytes[];
  /** Frames that have been parked, and a letter that each waits for. */
  readonly frames: ReadonlyMap<number, string>;
  readonly totals: { readonly letters: number; readonly waitingBehind: number };
  /** What is known of these records is thrown away: their rows are what the database says. */
  readonly throwAway: readonly Bytes[];
  /**
   * All of it is new: what was there before goes first, and what is known of records that are parked no more is thrown
   * away.
   */
  readonly anew: boolean;
}

/**
 * One of the chain of things that an owner tells of its partition: done where the partition has heard `after` last
 * (null: whatever it has heard), and not done again where it has heard `name` already because an answer was lost. So
 * an owner finds out that the keeper went back.
 */
export interface Telling {
  readonly after: string | null;
  readonly name: string;
}

/** Records of a base, encoded. `next` is null after the last ones. */
export interface BasePage {
  readonly changes: ReadonlyMap<Bytes, Bytes>;
  readonly next: string | null;
}

/** A living worker. */
export interface WorkerSeen {
  readonly id: string;
  readonly seenAt: number;
  /** What it last said of itself, as JSON. */
  readonly report: string;
}

/** The fleet, as a beat sees it. */
export interface FleetSeen {
  readonly now: number;
  readonly paused: boolean;
  readonly workers: readonly WorkerSeen[];
  /** Owner of each partition; null where nobody's lease holds. */
  readonly owners: readonly (string | null)[];
}

/** Records of a run that the database has: what of them is clean may be forgotten from now on. */
export interface Stored {
  readonly position: Position;
  /** Log time of the frame there. */
  readonly at: number;
  readonly generation: number;
  /** Frames up to here are not needed any more to heal a database that goes back; never beyond `position`. */
  readonly trimTo: number;
  /** Bytes of log that are not pending any more. */
  readonly bytes: number;
  /** The last telling of `settle` that was to reach the partition before; null where there was none. */
  readonly settled: string | null;
}

/** Where a partition goes on after a person has decided. */
export interface Mended {
  /** What the database has been set to: a frame that the log has, or the base before its first frame. */
  readonly position: Position;
  /** Log time of the frame there. */
  readonly at: number;
  readonly generation: number;
  /** The last frame that the log has: what comes later is of a new epoch. */
  readonly head: number;
  /** Bytes of log after the position. */
  readonly bytes: number;
}
