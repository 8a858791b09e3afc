/** One record in memory, and the intrusive lists that it lies in: nothing is allocated when it moves. */
import type { Bytes } from "../bytes.js";
import { costOfContent, fieldBytes, hashBytes, recordBytes } from "../content-cost.js";
import { contentBytes, hasEnded, type Content, type Merge, type RecordValue } from "../change.js";

/** What is known in memory of one record. */
export class Entry {
  readonly record: Bytes;
  /** What the record holds, null for known absence, undefined where only `overlay` is known. */
  content: Content | null | undefined = undefined;
  /** When it ends; null for never. Beside the content, not in an object with it: a write makes nothing that stays. */
  expiresAt: number | null = null;
  /** Pending merges, composed, of a record whose base is not in memory. Only where `content` is undefined. */
  overlay: Merge | null = null;
  /** The maps in `content` or `overlay` were made for this entry alone: they may be changed. */
  owned = false;
  /** The sequence of the last change, 0 where there was none. */
  sequence = 0;
  /** While pending: the highest sequence there was when it was put into the list. */
  queuedAt = 0;
  /** When what is known of it ends: others may write the row. Counts only where nothing is pending. */
  knownUntil = Number.POSITIVE_INFINITY;
  /** While pending: the sequence of its last whole change; 0 where its base is the row. */
  wholeAt = 0;
  /** While pending: the sequences of the merges since; null where there are none, or nothing will be read back. */
  merges: number[] | null = null;
  /** While pending: there were more merges than are remembered; what it holds must stay. */
  hot = false;
  /**
   * While pending: what it holds was dropped, and the log has it. `expiresAt` stays. An overlay has what came after the
   * merges that are remembered.
   */
  dropped = false;
  /** What it costs in memory, in bytes. */
  bytes = 0;
  /** Uses since it was taken in or last spared, 0 to 3. */
  uses = 0;
  /** It has proved to be in demand: it returns to the main list, not to the probation list. */
  proven = false;
  /** Somebody else changed the row under a pending change: forget it once it is clean. */
  stale = false;
  list: EntryList | null = null;
  before: Entry | null = null;
  after: Entry | null = null;

  constructor(record: Bytes) {
    this.record = record;
  }

  /** The record's value, null for known absence, undefined where it is not known. */
  get value(): RecordValue | null | undefined {
    const { content } = this;
    return content === undefined || content === null ? content : { content, expiresAt: this.expiresAt };
  }

  set value(value: RecordValue | null | undefined) {
    const there = value !== undefined && value !== null;
    this.content = there ? value.content : value;
    this.expiresAt = there ? value.expiresAt : null;
    this.owned = false;
  }

  /** Whether it holds something that has not ended. */
  isLive(now: number): boolean {
    return this.content !== undefined && this.content !== null && !hasEnded(this.expiresAt, now);
  }
}

/** A list of entries in the order in which they were appended. An entry is in one list at the most. */
export class EntryList {
  first: Entry | null = null;
  last: Entry | null = null;
  count = 0;
  bytes = 0;

  append(entry: Entry): void {
    entry.list = this;
    entry.before = this.last;
    if (this.last === null) this.first = entry;
    else this.last.after = entry;
    this.last = entry;
    this.count += 1;
    this.bytes += entry.bytes;
  }

  remove(entry: Entry): void {
    if (entry.before === null) this.first = entry.after;
    else entry.before.after = entry.after;
    if (entry.after === null) this.last = entry.before;
    else entry.after.before = entry.before;
    entry.list = null;
    entry.before = null;
    entry.after = null;
    this.count -= 1;
    this.bytes -= entry.bytes;
  }

  /** Forgets every entry at once. */
  empty(): void {
    this.first = null;
    this.last = null;
    this.count = 0;
    this.bytes = 0;
  }
}

// An array with its head, and a number in one that grows by half.
const mergesBytes = 64;
const mergeBytes = 12;

/** What is remembered of a record's frames costs. */
export function costOfMerges(merges: readonly number[] | null): number {
  return merges === null ? 0 : mergesBytes + mergeBytes * merges.length;
}

/** What a record costs in memory: its bytes, the objects around them, and what is remembered of its frames. */
export function costOf(entry: Entry): number {
  const bytes = recordBytes + entry.record.length + costOfMerges(entry.merges);
  const { content } = entry;
  if (content === undefined) return bytes + costOfOverlay(entry.overlay);
  if (content === null) return bytes;
  return bytes + costOfContent(content);
}

function costOfOverlay(overlay: Merge | null): number {
  if (overlay === null || overlay.fields === null) return 0;
  let bytes =
    2 * hashBytes +
    contentBytes(overlay.fields.set) +
    fieldBytes * (overlay.fields.set.size + overlay.fields.unset.size);
  for (const field of overlay.fields.unset) bytes += field.length;
  return bytes;
}
