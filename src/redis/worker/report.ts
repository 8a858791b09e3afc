/** What a worker says of itself with every beat, and what it is made with. Plain values: they cross threads as JSON. */
import type { Retries } from "../../counters.js";
import type { PlainError } from "../../errors.js";
import type { EngineOptions } from "../../options.js";
import type { WriterOptions } from "../../writer/messages.js";

/** What a worker obeys. */
export interface WorkerOptions extends WriterOptions, Pick<EngineOptions, "retainBytes" | "retainMs"> {
  /** A worker that has said nothing for so long has lost its partitions. Milliseconds. */
  readonly leaseMs: number;
  /** How long a clean record stays in the cache, in milliseconds. */
  readonly cacheTtlMs: number;
}

/** Who a worker is, for people. */
export interface WorkerIdentity {
  readonly version: string;
  readonly pid: number;
  readonly host: string;
}

/** One owned partition. */
export interface PartitionReport {
  readonly partition: number;
  /** `broken`: nothing of it is written until a person acts. `leaving`: it is being given back. */
  readonly state: "opening" | "running" | "paused" | "retrying" | "broken" | "leaving";
  /** What is the matter with it; null: nothing. */
  readonly error: PlainError | null;
  readonly lastCommitMs: number | null;
  readonly batches: number;
  readonly rows: number;
  /** Changes that coalescing has saved. */
  readonly coalesced: number;
  readonly retries: number;
}

/** The database, as this worker sees it. Moments are milliseconds since 1970. */
export interface StoreHealth {
  readonly kind: string;
  readonly state: "up" | "down" | "broken";
  readonly since: number;
  readonly error: PlainError | null;
  readonly nextTryAt: number | null;
}

/** What a worker has counted (WriterTally). */
export interface ReportedTally {
  /** For each bucket, and how long all took together, in seconds. */
  readonly commitCounts: readonly number[];
  readonly commitSum: number;
  readonly retries: Retries;
}

/** A worker. */
export interface WorkerReport extends WorkerIdentity {
  readonly id: string;
  readonly partitions: readonly PartitionReport[];
  /** Of all partitions that it has ever owned. */
  readonly totals: Pick<PartitionReport, "batches" | "rows" | "coalesced" | "retries">;
  /** Its commits, by how long they took, and its retries, by class; a worker of an earlier version does not tell. */
  readonly tally?: ReportedTally | undefined;
  readonly store: StoreHealth;
  /** Why it is not part of its fleet now; null: it is. */
  readonly error: PlainError | null;
}
