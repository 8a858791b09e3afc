/**
 * Station 4: the database, seen by the rest as five verbs. Adapters live in folders beside this file and hold only
 * what differs between databases; contract/store.ts is the suite that every one of them passes.
 */
import type { Bytes } from "../bytes.js";
import type { Change, RecordChange, RecordValue } from "../change.js";
import { samePosition, type Position } from "../queue/queue.js";
import type { RouteSpec } from "../routes/route.js";
import type { TableSchema } from "../routes/table.js";

export type { RouteSpec, TableSchema };

/** Who opens the store for writing. */
export interface StoreClaim {
  /** The log id: a second live queue (see `queueOf`) on the same tables is refused (TABLES_IN_USE). */
  readonly logId: string;
  /** Which of the queue's logs, from 0 to 65,535. Left out it is 0: an embedded queue has no other. */
  readonly partition?: number | undefined;
  /** Sets the position, whatever queue wrote here before: what `write-behind adopt` does after it has asked. */
  readonly adopt?: Position | undefined;
}

/**
 * What the store knows of one partition when it is opened. A position of another log is given as it is and not
 * claimed: no commit will pass, and the queue that it belongs to may come back.
 */
export interface StoreOpened {
  /** How far a queue has been committed, or null where no queue ever wrote here. */
  readonly position: Position | null;
  /**
   * Grows with every claim, and see `generationAfter`. Every commit compares it together with the position. No less than
   * the milliseconds since 1970 by the database's clock: so where a database went back, nobody who claims it then has
   * the number of somebody who has claimed it before.
   */
  readonly generation: number;
  /**
   * What this partition has parked, in the order of the groups' ids. Of a store that leaves it out no batch ever parks
   * anything.
   */
  readonly parked?: readonly ParkedGroup[] | undefined;
  /** The last hundred positions that commits of this log have reached here, newest first. */
  readonly runEnds?: readonly Position[] | undefined;
  /** The tables of the store's routes, as they are now. All of them: what does not fit is thrown as `broken`. */
  readonly tables?: readonly TableSchema[] | undefined;
}

/** A frame that the database has refused: a dead letter. Its id, for people, is its sequence as decimal text. */
export interface Letter {
  readonly position: Position;
  /** Its changes, of distinct records. No other letter holds one of these records. */
  readonly changes: readonly RecordChange[];
  /** What the database said last. */
  readonly reason: string;
  /** When it was refused first, in log time: milliseconds since 1970. */
  readonly refusedAt: number;
  /** How often it was refused. */
  readonly tries: number;
}

/** What waits behind the letters of a record: its later changes, composed. */
export interface Behind {
  /** The last frame that was put behind. */
  readonly position: Position;
  readonly change: Change;
  /** How many frames it is made of. */
  readonly frames: number;
}

/**
 * Letters, and what waits behind, of records that frames have joined: written or given up in one transaction. A record
 * is in one group at the most, and its letter is older than what is behind it.
 */
export interface ParkedGroup {
  /** The sequence of its oldest letter: no other group of the partition has it. */
  readonly id: number;
  /** Oldest first. */
  readonly letters: readonly Letter[];
  readonly behind: ReadonlyMap<Bytes, Behind>;
}

/** What becomes of parked groups together with a batch: first `drop`, then `put`. */
export interface Parking {
  /** Groups that go, whole. One that is not there is none. */
  readonly drop: readonly number[];
  /**
   * What is new or different in groups: a letter takes the place of the one with its position, what is behind a record
   * that of what was there. The rest of the group stays, so a large group costs no more than what changed in it.
   */
  readonly put: readonly ParkedGroup[];
}

/** Where a database is with one partition, and which queue was there when. */
export interface LookedPosition {
  readonly partition: number;
  readonly position: Position | null;
  /** The queue that has claimed it; null where it was given back. */
  readonly owner: string | null;
  /** Milliseconds since the owner was last seen, by the database's clock. */
  readonly ageMs: number;
  /** As in `StoreOpened`. */
  readonly runEnds: readonly Position[];
}

/** A claim whose owner has not committed for so long, by the database's own clock, is stale. Milliseconds. */
export const claimStaleMs = 30_000;

/**
 * What coalescing makes of a run, and the position that is reached by it: one database transaction. A batch without
 * rows that stays where it is (`to` equals `expected`) sweeps and keeps the claim fresh: an idle writer commits one
 * at least every ten seconds.
 */
export interface Batch {
  /** As in the claim. Only this partition's position, claim and parked groups are compared and changed. */
  readonly partition?: number | undefined;
  /** Compared and set as the first statement of the transaction. Null where no queue ever wrote here. */
  readonly expected: Position | null;
  readonly generation: number;
  readonly to: Position;
  /** Everything in the own tables goes first, the partition's parked groups too (FLUSHALL). Then `rows` is empty. */
  readonly clear: boolean;
  /** One change for each distinct record, in the order of the records' first changes in the run. */
  readonly rows: ReadonlyMap<Bytes, Change>;
  /** Of how many frames that is; 0 or 1 cannot be cut. A store may refuse more, to be given them one by one. */
  readonly frames: number;
  /**
   * At the end: rows that expired at or before this log time are deleted, some at a time; null sweeps nothing. Rows of
   * parked records stay: what is parked may have prolonged their lives.
   */
  readonly sweepUpTo: number | null;
  /** What is parked or no longer so, in the same transaction: the position never passes what is not kept. */
  readonly parking: Parking | null;
}

/**
 * The generation that a store has after a batch: one more where the batch parks or unparks at the position where the
 * store is. The position cannot tell a store that went back to before that; the generation does, and no older commit
 * passes.
 */
export function generationAfter({ expected, to, generation, parking }: Batch): number {
  const stays = expected !== null && samePosition(expected, to);
  return stays && parking !== null ? generation + 1 : generation;
}

/** One page of records in binary key order. `next` is null after the last one, else what to pass as `after`. */
export interface Page {
  readonly records: readonly Bytes[];
  readonly next: Bytes | null;
}

/** The longest key (with a hash, key and field together) and value that the store takes, in bytes. */
export interface StoreLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
}

/** The database. A store that only reads need not be opened: `read` and `scan` work on a connection of their own. */
export interface Store {
  /** What it is, as status shows it: `sqlite`, `postgres`, `memory` … */
  readonly kind: string;
  /** Where it is, for people: a file or an address without password. */
  readonly place: string;
  readonly limits: StoreLimits;
  /**
   * Makes its own tables where they are missing, claims them, returns position and claim. May be called again at any
   * time, and is after every `moved` and `broken`: it then looks at everything afresh. One store may be opened for
   * several partitions, and called for one while a call for another is under way.
   */
  open(claim: StoreClaim): Promise<StoreOpened>;
  /** Commits a batch and its position, or throws a StoreError and has changed nothing (but see `moved`). */
  commit(batch: Batch): Promise<void>;
  /**
   * The rows of these records, in the order asked; null where there is none. Expired rows are given as they are.
   * `reached` is a position that the store is known to have reached, and a generation: one that has another queue's,
   * or is not as far any more at the moment it reads from (a restored backup), throws `moved`, so that nobody is given
   * rows of a past that is over. Where several partitions are concerned, it is a list with one for each.
   */
  read(records: readonly Bytes[], reached?: Reached): Promise<readonly (RecordValue | null)[]>;
  /**
   * Records after a key (null: from the start), at most `limit`, expired ones left out as of `nowMs`: of the own tables
   * in binary key order, or of one mapped table (named as the routes do) in the order of its key's index.
   */
  scan(after: Bytes | null, limit: number, nowMs: number, table?: string | null): Promise<Page>;
  /** Gives back the claim of one partition, for another process to take; the others stay. */
  release?(partition: number): Promise<void>;
  /** Gives back every claim and every connection. */
  close(): Promise<void>;
}

/** How far a store is or was, with its generation where that is known: the position does not tell what is parked. */
export interface ReachedMark extends Pick<Position, "logId" | "sequence"> {
  readonly generation?: number | undefined;
  /** As in the claim. */
  readonly partition?: number | undefined;
}

/** What a reader knows of the store: nothing, how far it was, or how far it was with each of several partitions. */
export type Reached = ReachedMark | readonly ReachedMark[] | null;

/** The marks, each of another partition. */
export function marksOf(reached: Reached): readonly ReachedMark[] {
  return reached === null ? [] : "logId" in reached ? [reached] : reached;
}

/** Whether a store that is at `found` may be read by who knows that it has been at `reached`. */
export function hasReached(found: ReachedMark | null, reached: ReachedMark | null): boolean {
  if (reached === null) return true;
  if (found === null || found.logId !== reached.logId || found.sequence < reached.sequence) return false;
  return (found.generation ?? Number.POSITIVE_INFINITY) >= (reached.generation ?? 0);
}

/** A store, seen by those who only read. */
export interface StoreReader extends Pick<Store, "read" | "scan" | "close"> {
  /** The tables are others than they were: what was found out about them is forgotten. */
  lookAfresh?(): void;
}

/**
 * What a store's error means for the writer. `retryable`: the same batch may succeed later. `refused`: the database
 * refuses a change for what it is. `moved`: the position or the claim was not the expected one, read it again.
 * `broken`: nothing will succeed until a person mends the database.
 */
export type StoreErrorKind = "retryable" | "refused" | "moved" | "broken";

/** An error of a store, already classified by its adapter. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;
  /**
   * A retryable failure that may be the batch's own fault: a statement that took too long, a connection that was
   * killed, a packet that is too large. Where it goes on while the database answers, the batch is halved.
   */
  readonly blamesBatch: boolean;
  /** There is nothing at the store's place: nothing is wrong with it, but a disk is not mounted, or its name is. */
  readonly away: boolean;
  /** Refused for a row that another one refers to and that is not there: it may be on its way in another partition. */
  readonly missesRow: boolean;

  constructor(
    kind: StoreErrorKind,
    message: string,
    cause?: unknown,
    { blamesBatch = false, away = false, missesRow = false } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.blamesBatch = blamesBatch;
    this.away = away;
    this.missesRow = missesRow;
  }
}

/** The kind of a store's error, or null where no store made it. A user's store may have its own copy of the class. */
export function storeErrorKind(error: unknown): StoreErrorKind | null {
  return error instanceof Error && error.name === "StoreError" ? (error as StoreError).kind : null;
}

/** Whether a store's error may be the batch's fault. A user's store may have an older copy of the class. */
export function blamesBatch(error: unknown): boolean {
  return storeErrorKind(error) === "retryable" && (error as Partial<StoreError>).blamesBatch === true;
}

/** Whether a store's error says that a foreign key finds no row. A user's store may have an older copy of the class. */
export function missesRow(error: unknown): boolean {
  return storeErrorKind(error) === "refused" && (error as Partial<StoreError>).missesRow === true;
}

/** Whether a store's error says that there is nothing at its place. */
export function isStoreAway(error: unknown): boolean {
  return storeErrorKind(error) !== null && (error as Partial<StoreError>).away === true;
}

/**
 * A store that another thread can make: the URL of a module that exports `createStore(options)`, and options that can
 * cross threads. `sqlite(…)` returns one.
 */
export interface StoreDescriptor {
  /** What it is, as status shows it until it has been opened: `sqlite`, … */
  readonly kind?: string;
  readonly module: string;
  readonly options: unknown;
  /** Which keys go to which table: put in by the engine, which has been given them. */
  readonly routes?: readonly RouteSpec[] | undefined;
  /** The longest key and value that it takes: longer ones are refused at the door. Left out: there is no limit. */
  readonly limits?: StoreLimits;
  /** Where cold reads run: on a thread of their own (a synchronous driver), or on the caller's. */
  readonly reads: "thread" | "caller";
}

/** What a descriptor's module exports. */
export interface StoreModule {
  createStore(options: unknown, routes?: readonly RouteSpec[]): Store;
  /**
   * The tables of these routes as they are, without a claim and without a change. Throws a StoreError where the
   * database cannot be reached. A module without it takes no routes.
   */
  lookAtTables?(options: unknown, routes: readonly RouteSpec[]): Promise<readonly TableSchema[]>;
  /**
   * Where the database is with every partition that was ever opened, without a claim and without a change; nothing
   * where no queue has ever been there. Throws a StoreError where it cannot be read.
   */
  lookAtPositions?(options: unknown): Promise<readonly LookedPosition[]>;
  /** The statements that make the own tables, for people who make them by hand. */
  sqlOfOwnTables?(options: unknown): string;
}
