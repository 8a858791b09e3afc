/** How it goes, in one value. Pure: everything is read, nothing is asked. */
import type { MemoryCache } from "../cache/memory-cache.js";
import type { WriteBehindError } from "../errors.js";
import type { Status } from "../heart.js";
import type { EngineOptions } from "../options.js";
import type { Journal } from "../queue/journal/journal.js";
import { withHint } from "./failures.js";
import type { WriterSide } from "./writer-side.js";

/** What status is made from. */
export interface StatusParts {
  readonly options: EngineOptions;
  readonly journal: Journal;
  readonly cache: MemoryCache;
  readonly side: WriterSide;
  readonly paused: boolean;
  readonly closing: boolean;
  readonly failure: WriteBehindError | null;
}

/** The status of an instance. */
export function describeStatus(parts: StatusParts): Status {
  const { cache, side, options } = parts;
  const { health, counters } = side;
  return {
    ...stateOf(parts),
    cache: {
      records: cache.records,
      bytes: cache.bytes,
      bytesMax: options.cacheBytes,
      hits: cache.hits,
      misses: cache.misses,
      evictions: cache.evictions,
    },
    queue: queueStatus(parts),
    writer: { ...counters },
    store: {
      kind: side.kind,
      state: health.state,
      since: health.since,
      error: health.error?.message ?? null,
      nextTryAt: health.nextTryAt,
    },
    deadLetters: deadLettersStatus(side.parked),
  };
}

function stateOf({ failure, closing, paused, side }: StatusParts): Pick<Status, "state" | "reason"> {
  if (failure !== null) return { state: "broken", reason: failure.message };
  if (side.health.state === "broken") return { state: "broken", reason: side.health.error?.message ?? "unknown" };
  if (side.unreadable !== null) return { state: "broken", reason: withHint(side.unreadable) };
  if (closing) return { state: "draining", reason: "stopping: what is pending is being written" };
  const stalled = side.stalled(paused);
  if (stalled !== null) return { state: "stalled", reason: stalled };
  if (paused) return { state: "paused", reason: "paused by an operator; `resume` goes on" };
  return { state: "running", reason: null };
}

function deadLettersStatus({ totals, bytesMax }: WriterSide["parked"]): Status["deadLetters"] {
  const { letters, letterBytes, waitingBehind, behindBytes } = totals;
  return { count: letters, bytes: letterBytes, waitingBehind, behindBytes, bytesMax };
}

function queueStatus({ journal, cache, side, options }: StatusParts): Status["queue"] {
  const waiting = journal.waitingAfter(side.stored);
  const pending = journal.accepted > side.stored;
  const oldestLetter = side.parked.oldest;
  return {
    pendingChanges: side.pendingChanges,
    pendingRecords: cache.pendingRecords,
    pendingBytes: pending ? waiting.bytes : 0,
    bytesMax: options.queueBytes,
    recordsMax: options.queueRecords,
    oldestAgeMs: pending ? Math.round(waiting.oldestAgeMs) : 0,
    durability: options.durability,
    accepted: `${journal.logId}:${journal.accepted}`,
    durable: `${journal.logId}:${journal.durable}`,
    stored: side.positionText,
    exactUpTo: oldestLetter === null ? null : `${journal.logId}:${oldestLetter - 1}`,
  };
}
