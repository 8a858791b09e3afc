/**
 * What the writer tells, and, where it has a thread of its own, what it and the side that answers clients say to each
 * other. Plain values: they may cross a thread.
 */
import type { PlainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { EngineOptions } from "../options.js";
import type { Position, Waiting } from "../queue/queue.js";
import type { StoreDescriptor } from "../store/store.js";

/** The options that the writer obeys. */
export type WriterOptions = Pick<
  EngineOptions,
  "delayMs" | "batchBytes" | "batchRecords" | "queueBytes" | "retryMinMs" | "retryMaxMs"
>;

/** What happened, told by the writer wherever it runs. */
export type WriterReport =
  /** The store is open and the position fits the queue. Told again where the store turned out to be somewhere else. */
  | { readonly type: "opened"; readonly position: Position; readonly kind: string; readonly place: string }
  | { readonly type: "committed"; readonly position: Position; readonly report: BatchReport }
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
  /** Answered by `done`. */
  | { readonly type: "pause"; readonly id: number }
  | { readonly type: "resume" }
  /** Answered by `done`. */
  | { readonly type: "step"; readonly id: number }
  /** Finish the run in hand, close the store, answer `stopped`. */
  | { readonly type: "stop" };

/** From the writer's thread. */
export type FromWriter =
  | WriterReport
  /** Say when there is a frame after this sequence. A newer `ask` takes the place of an older one. */
  | { readonly type: "ask"; readonly sequence: number }
  /** Make what is accepted durable, and say up to where. */
  | { readonly type: "mark" }
  /** Answers `pause` and `step`. */
  | {
      readonly type: "done";
      readonly id: number;
      readonly report: BatchReport | null;
      readonly error: PlainError | null;
    }
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
