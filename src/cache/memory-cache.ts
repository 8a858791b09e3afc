/**
 * Station 1: answers at once. Records in memory, newest value first, bounded in bytes. It knows nothing of queue and
 * store: it is told of changes and of what the store has committed, and filled with rows that somebody else read.
 *
 * What it gives is always the record's true value, or "not known": the row, every change pending when its load began,
 * and every change since. A pending record is never evicted, because the row in the database is older (promise 2).
 */
import type { Bytes } from "../bytes.js";
import { apply, hasEnded, type Change, type RecordValue } from "../change.js";
import { CacheKeys } from "./cache-keys.js";
import { CleanSet, usesMax } from "./clean-set.js";
import { costOf, Entry } from "./entry.js";
import { mergeIntoContent, mergeIntoOverlay } from "./in-place.js";
import { forgetFrames, inLog, noteChange, PendingSet, takesNote } from "./pending-set.js";
import { Places, type Place } from "./places.js";
import { Sweep } from "./sweep.js";
import { WatchTable, type Watch } from "./watch.js";

export type { InLog } from "./pending-set.js";
export type { Place } from "./places.js";
export type { Watch } from "./watch.js";

/** How large, and how long absence is remembered. */
export interface MemoryCacheOptions {
  /** Memory for records and the objects around them, estimated. The keys of pending ones, and pins, may exceed it. */
  readonly bytesMax: number;
  /** How long it is remembered that the database has no such record. */
  readonly absentMs: number;
  /** How long a record may be answered from memory once its row was read or written, in ms; others write it, too. */
  readonly freshMs?: (record: Bytes) => number;
  /** Nothing is evicted, and what is forgotten because it may not be so is remembered as not known. */
  readonly resident?: boolean;
  /** Up to which sequence the log can be read: what pending records hold may be dropped up to there. */
  readonly readable?: () => number;
}

/** The cache. Every method is synchronous. `now` is log time, in milliseconds since 1970, and never goes back. */
export class MemoryCache {
  /**
   * The highest sequence among the records looked up since somebody set this to 0: the position that a reply made of
   * them waits for.
   */
  seen = 0;
  /** Counted since the start, for people. */
  hits = 0;
  misses = 0;
  evictions = 0;
  /** Which keys are here. */
  readonly keys: CacheKeys;
  readonly bytesMax: number;
  /** Above so many bytes something is evicted. */
  readonly #bytesMax: number;
  readonly #absentMs: number;
  readonly #readable: () => number;
  readonly #freshMs: (record: Bytes) => number;
  readonly #entries = new Map<Bytes, Entry>();
  readonly #clean = new CleanSet();
  readonly #pending = new PendingSet();
  readonly #places = new Places();
  readonly #pins = new Map<Bytes, number>();
  readonly #watches = new WatchTable();
  readonly #isPinned = (record: Bytes): boolean => this.#pins.size !== 0 && this.#pins.has(record);
  readonly #sweep = new Sweep();
  #now = 0;
  #bytes = 0;
  #latest = 0;
  #stored = 0;
  #cleared = 0;

  constructor(options: MemoryCacheOptions) {
    this.bytesMax = options.bytesMax;
    this.#bytesMax = options.resident === true ? Number.POSITIVE_INFINITY : options.bytesMax;
    this.#absentMs = options.absentMs;
    this.#readable = options.readable ?? (() => 0);
    this.#freshMs = options.freshMs ?? (() => Number.POSITIVE_INFINITY);
    const [entries, pending] = [this.#entries, this.#pending];
    this.keys = new CacheKeys({ entries, pending, clearPending: () => this.#clearPending });
  }

  /** Records of which something is in memory, known absences and pending changes included. */
  get records(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Records with a change that the store has not committed, or that has not been acknowledged here yet. */
  get pendingRecords(): number {
    return this.#pending.count;
  }

  get pendingBytes(): number {
    return this.#pending.bytes;
  }

  /**
   * The record's value; null where it is known to be absent, deleted or ended; undefined where it is not known.
   * Counts as a use, and as a hit or a miss. A hash is the cache's own: the next write may change it (promise 2), so
   * nobody keeps it beyond this synchronous step.
   */
  lookup(record: Bytes, now: number): RecordValue | null | undefined {
    const entry = this.#entries.get(record);
    const value = this.#valueOf(entry, now);
    if (value === undefined) {
      this.misses += 1;
      return undefined;
    }
    if (entry !== undefined && entry.uses < usesMax) entry.uses += 1;
    this.hits += 1;
    return value;
  }

  /** The same, but counts nothing and keeps nothing alive: for a write that does not need the value, and for people. */
  peek(record: Bytes, now: number): RecordValue | null | undefined {
    return this.#valueOf(this.#entries.get(record), now);
  }

  /** The sequence of the record's last change that is kept here; 0 where none is. A reply waits for it. */
  sequenceOf(record: Bytes): number {
    const entry = this.#entries.get(record);
    if (entry !== undefined) return entry.sequence;
    return this.#clearPending ? this.#cleared : 0;
  }

  /**
   * A frame with this change was queued at `sequence`. Sequences never go down. A merge of a record that is not in
   * memory is kept beside its unknown base until a fill brings that. Costs what the change changes.
   */
  write(record: Bytes, change: Change, sequence: number): void {
    if (!this.#places.isEmpty) this.#places.close(record);
    if (!this.#watches.isEmpty) this.#watches.mark(record);
    if (sequence < this.#latest) throw new Error(`sequence ${sequence} after ${this.#latest}`);
    this.#latest = sequence;
    let entry = this.#entries.get(record);
    if (entry === undefined) {
      entry = new Entry(record);
      if (this.#clearPending) [entry.value, entry.wholeAt] = [null, this.#cleared];
      this.#entries.set(record, entry);
      this.#change(entry, change, this.#clearPending);
      this.#pending.queue(entry, sequence);
    } else if (this.#pending.has(entry)) {
      // It keeps its place in the list: moving it to the end with every write costs more than the write.
      this.#change(entry, change, true);
      this.#pending.changed(entry, sequence);
    } else {
      entry.list?.remove(entry);
      this.#change(entry, change, false);
      this.#pending.queue(entry, sequence);
    }
    this.#recost(entry, entry.bytes + noteChange(entry, change, sequence));
    entry.sequence = sequence;
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  /** A frame that empties everything was queued at `sequence`: until the store has it, what is not here is absent. */
  clear(sequence: number): void {
    this.#entries.clear();
    this.#clean.empty();
    this.#pending.empty();
    this.#sweep.startAnew();
    this.#bytes = 0;
    this.#cleared = sequence;
    this.#latest = sequence;
    this.#places.closeAll();
    this.#watches.markAll();
  }

  /**
   * The store has committed everything up to here: those records become clean and may be evicted, some of them a little
   * later than they could, none sooner. Looks at `limit` records and says whether it is done; where it is not, calling
   * it again goes on, so that a large run need not hold up the clients.
   */
  acknowledge(sequence: number, limit = Number.POSITIVE_INFINITY): boolean {
    if (sequence > this.#stored) this.#stored = sequence;
    for (let left = limit; left > 0; left -= 1) {
      const entry = this.#pending.take(sequence);
      if (entry === null) break;
      if (entry.sequence <= sequence) this.#settle(entry);
      else this.#recost(entry, entry.bytes + this.#pending.requeue(entry, sequence, this.#latest));
    }
    if (this.#bytes > this.#bytesMax) this.#evict();
    return !this.#pending.isDue(sequence);
  }

  /** A load of this record begins; loads of one record at the same time share one place. */
  place(record: Bytes): Place {
    const shared = this.#places.shared(record);
    if (shared !== undefined) return shared;
    // While a clear is pending the database still shows what is gone: no row read now may come in.
    const entry = this.#entries.get(record);
    const log = entry?.dropped === true ? inLog(entry, this.#stored) : null;
    return this.#places.take(record, log !== null || !this.#clearPending, log);
  }

  /** Gives a place back without filling it: the load failed. */
  leave(place: Place): void {
    if (place.open) this.#places.close(place.record);
  }

  /**
   * Takes in a value that was read after the place was taken: the row, or what its `inLog` says. False where the right
   * was lost: look again, load again.
   */
  fill(place: Place, value: RecordValue | null, now: number): boolean {
    if (!place.open) return false;
    this.#places.close(place.record);
    if (now > this.#now) this.#now = now;
    let entry = this.#entries.get(place.record);
    if (entry === undefined) {
      entry = new Entry(place.record);
      this.#entries.set(place.record, entry);
    } else if (this.#pending.has(entry)) {
      if (entry.content === undefined) this.#giveBase(entry, value);
      return true;
    } else {
      entry.list?.remove(entry);
    }
    entry.value = value;
    if (!this.#watches.isEmpty) this.#watches.learn(place.record, value);
    this.#recost(entry);
    this.#makeClean(entry);
    if (this.#bytes > this.#bytesMax) this.#evict();
    return true;
  }

  /** Somebody else changed the row: what came from it is forgotten, what is pending stays. */
  invalidate(record: Bytes): void {
    this.#places.close(record);
    this.#watches.mark(record);
    const entry = this.#entries.get(record);
    if (entry === undefined) return;
    if (this.#pending.has(entry) && entry.sequence > this.#stored) {
      entry.stale = true;
    } else {
      entry.list?.remove(entry);
      this.#doubt(entry);
    }
  }

  /** What was read from the database may not be so (it went back): forgotten now, or as soon as it is clean. */
  forgetClean(): void {
    this.#places.closeAll();
    for (const entry of this.#entries.values()) {
      if (this.#pending.has(entry)) {
        entry.stale = true;
      } else {
        entry.list?.remove(entry);
        this.#doubt(entry);
      }
    }
  }

  /** The record stays in memory once it is there, until as many `unpin`. */
  pin(record: Bytes): void {
    this.#pins.set(record, (this.#pins.get(record) ?? 0) + 1);
  }

  unpin(record: Bytes): void {
    const pins = this.#pins.get(record);
    if (pins === undefined) throw new Error("unpin without pin");
    if (pins > 1) {
      this.#pins.set(record, pins - 1);
      return;
    }
    this.#pins.delete(record);
    const entry = this.#entries.get(record);
    if (entry !== undefined) this.#clean.unhold(entry);
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  /** Watches a record from now on. */
  watch(record: Bytes, now: number): Watch {
    return this.#watches.watch(record, this.peek(record, now), now);
  }

  /**
   * Looks at the next `limit` records and forgets the clean ones that have ended, to free their memory; says how many.
   * Nothing depends on it: an ended record reads as absent anyway.
   */
  expire(now: number, limit: number): number {
    if (now > this.#now) this.#now = now;
    const forgotten = this.#sweep.next(this.#entries.values(), limit, (entry) => {
      if (entry.content === undefined || this.#pending.has(entry) || this.#isPinned(entry.record)) return false;
      if (entry.knownUntil > now && (entry.content === null || entry.isLive(now))) return false;
      entry.list?.remove(entry);
      this.#forget(entry);
      return true;
    });
    if (this.#bytes > this.#bytesMax) this.#evict();
    return forgotten;
  }

  get #clearPending(): boolean {
    return this.#cleared > this.#stored;
  }

  #valueOf(entry: Entry | undefined, now: number): RecordValue | null | undefined {
    if (now > this.#now) this.#now = now;
    if (entry === undefined) {
      if (!this.#clearPending) return this.keys.complete ? null : undefined;
      if (this.#cleared > this.seen) this.seen = this.#cleared;
      return null;
    }
    if (entry.sequence > this.seen) this.seen = entry.sequence;
    if (entry.content === undefined) return entry.dropped && hasEnded(entry.expiresAt, now) ? null : undefined;
    // What is pending is true however old, and what a command has pinned stays as it was loaded.
    if (entry.knownUntil <= this.#now && !this.#pending.has(entry) && !this.#isPinned(entry.record)) return undefined;
    return entry.content !== null && entry.isLive(now) ? entry.value : null;
  }

  /** Applies a change. `based`: an absence known here is the base of a merge, because it is pending itself. */
  #change(entry: Entry, change: Change, based: boolean): void {
    if (change.kind !== "merge") {
      entry.value = change.kind === "remove" ? null : change;
      entry.overlay = null;
      entry.stale = false;
      entry.dropped = false;
      return this.#recost(entry);
    }
    // Of what was dropped the expiry stays, for whoever asks whether the record has ended.
    if (entry.dropped && change.expiresAt !== undefined) entry.expiresAt = change.expiresAt;
    // The merge is in the log, as its base is.
    if (entry.dropped && takesNote(entry)) return this.#recost(entry);
    if (entry.content === undefined || (entry.content === null && !based)) {
      // Remembered absence is no base: whoever merged did not rely on it, and the row may be there again.
      if (entry.content === null) entry.value = undefined;
      return this.#recost(entry, mergeIntoOverlay(entry, change));
    }
    this.#recost(entry, mergeIntoContent(entry, change));
  }

  /** The store has this record's last change. */
  #settle(entry: Entry): void {
    // A row read before the commit must not come in after the change has left the overlay.
    if (!this.#places.isEmpty) this.#places.close(entry.record);
    this.#recost(entry, entry.bytes + forgetFrames(entry, 0));
    if (entry.content === undefined || entry.stale) return this.#doubt(entry);
    this.#makeClean(entry);
  }

  /** A pending record has its base, or what was dropped of it, again. */
  #giveBase(entry: Entry, value: RecordValue | null): void {
    entry.value = entry.overlay === null ? value : apply(value, entry.overlay);
    entry.overlay = null;
    entry.dropped = false;
    entry.list?.remove(entry);
    this.#pending.queue(entry, this.#latest);
    if (!this.#watches.isEmpty) this.#watches.learn(entry.record, entry.value ?? null);
    this.#recost(entry);
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  #recost(entry: Entry, bytes = costOf(entry)): void {
    this.#bytes += bytes - entry.bytes;
    if (entry.list !== null) entry.list.bytes += bytes - entry.bytes;
    entry.bytes = bytes;
  }

  /** An entry that lies in no list may be evicted from now on. One that would push out all others does not stay. */
  #makeClean(entry: Entry): void {
    const knownMs = this.#freshMs(entry.record);
    entry.knownUntil = this.#now + (entry.content === null ? Math.min(knownMs, this.#absentMs) : knownMs);
    const isNone = entry.content === null && this.keys.complete;
    if ((entry.bytes > this.#bytesMax || isNone) && !this.#isPinned(entry.record)) this.#forget(entry);
    else this.#clean.add(entry);
  }

  /** Only the row tells what a clean record holds. Where all are resident, one that is forgotten would be absent. */
  #doubt(entry: Entry): void {
    if (this.#bytesMax === this.bytesMax) return this.#forget(entry);
    [entry.value, entry.overlay, entry.stale, entry.dropped] = [undefined, null, false, false];
    this.#recost(entry);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.record);
    this.#bytes -= entry.bytes;
  }

  #evict(): void {
    while (this.#bytes > this.#bytesMax) {
      const entry = this.#clean.evict(Math.max(0, this.#bytesMax - this.#pending.bytes), this.#isPinned);
      if (entry === null) {
        const dropped = this.#pending.drop(this.#readable(), this.#latest, this.#isPinned);
        if (dropped === null) return;
        // A place that was taken before knows nothing of the log.
        if (!this.#places.isEmpty) this.#places.close(dropped.record);
        this.#recost(dropped);
      } else {
        this.#forget(entry);
      }
      this.evictions += 1;
    }
  }
}
