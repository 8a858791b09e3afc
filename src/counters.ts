/**
 * What is counted while work is done: plain numbers, so that a hot path adds and does nothing else. Metrics read them
 * when they are asked for. What status says already is not counted again here.
 */
import { WriteBehindError, type ErrorCode, type PlainError } from "./errors.js";

/** How often something took how long. Numbers in buckets with fixed ends, in seconds. */
export class Histogram {
  /** Upper ends of the buckets, the end included; one more bucket takes what is longer. */
  readonly bounds: readonly number[];
  /** How many fell into each bucket, of that bucket alone. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = [...bounds, Infinity].map(() => 0);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (seconds > (this.bounds[bucket] ?? Infinity)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += seconds;
  }

  /** How often in all. */
  get count(): number {
    return this.counts.reduce((all, count) => all + count, 0);
  }
}

/** Commits of a database: from half a millisecond, which SQLite takes, to what a statement time-out ends. */
const commitBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Writes to a disk: from 50 µs, where it has a battery, to one that hangs. */
const syncBounds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/**
 * Why the writer has to try again: `retryable` (the database is away or busy), `moved` (the position was not the
 * expected one), `refused`, `broken` (the database is to be mended), `queue` (what waits cannot be read), `other`.
 */
export type RetryClass = (typeof retryClasses)[number];

/** Every class. */
export const retryClasses = ["retryable", "moved", "refused", "broken", "queue", "other"] as const;

/** How often, by class. */
export type Retries = Record<RetryClass, number>;

/** The class of what a try has failed of, as it was told. `broken`: it was told that a person must act. */
export function retryClass({ code }: PlainError, broken: boolean): RetryClass {
  switch (code) {
    case "STORE_DOWN":
      return broken ? "broken" : "retryable";
    case "TABLES_IN_USE":
      return "moved";
    case "REFUSED":
      return "refused";
    case "CACHE_DOWN":
    case "JOURNAL_DAMAGED":
    case "JOURNAL_FAILED":
    case "JOURNAL_VERSION":
    case "QUEUE_MISMATCH":
      return "queue";
    default:
      return "other";
  }
}

/** What is counted of writers: of the one of a heart, or of all those of a fleet's worker. */
export class WriterTally {
  readonly commitSeconds = new Histogram(commitBounds);
  readonly retries: Retries = { retryable: 0, moved: 0, refused: 0, broken: 0, queue: 0, other: 0 };

  committed(commitMs: number): void {
    this.commitSeconds.observe(commitMs / 1000);
  }

  /** A try has failed, and another one follows. */
  failed(error: PlainError, broken: boolean): void {
    this.retries[retryClass(error, broken)]++;
  }
}

/** How full the queue of one process is. */
export interface QueueGauges {
  /** Bytes of all files of the journal. */
  readonly journalBytes: number;
  /** So many pending bytes are taken. */
  readonly bytesMax: number;
  /** Whether the disk has no room for another file of the journal. */
  readonly diskFull: boolean;
}

/** The counters of one heart, since it was opened. */
export class Counters {
  /** Frames that were taken, and the changes in them. */
  accepted = 0;
  acceptedChanges = 0;
  /** Work that was to write and was refused, by the error's code. */
  readonly rejected = new Map<ErrorCode, number>();
  /** How long it took until a group of frames was on disk. */
  readonly syncSeconds = new Histogram(syncBounds);
  readonly writer: WriterTally;
  /** Null where the queue is not a journal of this process. */
  queue: () => QueueGauges | null = () => null;

  constructor(writer: WriterTally) {
    this.writer = writer;
  }

  /** Work was refused. What the caller's own code has thrown, or called off, is none of ours. */
  reject(error: unknown): void {
    if (!(error instanceof WriteBehindError)) return;
    this.rejected.set(error.code, (this.rejected.get(error.code) ?? 0) + 1);
  }
}
