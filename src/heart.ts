/**
 * The heart, seen by those who serve clients: library, Redis protocol, admin API, lesson. They give it work to do on
 * keys and ask when its changes are kept and stored; they know nothing of cache, queue, writer and store.
 * write-behind.ts implements it.
 */
import type { Bytes, JsonBytes } from "./bytes.js";
import type { JsonValue } from "./change-json.js";
import type { Counters } from "./counters.js";
import type { WriteBehindError } from "./errors.js";
import type { BatchReport, Emitter } from "./events.js";
import type { Durability } from "./queue/queue.js";
import type { Plan } from "./routes/plan.js";
import type { Workspace } from "./workspace.js";

export type { JsonValue } from "./change-json.js";

/** Work that was done. */
export interface Executed<T> {
  readonly value: T;
  /** The highest position among the records it touched: its reply must wait until `kept` has reached it. */
  readonly sequence: number;
  /** The sequence of the frame that it made, or 0 where it changed nothing. */
  readonly frame: number;
}

/** Called when what was waited for has come (null), or never will (the error). */
export type Reached = (error: WriteBehindError | null) => void;

/** Notices changes of one record. Loading and forgetting it are none; its expiry is one. */
export interface Watch {
  changed(nowMs: number): boolean;
  cancel(): void;
}

/** Waits may be called off. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How work is done. */
export interface WorkOptions extends WaitOptions {
  /** Work fails with a Conflict, having done nothing, where a record has changed since it was read under its watch. */
  readonly watches?: readonly Watch[] | undefined;
}

/** A record changed that somebody watches. */
export class Conflict extends Error {
  override readonly name = "Conflict";
}

/** A place in a walk over all keys. The heart that gave it understands it, as often as it is handed back. */
export interface KeysPlace {
  /** Keys that are kept in memory as long as the place is. */
  readonly held: number;
}

/** Some of all keys. */
export interface KeysPage {
  readonly keys: readonly Bytes[];
  /** Where it goes on; null: there are no more. */
  readonly next: KeysPlace | null;
}

/** The verbs. */
export interface Heart {
  readonly events: Emitter;
  /** What is counted while work is done; status has the rest. */
  readonly counters: Counters;
  readonly durability: Durability;
  /**
   * Does work in one synchronous step, with every record that it reads in memory, and queues its changes as one frame.
   * Returns at once where all is in memory and there is room; else a promise. `work` may run more than once, and must
   * do nothing but use the workspace; a hash that it read must not leave it as it is (see Workspace.get). Throws what
   * `work` throws (nothing has changed then), and QUEUE_FULL, DISK_FULL, STORE_DOWN, TOO_LARGE, CLOSED, JOURNAL_FAILED.
   */
  execute<T>(work: (workspace: Workspace) => T, options?: WorkOptions): Executed<T> | Promise<Executed<T>>;
  /** The same for reading: changes that `work` makes are thrown away. Its watches are not looked at, and may begin. */
  view<T>(work: (workspace: Workspace) => T, options?: WorkOptions): Executed<T> | Promise<Executed<T>>;
  /**
   * Some of all keys there are, in memory or in the database, in no order: about `limit` of them after a place, maybe
   * none; null begins. A key that is there as long as the walk goes on comes once at least, one that never is does not.
   * A reply that shows them waits for `accepted`. Rejects STORE_DOWN, CLOSED.
   */
  keys(after: KeysPlace | null, limit: number): Promise<KeysPage>;
  /** One of the keys, of those in memory where there are any; null where there are none. Rejects as `keys` does. */
  randomKey(): Promise<Bytes | null>;
  /** Resolves when `status` is as it is now: what many processes share must be asked for. */
  refresh?(): Promise<void>;
  /** Which key leads to which table; null without routes. */
  readonly plan: Plan | null;
  /** Notices every change of the record behind a key from now on; for optimistic transactions. */
  watch(key: Bytes): Watch;
  /** Called when the journal could not be written: nothing more will be taken. `serve` ends then. */
  onFailed(call: (error: WriteBehindError) => void): void;
  /** Every frame up to this sequence is as durable as was asked. */
  readonly kept: number;
  /** Calls back, in order of sequence, once `kept` has reached it; at once where it has. Error: UNKNOWN. */
  whenKept(sequence: number, reached: Reached): void;
  /** The same for "on disk, whatever the level": asks for a sync where the level does not sync by itself. */
  whenDurable(sequence: number, reached: Reached): void;
  /**
   * The same for "in the database, or parked": `deadLetters.refusal` tells which. Makes the writer hurry. The returned
   * function calls the wait off.
   */
  whenStored(sequence: number, reached: Reached): () => void;
  /** The highest accepted sequence, and the one that the database's position has reached. */
  readonly accepted: number;
  readonly stored: number;
  /** Waits until what is pending now (of these keys) is stored or parked. While paused it rejects with the hint `resume`. */
  flush(options?: WaitOptions & { readonly keys?: readonly Bytes[] | undefined }): Promise<FlushReport>;
  /** The writer stands still after the run in hand. Outlives a restart. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** One run now, paused or not. */
  step(): Promise<StepReport>;
  readonly deadLetters: DeadLetters;
  status(): Status;
  inspect(key: Bytes): Promise<Inspection>;
  /** The last changes of the record behind a key, pending or stored, as far as the log has them; oldest first. */
  recent(key: Bytes): Promise<Recent>;
  /** Pending changes, oldest first. `after` is a position's text; an unknown one is BAD_VALUE. */
  pending(limit: number, after: string | null): Promise<QueuePage>;
  /** Drains within the deadline, then stops; says what is left. Called once more with 0, it drains no longer. */
  close(options?: { readonly deadlineMs?: number | undefined }): Promise<CloseReport>;
}

/** What a flush did. */
export interface FlushReport {
  /** The position that the database has reached. */
  readonly stored: string | null;
  /** Ids of dead letters that keep changes of this flush from the database; where keys were named, any of theirs. */
  readonly parked: readonly string[];
}

/** What a step did; null where there was nothing to do. */
export interface StepReport {
  readonly batch: BatchReport | null;
}

/** What stopping left behind. */
export interface CloseReport {
  /** Whether everything is in the database. */
  readonly drained: boolean;
  readonly pendingChanges: number;
  /** Where what is left is safe: a sentence. Null where nothing is left. */
  readonly leftIn: string | null;
  /** Dead letters: they and what waits behind them are kept in the database, beside the data. */
  readonly deadLetters: number;
  /**
   * Whether a call into the database's driver does not return: then the process cannot exit before that does, but may
   * be killed. Nothing is lost by it.
   */
  readonly hangs: boolean;
}

/** What `GET /api/status`, `wb.status()` and `write-behind status --json` give. Times are milliseconds. */
export interface Status {
  readonly state: "running" | "paused" | "draining" | "stalled" | "broken";
  /** Why, in a sentence; null while running. */
  readonly reason: string | null;
  readonly cache: {
    readonly records: number;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly hits: number;
    readonly misses: number;
    readonly evictions: number;
  };
  readonly queue: {
    readonly pendingChanges: number;
    readonly pendingRecords: number;
    readonly pendingBytes: number;
    /** At so many pending bytes or records a write waits or is refused. */
    readonly bytesMax: number;
    readonly recordsMax: number;
    readonly oldestAgeMs: number;
    readonly durability: Durability;
    /** Positions as text. */
    readonly accepted: string;
    readonly durable: string;
    readonly stored: string | null;
    /**
     * Null: the database equals the cache at one past moment (promise 4), that of `stored`. Else something is parked,
     * and this is the position before the oldest dead letter: up to it nothing is missing in the database, and what
     * came later is there but for the dead letters and what waits behind them. Of a fleet also where a backlog was
     * composed while the database was down: the position before it, until all of it is stored.
     */
    readonly exactUpTo: string | null;
  };
  readonly writer: {
    readonly batches: number;
    readonly rows: number;
    /** Changes that needed no row of their own. */
    readonly coalesced: number;
    readonly lastCommitMs: number | null;
    readonly retries: number;
  };
  readonly store: {
    readonly kind: string;
    readonly state: "up" | "down" | "broken";
    /** Wall clock, milliseconds since 1970. */
    readonly since: number;
    readonly error: string | null;
    readonly nextTryAt: number | null;
  };
  /** Where many processes share cache and queue. */
  readonly fleet?: FleetStatus | undefined;
  /** Frames that the database refused, and changes that wait behind them. */
  readonly deadLetters: {
    readonly count: number;
    /** Memory that the letters take, estimated. */
    readonly bytes: number;
    readonly waitingBehind: number;
    /** Memory that what waits behind takes, estimated. */
    readonly behindBytes: number;
    /** Of each of the two: at so many no more may come behind, and the next letter stops the writer. */
    readonly bytesMax: number;
  };
}

/** A fleet: the processes that share cache and queue in one Redis. */
export interface FleetStatus {
  readonly place: string;
  /** Why this process can serve nobody now, such as a Redis that cannot be reached; null where it can. */
  readonly failure: string | null;
  /** What this Redis keeps of an answered write, in a sentence. */
  readonly keeps: string;
  readonly partitions: readonly {
    readonly partition: number;
    /** The worker that writes it; null where none does at this moment. */
    readonly owner: string | null;
    readonly pendingChanges: number;
    readonly pendingRecords: number;
    readonly pendingBytes: number;
    readonly oldestAgeMs: number;
    readonly deadLetters: number;
    /** Why it stands still until a person acts. */
    readonly broken: string | null;
  }[];
  readonly workers: readonly {
    readonly id: string;
    readonly seenAt: number;
    readonly seenAgoMs: number;
    /** What it says of itself; null where it is of a version that is not understood here. */
    readonly report: unknown;
  }[];
}

/** What a write does to one record, as JSON. */
export interface JsonRecordChange {
  readonly key: JsonBytes;
  readonly kind: "replace" | "merge" | "remove" | "clear";
  /** The whole value of a replace, the fields set by a merge, null else. */
  readonly value: JsonValue | null;
  /** Fields that a merge takes out. */
  readonly unset: readonly JsonBytes[];
}

/** A pending change as JSON. */
export interface JsonChange extends JsonRecordChange {
  readonly position: string;
  readonly acceptedAt: number;
}

/** A page of pending changes. */
export interface QueuePage {
  readonly items: readonly JsonChange[];
  readonly next: string | null;
}

/** One record everywhere: in the cache, in the queue, in the database. */
export interface Inspection {
  readonly key: JsonBytes;
  readonly record: JsonBytes;
  readonly field: JsonBytes | null;
  readonly route: string | null;
  /** `unknown`: not in memory. `absent`: known not to exist. */
  readonly cache: { readonly state: "present" | "absent" | "unknown"; readonly value: JsonValue | null };
  readonly queue: readonly JsonChange[];
  /** Read from the database itself, now. `error` where it cannot be reached. */
  readonly database: { readonly value: JsonValue | null; readonly error: string | null };
  /** Id of the dead letter that holds the record or that its changes wait behind: one at the most. */
  readonly deadLetters: readonly string[];
}

/** What was written to a record lately, and the dead letter that it is in, as `Inspection` has it. */
export interface Recent extends Pick<Inspection, "deadLetters"> {
  readonly changes: readonly JsonChange[];
}

/** Which dead letters: by their ids, or all there are. */
export type DeadLetterIds = readonly string[] | "all";

/** Changes that the database has refused, what waits behind them, and what a person can do about it. */
export interface DeadLetters {
  /** Oldest first. `after` is the id of a letter, or null. Rejects BAD_VALUE where it is no id. */
  list(limit: number, after: string | null): Promise<DeadLetterPage>;
  /** Tries letters again now, paused or not. Rejects BAD_VALUE for unknown ids, and then nothing was tried. */
  retry(ids: DeadLetterIds): Promise<DeadLetterReport>;
  /**
   * Gives letters up, and writes what waits behind them; with `behind` that is given up, too. Rejects BAD_VALUE for
   * unknown ids, and then nothing was given up.
   */
  discard(ids: DeadLetterIds, options?: { readonly behind?: boolean | undefined }): Promise<DeadLetterReport>;
  /** Why a frame up to `stored` is not in the database: REFUSED, or UNKNOWN where that was too long ago; null: it is. */
  refusal(sequence: number): WriteBehindError | null;
  /** Whether one of these frames, the first and the last included, is not in the database or may not be. */
  anyIn(first: number, last: number): boolean;
}

/** A frame that the database has refused, and what waits behind it. */
export interface DeadLetter {
  /** The frame's sequence as text. */
  readonly id: string;
  /** Id of the oldest letter of its group: letters that a frame has joined are retried or discarded together. */
  readonly group: string;
  readonly position: string;
  readonly changes: readonly JsonRecordChange[];
  /** What the database said. */
  readonly reason: string;
  /** When it was refused first: milliseconds since 1970. */
  readonly refusedAt: number;
  /** How often it was refused. */
  readonly tries: number;
  /** Later changes of its records, one composed of so many frames for each record. */
  readonly behind: readonly (JsonRecordChange & { readonly frames: number })[];
  /** Changes that wait behind the whole group. */
  readonly waitingBehind: number;
}

/** A page of dead letters, oldest first. */
export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  readonly next: string | null;
}

/** What became of letters that were retried or discarded, each with the others of its group. */
export interface DeadLetterReport {
  readonly items: readonly DeadLetterOutcome[];
  /** All are there: this is no page. */
  readonly next: null;
}

/** What became of one letter. `refused`: it is a dead letter as before, and `reason` is what the database said. */
export interface DeadLetterOutcome {
  readonly id: string;
  readonly became: "stored" | "refused" | "discarded";
  readonly reason: string | null;
  readonly hint: string | null;
}

/** The status as it is now: what many processes share is asked for, because it may have been seen a while ago. */
export async function statusNow(heart: Heart): Promise<Status> {
  await heart.refresh?.();
  return heart.status();
}

/** The state that turning the writer off or on has come to. */
export async function turned(heart: Heart, done: Promise<void>): Promise<Pick<Status, "state" | "reason">> {
  await done;
  const { state, reason } = heart.status();
  return { state, reason };
}

/** Resolves once everything up to a sequence is as durable as was asked. Rejects UNKNOWN, CLOSED. */
export function kept(heart: Heart, sequence: number): Promise<void> {
  return new Promise((resolve, reject) => {
    heart.whenKept(sequence, (error) => (error === null ? resolve() : reject(error)));
  });
}
