/**
 * Who wants to know that a record changed: optimistic transactions and WATCH. Marked by changes and invalidation, and
 * by expiry as judged when asked; what the cache loads or forgets never trips a watch.
 */
import type { Bytes } from "../bytes.js";
import type { RecordValue } from "../change.js";

/** One watched record. */
export interface Watch {
  readonly record: Bytes;
  /** Whether the record changed, or ended, since the watch began. */
  changed(now: number): boolean;
  /** Gives the watch back. Every watch must be. */
  cancel(): void;
}

/** The watches, by record. */
export class WatchTable {
  readonly #watches = new Map<Bytes, Set<OneWatch>>();

  /** Whether nobody watches anything: hot paths ask first. */
  get isEmpty(): boolean {
    return this.#watches.size === 0;
  }

  /** Begins a watch. `value` is what is known of the record at this moment. */
  watch(record: Bytes, value: RecordValue | null | undefined, now: number): Watch {
    const watch = new OneWatch(record, now, (ended) => this.#cancel(ended));
    if (value !== undefined) watch.learn(value);
    const set = this.#watches.get(record);
    if (set === undefined) this.#watches.set(record, new Set([watch]));
    else set.add(watch);
    return watch;
  }

  /** The record was changed. */
  mark(record: Bytes): void {
    for (const watch of this.#watches.get(record) ?? []) watch.marked = true;
  }

  /** Everything was removed: what was absent is as it was. */
  markAll(): void {
    for (const set of this.#watches.values()) for (const watch of set) if (!watch.isAbsent) watch.marked = true;
  }

  /** The record was loaded: now its expiry is known. */
  learn(record: Bytes, value: RecordValue | null): void {
    for (const watch of this.#watches.get(record) ?? []) watch.learn(value);
  }

  #cancel(watch: OneWatch): void {
    const set = this.#watches.get(watch.record);
    if (set?.delete(watch) === true && set.size === 0) this.#watches.delete(watch.record);
  }
}

class OneWatch implements Watch {
  readonly record: Bytes;
  marked = false;
  /** Whether the record is known not to be there, unless a mark says that it has changed. */
  isAbsent = false;
  readonly #since: number;
  readonly #cancel: (watch: OneWatch) => void;
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(record: Bytes, since: number, cancel: (watch: OneWatch) => void) {
    this.record = record;
    this.#since = since;
    this.#cancel = cancel;
  }

  /** A record that had ended before the watch began cannot end again. */
  learn(value: RecordValue | null): void {
    this.isAbsent = value === null || (value.expiresAt !== null && value.expiresAt <= this.#since);
    if (value !== null && value.expiresAt !== null && value.expiresAt > this.#since) this.#endsAt = value.expiresAt;
  }

  changed(now: number): boolean {
    return this.marked || this.#endsAt <= now;
  }

  cancel(): void {
    this.#cancel(this);
  }
}
