/** What a worker and whoever holds it say to each other, on one thread or across two. Plain values. */
import type { PlainError } from "../../errors.js";
import type { Routing } from "../../routes/route.js";
import type { StoreDescriptor } from "../../store/store.js";
import type { WorkerIdentity, WorkerOptions, WorkerReport } from "./report.js";

/** What a worker is started with, apart from its store. */
export interface WorkerSetup {
  /** URL of the Redis. */
  readonly cache: string;
  /** Id of the fleet that it works for: in no other one's name does it write, and it makes none. */
  readonly fleet: string;
  readonly options: WorkerOptions;
  readonly identity: WorkerIdentity;
  readonly routing?: Routing | undefined;
}

/** What a worker's thread is started with. */
export interface WorkerThreadData extends WorkerSetup {
  readonly store: StoreDescriptor;
}

/** To the worker's thread. */
export interface ToWorker {
  readonly type: "stop";
  readonly deadlineMs: number;
}

/** What a worker tells. */
export type WorkerTold =
  /** After each beat. */
  | { readonly type: "report"; readonly report: WorkerReport }
  /** Something that an operator must know and that stops no write. */
  | { readonly type: "warning"; readonly text: string }
  /** It does not run, and why: it is tried again, except where the URL or a package is wrong. */
  | { readonly type: "failed"; readonly error: PlainError };

/** From the worker's thread. */
export type FromWorker = WorkerTold | { readonly type: "stopped" };

/** A worker, held. */
export interface WorkerHandle {
  /** What it said last of itself; null before its first beat. */
  readonly report: WorkerReport | null;
  /**
   * Finishes the runs in hand, gives every partition back and leaves. What has not ended by then is given up: the
   * position in the database tells the next owner what became of it. Resolves with false where its thread does not end.
   */
  stop(deadlineMs: number): Promise<boolean>;
}
