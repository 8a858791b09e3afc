/** What a worker says of itself with every beat, as JSON: status is put together from these. */

/** A worker's report. Times are milliseconds, moments since 1970. */
export interface WorkerReport {
  readonly version: string;
  readonly pid: number;
  readonly host: string;
  readonly store: {
    readonly kind: string;
    readonly state: "up" | "down" | "broken";
    readonly since: number;
    readonly error: string | null;
    readonly nextTryAt: number | null;
  };
  /** Since the worker's start. */
  readonly totals: {
    readonly batches: number;
    readonly rows: number;
    readonly coalesced: number;
    readonly retries: number;
    readonly lastCommitMs: number | null;
  };
  readonly partitions: readonly {
    readonly partition: number;
    readonly state: string;
  }[];
}
