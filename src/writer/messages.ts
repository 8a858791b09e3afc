/** What the writer and the side that answers clients tell each other. Plain values: they may cross a thread. */
import type { PlainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Position } from "../queue/queue.js";

/** From the side that answers clients. */
export type ToWriter =
  /** Answers `ask`: something waits. */
  | { readonly type: "waiting"; readonly oldestAgeMs: number; readonly bytes: number }
  /** Answers `mark`: everything up to here is durable. */
  | { readonly type: "durable"; readonly sequence: number }
  /** Answers `mark`: the journal has failed, there will be no mark any more. */
  | { readonly type: "journalFailed"; readonly error: PlainError }
  /** Do not wait for company until the position has reached this sequence. Also ends a wait before a retry. */
  | { readonly type: "hurry"; readonly upTo: number }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  /** One run now, paused or not. Answered by `stepped`. */
  | { readonly type: "step"; readonly id: number }
  /** Finish the run in hand, close the store, answer `stopped`. */
  | { readonly type: "stop" };

/** From the writer. */
export type FromWriter =
  /** The store is open and the position fits the queue. */
  | { readonly type: "opened"; readonly position: Position; readonly kind: string; readonly place: string }
  | { readonly type: "ask"; readonly sequence: number }
  | { readonly type: "mark" }
  | { readonly type: "committed"; readonly position: Position; readonly report: BatchReport }
  | { readonly type: "stepped"; readonly id: number; readonly report: BatchReport | null; readonly error: PlainError | null }
  /** A try to open or commit failed in a way that may pass; the next try is in `delayMs`. */
  | { readonly type: "retry"; readonly error: PlainError; readonly attempt: number; readonly delayMs: number; readonly opening: boolean }
  /** The store works again after one or more retries. */
  | { readonly type: "up"; readonly downMs: number }
  /** Nothing more will be written until a person acts. The queue keeps everything. */
  | { readonly type: "broken"; readonly error: PlainError; readonly opening: boolean }
  | { readonly type: "stopped" };
