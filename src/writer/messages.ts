/**
 * What the writer tells, and, where it has a thread of its own, what it and the side that answers clients say to each
 * other. Plain values: they may cross a thread.
 */
import type { Bytes } from "../bytes.js";
import type { Change, RecordChange } from "../change.js";
import type { PlainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { EngineOptions } from "../options.js";
import type { Position, Waiting } from "../queue/queue.js";
import type { StoreDescriptor } from "../store/store.js";

/** The options that the writer obeys. */
export type WriterOptions = Pick<
  EngineOptions,
  | "delayMs"
  | "batchBytes"
  | "batchRecords"
  | "cacheBytes"
  | "queueBytes"
  | "retryMinMs"
  | "retryMaxMs"
  | "deadLettersMax"
>;

/** How much is parked in all. */
export interface ParkedTotals {
  /** Dead letters: frames that the database has refused. */
  readonly letters: number;
  /** Memory that they take, estimated. */
  readonly letterBytes: number;
  /** Changes that wait behind them: one for each frame and parked record in it. */
  readonly waitingBehind: number;
  /** Memory that those take, composed, estimated. */
  readonly behindBytes: number;
}

/** What is parked of one record. */
export interface ParkedRecord {
  /** All of it, composed: what the record's row lacks, before what is pending. */
  readonly change: Change;
  /** Id of the letter that holds the record, or that it waits for; it stays true while the record is parked. */
  readonly letter: string;
}

/** Everything that is parked. */
export interface ParkedOverlay extends ParkedTotals {
  readonly records: ReadonlyMap<Bytes, ParkedRecord>;
}

/** What one commit has parked. */
export interface ParkedReport extends ParkedTotals {
  /** The sequences of the frames, ascending: the letter itself, or those that were put behind letters. */
  readonly frames: readonly number[];
  /** For each of these frames a letter of the group that it is in: what becomes of that becomes of the frame. */
  readonly waitFor: readonly string[];
  /** The records of these frames: everything that is parked of each now. */
  readonly records: ReadonlyMap<Bytes, ParkedRecord>;
  /** The letter, where the commit has made one. */
  readonly letter: NewLetter | null;
}

/** A frame that has just become a dead letter. */
export interface NewLetter {
  /** Its sequence as decimal text. */
  readonly id: string;
  readonly position: Position;
  readonly records: readonly Bytes[];
  readonly reason: string;
}

/** What is parked no longer. */
export interface UnparkedReport extends ParkedTotals {
  /** The letters. */
  readonly ids: readonly string[];
  /** All records of their groups. */
  readonly records: readonly Bytes[];
  /**
   * `retried`: the database has taken letters and what was behind. `superseded`: it has taken a later write of the
   * whole record, or the clear, that leaves nothing of the letter. `discarded`: the letters were given up.
   */
  readonly how: "retried" | "superseded" | "discarded";
  /** With `discarded`: what was behind was given up, too; else the database has taken it. */
  readonly gaveUpBehind: boolean;
}

/** A dead letter, as a list shows it. */
export interface DeadLetter {
  readonly id: string;
  /** The oldest letter of its group: the whole group is retried or discarded with any letter of it. */
  readonly group: string;
  readonly position: Position;
  readonly changes: readonly RecordChange[];
  readonly reason: string;
  /** Log time, milliseconds since 1970. */
  readonly refusedAt: number;
  readonly tries: number;
  /** What waits behind the records of this letter, composed, and of how many frames. */
  readonly behind: readonly (RecordChange & { readonly frames: number })[];
  /** Changes that wait behind the whole group. */
  readonly waitingBehind: number;
}

/** A page of dead letters in the order of their positions. `next` is null after the last, else what to pass as `after`. */
export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  readonly next: string | null;
}

/** What became of a letter that was retried or discarded. */
export interface LetterOutcome {
  readonly id: string;
  readonly became: "stored" | "refused" | "discarded";
  /** What the database said, where it refused. */
  readonly reason: string | null;
  /** What a person can do about it. */
  readonly hint: string | null;
}

/** Which letters: by their ids, or all there are. */
export type LetterIds = readonly string[] | "all";

/** What is ordered of the writer and answered, and with what. */
export interface WriterAnswers {
  readonly pause: null;
  readonly step: BatchReport | null;
  readonly list: DeadLetterPage;
  readonly retry: readonly LetterOutcome[];
  readonly discard: readonly LetterOutcome[];
}

/** An order that is answered. */
export type WriterOrder =
  | { readonly type: "pause" }
  | { readonly type: "step" }
  /** Letters after this id (null: from the first), at most `limit`. */
  | { readonly type: "list"; readonly limit: number; readonly after: string | null }
  | { readonly type: "retry"; readonly ids: LetterIds }
  /** `behind`: what waits behind them is given up, too. */
  | { readonly type: "discard"; readonly ids: LetterIds; readonly behind: boolean };

/** What happened, told by the writer wherever it runs. */
export type WriterReport =
  /**
   * The store is open and the position fits the queue. Told again where the store turned out to be somewhere else.
   * `parked` is everything that is parked there.
   */
  | {
      readonly type: "opened";
      readonly position: Position;
      readonly kind: string;
      readonly place: string;
      readonly parked: ParkedOverlay;
    }
  /** What the store's generation is now. Told after the store was opened, and where parked groups have changed. */
  | { readonly type: "generation"; readonly generation: number }
  /** `parked`: what this commit has parked, null where it was nothing. */
  | {
      readonly type: "committed";
      readonly position: Position;
      readonly report: BatchReport;
      readonly parked: ParkedReport | null;
    }
  /** Told before the `committed` of a clear, which unparks everything. */
  | ({ readonly type: "unparked" } & UnparkedReport)
  /**
   * A try to open or commit failed in a way that may pass; the next try is in `delayMs` (while paused: when resumed or
   * stepped). `opening`: the store has not been open since the start.
   */
  | {
      readonly type: "retry";
      readonly error: PlainError;
      readonly attempt: number;
      readonly delayMs: number;
      readonly opening: boolean;
    }
  /** The store works again after one or more failures. */
  | { readonly type: "up"; readonly downMs: number }
  /**
   * Nothing more will be written until a person acts. The queue keeps everything; the writer looks again slowly. `away`:
   * there is nothing at the store's place.
   */
  | { readonly type: "broken"; readonly error: PlainError; readonly opening: boolean; readonly away: boolean }
  /** Something that an operator must know and that stops no write. */
  | { readonly type: "warning"; readonly text: string };

/** From the side that answers clients to the writer's thread. */
export type ToWriter =
  /** Answers `ask`. */
  | { readonly type: "waiting"; readonly sequence: number; readonly waiting: Waiting }
  /** Answers `mark`: everything up to here is durable. */
  | { readonly type: "durable"; readonly sequence: number }
  /** Answers `mark`: the journal has failed. */
  | { readonly type: "journalFailed"; readonly error: PlainError }
  | { readonly type: "hurry"; readonly upTo: number }
  | { readonly type: "lookAtStore" }
  | { readonly type: "resume" }
  /** Answered by `done`. */
  | { readonly type: "order"; readonly id: number; readonly order: WriterOrder }
  /** Finish the run in hand, close the store, answer `stopped`. */
  | { readonly type: "stop" };

/** From the writer's thread. */
export type FromWriter =
  | WriterReport
  /** Say when there is a frame after this sequence. A newer `ask` takes the place of an older one. */
  | { readonly type: "ask"; readonly sequence: number }
  /** Make what is accepted durable, and say up to where. */
  | { readonly type: "mark" }
  /** Answers `order`, with what WriterAnswers says for it, or with an error. */
  | { readonly type: "done"; readonly id: number; readonly answer: WriterAnswers[keyof WriterAnswers] }
  | { readonly type: "failed"; readonly id: number; readonly error: PlainError }
  | { readonly type: "stopped" };

/** What the writer's thread is started with. */
export interface WriterThreadData {
  readonly store: StoreDescriptor;
  /** The journal's folder. */
  readonly folder: string;
  readonly logId: string;
  readonly paused: boolean;
  readonly options: WriterOptions;
}
