/** The writer as the heart holds it: what the heart may do with it, and what it hears from it. */
import type { PlainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Position } from "../queue/queue.js";
import type {
  DeadLetterPage,
  LetterIds,
  LetterOutcome,
  ParkedOverlay,
  ParkedReport,
  UnparkedReport,
  WriterReport,
} from "./messages.js";
import type { QueueSide } from "./side-queue.js";

/** What the writer asks of its owner and tells it. Everything is called from the event loop, nothing may throw. */
export interface WriterReports extends QueueSide {
  /**
   * The store is open and the position fits the queue. Told again when the writer was started again, and when the store
   * went back: `position` is then before what was committed, and the frames after it will be committed once more.
   * `parked` is everything that is parked there, and takes the place of what was told before.
   */
  opened(position: Position, kind: string, place: string, parked: ParkedOverlay): void;
  /** `parked`: what this commit has parked, null where it was nothing. */
  committed(position: Position, report: BatchReport, parked: ParkedReport | null): void;
  /** The store's generation: one with a lower one has gone back, whatever its position says. */
  generation?(generation: number): void;
  /** Some records are parked no longer: their rows are what the database says. */
  unparked(report: UnparkedReport): void;
  /** A try failed and will be made again in `delayMs`. `opening`: the store has not been open since the start. */
  retry(error: PlainError, attempt: number, delayMs: number, opening: boolean): void;
  /** The store works again. */
  up(downMs: number): void;
  /** Nothing is written until a person acts. The writer looks again every `retryMaxMs`. */
  broken(error: PlainError, opening: boolean, away: boolean): void;
  /** Something an operator must know and that stops no write. */
  warning?(text: string): void;
}

/** The writer, held. */
export interface WriterHandle {
  /**
   * Does not wait for company until this sequence is stored. To be called, too, when a client waits for room in the
   * queue.
   */
  hurry(upTo: number): void;
  /** A read has seen that the store is not where it was: see for yourself, and tell. */
  lookAtStore(): void;
  /** Resolves when the writer stands still: the run in hand was committed, or has failed. */
  pause(): Promise<void>;
  resume(): void;
  /** One run now, paused or not; null where nothing is pending. Rejects with what the run failed of. */
  step(): Promise<BatchReport | null>;
  /** Dead letters after this id (null: from the first), at most `limit`. Rejects BAD_VALUE where `after` is no id. */
  deadLetters(limit: number, after: string | null): Promise<DeadLetterPage>;
  /**
   * Tries these letters again now, paused or not, each group in a transaction of its own; says what became of every
   * letter of these groups. Rejects BAD_VALUE where an id is unknown (nothing is done), and where the store fails.
   */
  retryDeadLetters(ids: LetterIds): Promise<readonly LetterOutcome[]>;
  /**
   * Gives up these letters and the others of their groups. What waits behind them is written in the same transaction,
   * or given up as well; where the database refuses it nothing changes. Rejects as `retryDeadLetters` does.
   */
  discardDeadLetters(ids: LetterIds, behind: boolean): Promise<readonly LetterOutcome[]>;
  /**
   * Finishes the run in hand and closes the store. What has not ended after `deadlineMs` is given up: the position in
   * the store tells the next start what became of it. Resolves with false where its thread hangs in the store's driver
   * and does not end: then the process cannot exit by itself.
   */
  stop(deadlineMs?: number): Promise<boolean>;
}

/** How long stopping waits for a run in hand unless told otherwise, in milliseconds. */
export const stopDeadlineMs = 10_000;

/** How long a thread may take to end after that; one that listens takes no time. Milliseconds. */
export const endMs = 1000;

/** Hands a report to its method. */
export function tell(reports: WriterReports, report: WriterReport): void {
  switch (report.type) {
    case "opened":
      return reports.opened(report.position, report.kind, report.place, report.parked);
    case "committed":
      return reports.committed(report.position, report.report, report.parked);
    case "generation":
      return reports.generation?.(report.generation);
    case "unparked":
      return reports.unparked(report);
    case "retry":
      return reports.retry(report.error, report.attempt, report.delayMs, report.opening);
    case "up":
      return reports.up(report.downMs);
    case "broken":
      return reports.broken(report.error, report.opening, report.away);
    case "warning":
      return reports.warning?.(report.text);
  }
}
