/**
 * The heart, seen by those who serve clients: library, Redis protocol, admin API, lesson. They give it work to do on
 * keys and ask when its changes are kept and stored; they know nothing of cache, queue, writer and store.
 * write-behind.ts implements it.
 */
import type { Bytes, JsonBytes } from "./bytes.js";
import type { WriteBehindError } from "./errors.js";
import type { BatchReport, Emitter } from "./events.js";
import type { Durability } from "./queue/queue.js";
import type { Workspace } from "./workspace.js";

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

/** The verbs. */
export interface Heart {
  readonly events: Emitter;
  readonly durability: Durability;
  /**
   * Does work in one synchronous step, with every record that it reads in memory, and queues its changes as one frame.
   * Returns at once where all is in memory and there is room; else a promise. `work` may run more than once, and must
   * do nothing but use the workspace; a hash that it read must not leave it as it is (see Workspace.get). Throws what
   * `work` throws (nothing has changed then), and QUEUE_FULL, DISK_FULL, STORE_DOWN, TOO_LARGE, CLOSED, JOURNAL_FAILED.
   */
  execute<T>(work: (workspace: Workspace) => T, options?: WaitOptions): Executed<T> | Promise<Executed<T>>;
  /** The same for reading: changes that `work` makes are thrown away. */
  view<T>(work: (workspace: Workspace) => T, options?: WaitOptions): Executed<T> | Promise<Executed<T>>;
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
  /** The same for "in the database". Makes the writer hurry. The returned function calls the wait off. */
  whenStored(sequence: number, reached: Reached): () => void;
  /** The highest accepted and stored sequences. */
  readonly accepted: number;
  readonly stored: number;
  /** Waits until what is pending now (of these keys) is in the database. While paused it rejects with the hint `resume`. */
  flush(options?: WaitOptions & { readonly keys?: readonly Bytes[] | undefined }): Promise<FlushReport>;
  /** The writer stands still after the run in hand. Outlives a restart. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** One run now, paused or not. */
  step(): Promise<StepReport>;
  status(): Status;
  inspect(key: Bytes): Promise<Inspection>;
  /** Pending changes, oldest first. `after` is a position's text; an unknown one is BAD_VALUE. */
  pending(limit: number, after: string | null): Promise<QueuePage>;
  /** Drains within the deadline, then stops; says what is left. Called once more with 0, it drains no longer. */
  close(options?: { readonly deadlineMs?: number | undefined }): Promise<CloseReport>;
}

/** What a flush did. `parked`: positions that the database refused. */
export interface FlushReport {
  readonly stored: string | null;
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
    readonly oldestAgeMs: number;
    readonly durability: Durability;
    /** Positions as text. */
    readonly accepted: string;
    readonly durable: string;
    readonly stored: string | null;
    /** Up to here every commit was a past moment; null: no exception. */
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
  readonly deadLetters: { readonly count: number; readonly waitingBehind: number };
}

/** A record's value as JSON. */
export type JsonValue =
  | { readonly type: "string"; readonly value: JsonBytes; readonly expiresAt: number | null }
  | {
      readonly type: "hash";
      readonly fields: readonly (readonly [JsonBytes, JsonBytes])[];
      readonly expiresAt: number | null;
    };

/** A pending change as JSON. */
export interface JsonChange {
  readonly position: string;
  readonly key: JsonBytes;
  readonly kind: "replace" | "merge" | "remove" | "clear";
  /** The whole value of a replace, the fields set by a merge, null else. */
  readonly value: JsonValue | null;
  /** Fields that a merge takes out. */
  readonly unset: readonly JsonBytes[];
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
  readonly deadLetters: readonly string[];
}

/** Resolves once everything up to a sequence is as durable as was asked. Rejects UNKNOWN, CLOSED. */
export function kept(heart: Heart, sequence: number): Promise<void> {
  return new Promise((resolve, reject) => {
    heart.whenKept(sequence, (error) => (error === null ? resolve() : reject(error)));
  });
}
