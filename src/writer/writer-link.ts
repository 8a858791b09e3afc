/**
 * Where the writer runs: a store that a thread can make gets a thread of its own, a plain object stays on the caller's.
 * The heart holds both in the same way.
 */
import type { Host } from "../host/host.js";
import type { Store, StoreDescriptor } from "../store/store.js";
import type { WriterOptions } from "./messages.js";
import type { FrameReader } from "./side-queue.js";
import { WriterOnThread } from "./thread-link.js";
import type { WriterHandle, WriterReports } from "./writer-handle.js";
import { WriterHere } from "./writer-here.js";

export type { WriterHandle, WriterReports } from "./writer-handle.js";

/** What a writer is started with. */
export interface WriterSetup {
  readonly store: Store | StoreDescriptor;
  /** The journal's folder: a thread opens it by itself. */
  readonly folder: string;
  /** Opens the journal for reading on the caller's thread. */
  readonly frames: () => Promise<FrameReader>;
  readonly logId: string;
  /** Whether it starts paused. */
  readonly paused: boolean;
  readonly options: WriterOptions;
}

/** Starts a writer. Nothing is reported before the caller's synchronous step is over. */
export function startWriter(host: Host, setup: WriterSetup, reports: WriterReports): WriterHandle {
  const { store, folder, frames, logId, paused, options } = setup;
  if (isStore(store)) return new WriterHere(host, { store, frames, logId, paused, options }, reports);
  return new WriterOnThread(host, { store, folder, logId, paused, options: pickOptions(options) }, reports);
}

function isStore(store: Store | StoreDescriptor): store is Store {
  return "commit" in store;
}

/** Only what the writer obeys crosses the thread. */
function pickOptions(options: WriterOptions): WriterOptions {
  const { delayMs, batchBytes, batchRecords, cacheBytes, queueBytes, retryMinMs, retryMaxMs, deadLettersMax } = options;
  return { delayMs, batchBytes, batchRecords, cacheBytes, queueBytes, retryMinMs, retryMaxMs, deadLettersMax };
}
