/**
 * The keys that are in memory, for whoever walks over all there are: which they are, and what memory alone can say of a
 * key. It counts nothing and keeps nothing alive. It does not know what is in the database, nor what is parked.
 */
import type { Bytes } from "../bytes.js";
import { hasEnded } from "../change.js";
import type { Entry } from "./entry.js";
import type { PendingSet } from "./pending-set.js";

/**
 * Whether there is such a record. `unknown`: nothing is pending, so there is if it has a row. `unsure`: it is pending,
 * and only its row or the log tell.
 */
export type Presence = "present" | "absent" | "unknown" | "unsure";

/** What the cache is made of, as far as this needs it. */
export interface CacheKeysParts {
  readonly entries: ReadonlyMap<Bytes, Entry>;
  readonly pending: Pick<PendingSet, "has">;
  /** Whether a frame that empties everything is pending. */
  readonly clearPending: () => boolean;
}

/** The keys of one cache. */
export class CacheKeys {
  /** All records are here: what is not is absent, and needs no look at the database (`resident`). */
  complete = false;
  readonly #parts: CacheKeysParts;

  constructor(parts: CacheKeysParts) {
    this.#parts = parts;
  }

  /** While it is so, the database still shows what is gone. */
  get clearPending(): boolean {
    return this.#parts.clearPending();
  }

  /** Whether the queue may hold a change of this record. */
  isPending(record: Bytes): boolean {
    const { entries, pending } = this.#parts;
    const entry = entries.get(record);
    return this.clearPending || (entry !== undefined && pending.has(entry));
  }

  presence(record: Bytes, now: number): Presence {
    const { entries, pending } = this.#parts;
    const entry = entries.get(record);
    if (entry === undefined) return this.clearPending || this.complete ? "absent" : "unknown";
    return presenceOf(entry, pending.has(entry), now);
  }

  /**
   * Every entry, in no order, also those that come while it goes on. One that is there all the time comes once; one
   * that leaves before its turn was clean.
   */
  *walk(): IterableIterator<{ readonly record: Bytes; readonly isPending: boolean }> {
    const { entries, pending } = this.#parts;
    for (const entry of entries.values()) yield { record: entry.record, isPending: pending.has(entry) };
  }
}

function presenceOf(entry: Entry, isPending: boolean, now: number): Presence {
  const { content, dropped, expiresAt, wholeAt, knownUntil } = entry;
  if (content === undefined) {
    if (!isPending) return "unknown";
    if (dropped && hasEnded(expiresAt, now)) return "absent";
    // What the log has whole is there, whatever was merged into it since.
    return dropped && wholeAt > 0 ? "present" : "unsure";
  }
  if (!isPending && knownUntil <= now) return "unknown";
  return entry.isLive(now) ? "present" : "absent";
}
