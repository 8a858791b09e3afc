/**
 * The records with a change that the store has not committed, in the order in which they may become clean. None of them
 * is ever evicted, because the row in the database is older (promise 2); but what such a record holds may be dropped
 * where the log on disk can give it back: then a pending record costs memory for its key, and disk for its value.
 */
import type { Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import { costOfMerges, EntryList, type Entry } from "./entry.js";

/**
 * Beyond so many merges since its base, and one more for so many bytes, a record is hot, and stays: reading it back
 * would read as many frames.
 */
const mergesMax = 64;
const bytesPerMerge = 512;

/** So many records are looked at for one to drop: a write pays for little more than itself. */
const looksMax = 32;

/** From which frames a dropped value is made again: of the last whole change (0: the row), and of the merges since. */
export interface InLog {
  readonly whole: number;
  readonly merges: readonly number[];
}

/** Pending entries in two lists: those whose content is in memory, and the bare ones, which have nothing to drop. */
export class PendingSet {
  readonly #full = new EntryList();
  readonly #bare = new EntryList();

  get count(): number {
    return this.#full.count + this.#bare.count;
  }

  get bytes(): number {
    return this.#full.bytes + this.#bare.bytes;
  }

  has({ list }: Entry): boolean {
    return list !== null && (list === this.#full || list === this.#bare);
  }

  /** Behind everything pending: a list is in the order of `queuedAt`, the last sequence at that moment. */
  queue(entry: Entry, latest: number): void {
    entry.queuedAt = latest;
    this.#full.append(entry);
  }

  /** The store has some of the entry's changes, up to `stored`, and not the last. Gives what it costs more than before. */
  requeue(entry: Entry, stored: number, latest: number): number {
    this.queue(entry, latest);
    if (entry.merges === null) return 0;
    return remember(
      entry,
      entry.merges.filter((sequence) => sequence > stored),
    );
  }

  /** A pending entry was changed: a bare one may hold something again. */
  changed(entry: Entry, latest: number): void {
    if (entry.list !== this.#bare || isBare(entry)) return;
    this.#bare.remove(entry);
    this.queue(entry, latest);
  }

  /** Takes out an entry that was queued up to this sequence; null where there is none. */
  take(sequence: number): Entry | null {
    const list = isDue(this.#full, sequence) ? this.#full : this.#bare;
    if (!isDue(list, sequence)) return null;
    const entry = list.first as Entry;
    list.remove(entry);
    return entry;
  }

  /** Whether `take` would find one. */
  isDue(sequence: number): boolean {
    return isDue(this.#full, sequence) || isDue(this.#bare, sequence);
  }

  /**
   * Drops what one entry holds, of those that nobody has used lately; null where none was found. `readable`: up to this
   * sequence the log can be read. Who is passed over moves to the end: it becomes clean a little later, never early.
   */
  drop(readable: number, latest: number, isPinned: (record: Bytes) => boolean): Entry | null {
    for (let looks = 0; looks < looksMax; looks += 1) {
      const entry = this.#full.first;
      if (entry === null || entry.queuedAt > readable) return null;
      this.#full.remove(entry);
      if (isBare(entry)) {
        this.#bare.append(entry);
      } else if (entry.uses > 0 || entry.sequence > readable || entry.hot || isPinned(entry.record)) {
        entry.uses = 0;
        this.queue(entry, latest);
      } else {
        drop(entry);
        this.#bare.append(entry);
        return entry;
      }
    }
    return null;
  }

  empty(): void {
    this.#full.empty();
    this.#bare.empty();
  }
}

/** Nothing of it that could be dropped is in memory. */
function isBare({ content, overlay }: Entry): boolean {
  return content === null || (content === undefined && overlay === null);
}

function drop(entry: Entry): void {
  if (entry.overlay !== null) entry.expiresAt = entry.overlay.expiresAt ?? null;
  entry.content = undefined;
  entry.overlay = null;
  entry.dropped = true;
}

/** Whether one more merge is to be among those that the value is made of; where it is not, none will be after it. */
export function takesNote(entry: Entry): boolean {
  if (entry.merges !== null && entry.merges.length >= mergesMax + entry.bytes / bytesPerMerge) entry.hot = true;
  return !entry.hot;
}

/**
 * A change of a pending record was queued: from now on its value is made of these frames. Gives what the entry costs
 * more than before.
 */
export function noteChange(entry: Entry, change: Change, sequence: number): number {
  if (change.kind !== "merge") return forgetFrames(entry, sequence);
  // What stays in memory is not read back; what was dropped before is.
  if (!takesNote(entry)) return entry.dropped ? 0 : remember(entry, null);
  const before = costOfMerges(entry.merges);
  (entry.merges ??= []).push(sequence);
  return costOfMerges(entry.merges) - before;
}

/**
 * Nothing before this frame makes up the value: it is whole there, or (0) it is in the row. Gives what the entry costs
 * more than before.
 */
export function forgetFrames(entry: Entry, wholeAt: number): number {
  entry.wholeAt = wholeAt;
  entry.hot = false;
  return entry.merges === null ? 0 : remember(entry, null);
}

function remember(entry: Entry, merges: number[] | null): number {
  const before = costOfMerges(entry.merges);
  entry.merges = merges;
  return costOfMerges(merges) - before;
}

/** The frames behind a dropped value. What the store has, up to `stored`, is in the row. */
export function inLog({ wholeAt, merges }: Entry, stored: number): InLog {
  return {
    whole: wholeAt > stored ? wholeAt : 0,
    merges: merges === null ? [] : merges.filter((sequence) => sequence > stored),
  };
}

function isDue(list: EntryList, sequence: number): boolean {
  return list.first !== null && list.first.queuedAt <= sequence;
}
