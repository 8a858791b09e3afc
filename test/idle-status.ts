/** How things are where nothing happens, as status says it: for tests that change the one thing they are about. */
import type { FleetStatus, Status } from "../src/heart.js";

/** A server of its own that has nothing to do. */
export const idleStatus: Status = {
  state: "running",
  reason: null,
  cache: { records: 1, bytes: 20, bytesMax: 100, hits: 3, misses: 1, evictions: 0 },
  queue: {
    pendingChanges: 0,
    pendingRecords: 0,
    pendingBytes: 0,
    bytesMax: 2 ** 32,
    recordsMax: 2_000_000,
    oldestAgeMs: 0,
    durability: "disk",
    accepted: "a:1:0",
    durable: "a:1:0",
    stored: null,
    exactUpTo: null,
  },
  writer: { batches: 0, rows: 0, coalesced: 0, lastCommitMs: null, retries: 0 },
  store: { kind: "sqlite", state: "up", since: 0, error: null, nextTryAt: null },
  deadLetters: { count: 0, bytes: 0, waitingBehind: 0, behindBytes: 0, bytesMax: 1 },
};

/** A partition of a fleet that nobody writes, with nothing in it. */
export const idlePartition: FleetStatus["partitions"][number] = {
  partition: 0,
  owner: null,
  pendingChanges: 0,
  pendingRecords: 0,
  pendingBytes: 0,
  oldestAgeMs: 0,
  deadLetters: 0,
  broken: null,
};
