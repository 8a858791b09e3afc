/**
 * Cache and write queue of a fleet, kept in one place that all of its processes share: the verbs. Each verb is one
 * atomic step there. redis-keeper.ts does them in a Redis by scripts; the simulator has a twin in memory, and
 * contract/keeper.ts is the suite that both pass. This file is not about who calls them: see front/ and worker/;
 * keeper-writer.ts has what the writers say and hear.
 *
 * The queue is cut into partitions: logs of their own, each with its own sequences and its own writer. A record is in
 * the partition that its name says (partition.ts). Sequences are ours and never the server's clock (promise 3): a
 * partition that was emptied, is older or has forked is found by the tag of its position.
 */
import type { Bytes } from "../bytes.js";
import type { RecordChange, RecordValue } from "../change.js";
import type { FrameOnDisk, Position } from "../queue/queue.js";
import type { ReachedMark } from "../store/store.js";
import type {
  BasePage,
  BaseSeen,
  Claim,
  Compaction,
  FleetSeen,
  Mended,
  ParkedChange,
  PartitionState,
  Stored,
  Telling,
} from "./keeper-writer.js";

export type * from "./keeper-writer.js";

/** Who this fleet is. Made once, by whoever comes first. */
export interface Fleet {
  /** 24 hexadecimal digits: the first of every partition's log id. */
  readonly id: string;
  /** Partitions: fixed at birth. */
  readonly partitions: number;
}

// The side that answers clients.

/** What is known of a record. `deadline` is when it ends, in log time; null for never. */
export type Known =
  | { readonly state: "value"; readonly value: RecordValue }
  /** There is no such record. */
  | { readonly state: "absent" }
  /**
   * Only the database knows the rest of it: a value is the row, `parked` laid over it, `overlay` laid over that.
   * `lost`: it is pending, and its value is not there although it should be; the log has its changes.
   */
  | {
      readonly state: "unknown";
      readonly parked: Bytes | null;
      readonly overlay: Overlay | null;
      readonly lost: boolean;
    }
  /** A key of a type that is none of ours lies where the record would be. */
  | { readonly state: "foreign" };

/** Fields that blind writes have set and taken out of a hash whose row is not known. */
export interface Overlay {
  readonly set: ReadonlyMap<Bytes, Bytes>;
  readonly unset: ReadonlySet<Bytes>;
  /** As in a merge: undefined keeps the row's. */
  readonly expiresAt: number | null | undefined;
}

/** Where a partition was when something was read of it: what a later write compares. */
export interface Mark {
  /** The sequence of its last frame. */
  readonly sequence: number;
  /** Grows whenever what is known of a record was thrown away (a dead letter was given up). */
  readonly thrown: number;
}

/** A partition, as a read saw it. */
export interface PartitionSeen extends Mark {
  readonly partition: number;
  /**
   * The furthest that the database is known to have been, for cold reads: what was settled is in it, told as stored or
   * not yet. Null before the first commit.
   */
  readonly reached: ReachedMark | null;
  /** As in `PartitionState`: what is read then may be older than what the database has. */
  readonly broken: string | null;
}

/** What a read saw, all at one moment. */
export interface Seen {
  /**
   * Log time, milliseconds since 1970: the keeper's clock, or the last frame of the partitions that were read where
   * that clock has gone back since. What has ended by then is absent.
   */
  readonly now: number;
  readonly partitions: readonly PartitionSeen[];
  /** In the order asked. */
  readonly records: readonly Known[];
}

/** A record that is read. */
export interface Asked {
  readonly partition: number;
  readonly record: Bytes;
}

/**
 * A frame to be written: changes of distinct records of one partition, if nothing has changed what it was made from.
 */
export interface FrameToWrite {
  readonly changes: readonly RecordChange[];
  /** Records that it was made from, and where the partition was when each was read. */
  readonly from: ReadonlyMap<Bytes, Mark>;
  /**
   * Log time by which it was made: its own is no earlier, so what had ended then is not alive in it. Left out where it
   * was made from nothing and ends nothing.
   */
  readonly at?: number | undefined;
}

/** Some of the records that are pending or parked; one may come twice. */
export interface UnsettledPage {
  /** Of each whether its removal is what is pending. */
  readonly records: ReadonlyMap<Bytes, "removed" | "other">;
  /** Where it goes on; null after the last ones. */
  readonly next: string | null;
}

/** How much may be pending in one partition. */
export interface Room {
  readonly bytes: number;
  readonly records: number;
  /** Age of the oldest pending change, in milliseconds; 0: whatever age. */
  readonly ageMs: number;
}

/**
 * What became of a frame. `conflict`: something it was made from has changed; nothing was written. `full`: no room.
 */
export type Outcome =
  | { readonly became: "kept"; readonly sequence: number }
  | { readonly became: "conflict" }
  | { readonly became: "full"; readonly what: "bytes" | "records" | "age" };

/** A value to be kept until it is written, or its room is needed. */
export interface Fill {
  readonly record: Bytes;
  readonly value: RecordValue | null;
  /** So long it may be answered from here, in milliseconds. */
  readonly freshMs: number;
}

/**
 * What processes of a fleet tell each other at once. Whoever is cut off misses it: it only hastens what is looked at
 * anyway.
 */
export type News =
  /** The database has reached a sequence. */
  | { readonly kind: "stored"; readonly partition: number; readonly sequence: number }
  /** Somebody waits for the database to reach a sequence. */
  | { readonly kind: "hurry"; readonly partition: number; readonly sequence: number }
  /** An operator asks something of the owner of a partition. */
  | { readonly kind: "order"; readonly partition: number }
  /** Workers come and go, or the fleet was paused or goes on. */
  | { readonly kind: "fleet" };

/** What an operator asks of the owner of a partition, as JSON, and under which id it is answered. */
export interface Order {
  readonly id: string;
  readonly text: string;
}

/**
 * The verbs. All of them reject CACHE_DOWN where the keeper cannot be reached (nothing was done), UNKNOWN where an
 * answer was lost, QUEUE_MISMATCH where the keeper is not the one that it was (emptied, exchanged) or a partition is
 * broken.
 */
export interface Keeper {
  /** For people: where it is, without user and password. */
  readonly place: string;
  /** The fleet; made here with so many partitions where there is none and `birth` allows it. Null: there is none. */
  fleet(birth: { readonly id: string; readonly partitions: number } | null): Promise<Fleet | null>;
  /** Reads records at one moment. With a `lease`, records that are not known may be filled by who holds it. */
  read(asked: readonly Asked[], lease: string | null): Promise<Seen>;
  /** Whether nothing has changed since these were read; all at one moment. */
  unchanged(partition: number, from: ReadonlyMap<Bytes, Mark>): Promise<boolean>;
  /** Writes frames in order: value and log in one step, each frame whole or not at all. */
  write(partition: number, frames: readonly FrameToWrite[], room: Room): Promise<readonly Outcome[]>;
  /**
   * Keeps what was loaded for a lease, of records that nobody has written since. Says for each whether it was taken.
   */
  fill(partition: number, lease: string, fills: readonly Fill[]): Promise<readonly boolean[]>;
  /**
   * About so many records of a partition that are pending or parked, after a cursor (null: from the first). One that is
   * so all the time comes once at least.
   */
  unsettled(partition: number, cursor: string | null, limit: number): Promise<UnsettledPage>;

  /** How partitions are. */
  states(partitions: readonly number[]): Promise<{ readonly now: number; readonly states: readonly PartitionState[] }>;
  /** The frames after a sequence, at most so many bytes of log or one entry; whole frames, in order. */
  frames(partition: number, after: number, bytesMax: number): Promise<readonly FrameOnDisk[]>;
  /** The position of a frame that the log has, or that was aimed at; null where it is not known, or not there yet. */
  positionAt(partition: number, sequence: number): Promise<Position | null>;

  /** A worker says that it lives; whoever has not for `leaseMs` is forgotten, and what it owned is free. */
  beat(worker: string, leaseMs: number, report: string): Promise<FleetSeen>;
  /** The fleet as it is, seen by who is no worker. */
  look(leaseMs: number): Promise<FleetSeen>;
  /**
   * Takes a free partition, or null where it is owned. `fromAnybody`: an owner loses it, and learns of that as of any
   * other loss.
   */
  claim(worker: string, partition: number, leaseMs: number, fromAnybody?: boolean): Promise<Claim | null>;
  /** Whether a claim still holds; prolongs it. */
  holds(claim: Claim, leaseMs: number): Promise<boolean>;
  /** Gives partitions back at once. */
  release(claim: Claim): Promise<void>;
  /** A worker leaves the fleet. */
  leave(worker: string): Promise<void>;

  /**
   * A commit is to bring the database to this position. Told before it, whatever becomes of it: so it is never at a
   * position of which nobody knows, also where the frame there is part of a base.
   */
  aim(claim: Claim, position: Position): Promise<void>;
  /** Puts frames into the base, and takes them out of the log. False: the base is another than was seen. */
  compact(claim: Claim, compaction: Compaction): Promise<boolean>;
  /** What the base has of these records, at one moment: of the first ones, up to so many bytes and one more. */
  baseOf(
    partition: number,
    records: readonly Bytes[],
    bytesMax: number,
  ): Promise<{ readonly base: BaseSeen | null; readonly changes: readonly (Bytes | null)[] }>;
  /**
   * About so many records of the base, after a cursor (null: from the first). While nothing is compacted every record
   * comes once at least.
   */
  baseRecords(partition: number, cursor: string | null, limit: number): Promise<BasePage>;

  /**
   * These records were in a committed run: clean ones may be forgotten after `freshMs`. The tellings of what belongs to
   * one `stored` are a chain of their own: false, and nothing was done, where this one does not follow on the last.
   */
  settle(claim: Claim, upTo: number, records: readonly Bytes[], freshMs: number, telling: Telling): Promise<boolean>;
  /**
   * The database has reached a position: told after `settle` of all records up to it. A base that ends there goes.
   * False, and nothing was done, where the telling does not follow on what was heard, or `settle` was not.
   */
  stored(claim: Claim, stored: Stored, telling: Telling): Promise<boolean>;
  /** What is parked has changed; told before `stored` of the commit that did it. False as of `stored`. */
  parked(claim: Claim, change: ParkedChange, telling: Telling): Promise<boolean>;
  /** Which frames from `first` to `last` are or were parked, and which letter each waits or waited for. */
  parkedBetween(partition: number, first: number, last: number): Promise<ReadonlyMap<number, string>>;
  /** The partition stops until a person has acted; null mends it. */
  break(partition: number, why: string | null): Promise<void>;
  /**
   * Some of the records that lie there, of whichever partition; `next` is null after the last ones. A record may
   * come twice.
   */
  records(after: string | null): Promise<{ readonly records: readonly Bytes[]; readonly next: string | null }>;
  /**
   * What is known of these records is forgotten, but for changes after `upTo`: what is clean, or not pending any
   * more.
   */
  forget(claim: Claim, upTo: number, records: readonly Bytes[]): Promise<void>;
  /**
   * The partition goes on at a position, broken no more, and nothing that was read before is written upon. False, and
   * nothing was done, where the log has grown since. Told after `forget` of all that is clean.
   */
  mend(claim: Claim, mended: Mended): Promise<boolean>;

  /** Tells all processes. */
  tell(news: News): Promise<void>;
  /** Hears what is told, until the returned function is called. Null: some of it may have been missed. */
  listen(hear: (news: News | null) => void): Promise<() => void>;
  /** All writers stand still, or go on; they see it with their next beat, and when they are told. */
  pause(paused: boolean): Promise<void>;
  /** Leaves an order for the owner of a partition, whoever that is or will be. It is forgotten after a minute. */
  order(partition: number, order: Order): Promise<void>;
  /** Takes the orders that were left for a partition. */
  orders(claim: Claim): Promise<readonly Order[]>;
  /** Answers an order. */
  answer(id: string, text: string): Promise<void>;
  /** Takes the answer to an order; null while there is none. */
  answerOf(id: string): Promise<string | null>;
  /**
   * A small text kept beside the fleet, and its replacement if it is still the one that was read. Null: there is
   * none.
   */
  note(name: string): Promise<string | null>;
  putNote(name: string, was: string | null, text: string): Promise<boolean>;
}
