/**
 * What goes into a run, and what coalescing makes of it. Pure: frames in, one change for each distinct record out. It
 * reads no queue and knows no store; the writer does both.
 */
import type { Bytes } from "../bytes.js";
import { compose, type Change, type Fields, type Merge, type RecordChange } from "../change.js";
import type { BatchReport } from "../events.js";
import { positionText, type FrameOnDisk, type Position, type RunLimits } from "../queue/queue.js";

/** The frames of one commit, coalesced. */
export interface Run {
  /** What was committed before. */
  readonly from: Position;
  /** The run's last frame. */
  readonly to: Position;
  /** The run is one FLUSHALL. Then `rows` is empty. */
  readonly clear: boolean;
  /** One change for each distinct record. */
  readonly rows: ReadonlyMap<Bytes, Change>;
  readonly frames: number;
  /** Changes in the frames; a FLUSHALL is one. */
  readonly changes: number;
  /** Bytes of raw log. */
  readonly bytes: number;
  /** Log time of the last frame. */
  readonly at: number;
}

/** What is told about a run whose commit took so many milliseconds. `drained`: records that were committed before. */
export function reportOf(run: Run & { readonly drained?: number | undefined }, commitMs: number): BatchReport {
  const { changes, rows, drained = 0, from, to } = run;
  return { changes, records: rows.size + drained, from: positionText(from), to: positionText(to), commitMs };
}

/** Takes frames that must not be in the rows of the run, because an older frame of their records was refused. */
export interface PutAside {
  /** Distinct records that it has taken. */
  readonly records: number;
  /** Takes a frame, or returns false: then it belongs to the rows. */
  take(position: Position, changes: readonly RecordChange[]): boolean;
}

/**
 * Takes frames in order until the run is full: at `limits.bytes` of raw log or `limits.records` distinct records,
 * whichever comes first, but never before it holds one whole frame. A FLUSHALL is a run of its own. `aside` is null
 * where nothing is parked, which costs a run nothing.
 */
export class RunMaker {
  readonly #from: Position;
  readonly #limits: RunLimits;
  readonly #aside: PutAside | null;
  readonly #coalesced = new Coalesced();
  #last: FrameOnDisk | null = null;
  #clear = false;
  #changes = 0;
  #bytes = 0;

  constructor(from: Position, limits: RunLimits, aside: PutAside | null = null) {
    this.#from = from;
    this.#aside = aside;
    this.#limits = limits;
  }

  /** Takes a frame, or returns false where the run ends before it. After a false it must not be asked again. */
  take(piece: FrameOnDisk): boolean {
    const { body, position } = piece.frame;
    const before = this.#last === null ? this.#from.sequence : this.#last.frame.position.sequence;
    if (position.sequence !== before + 1)
      throw new Error(`broken invariant: frame ${position.sequence} follows ${before}`);
    if (this.#last !== null) {
      if (this.#clear || body.kind === "clear") return false;
      if (this.#bytes + piece.bytes > this.#limits.bytes) return false;
      if (!this.#coalesced.fits(body.changes, this.#limits.records - (this.#aside?.records ?? 0))) return false;
    }
    if (body.kind === "clear") {
      this.#clear = true;
      this.#changes++;
    } else {
      if (this.#aside === null || !this.#aside.take(position, body.changes))
        for (const { record, change } of body.changes) this.#coalesced.add(record, change);
      this.#changes += body.changes.length;
    }
    this.#bytes += piece.bytes;
    this.#last = piece;
    return true;
  }

  /** The run, or null where no frame was taken. */
  finish(): Run | null {
    if (this.#last === null) return null;
    const { position, at } = this.#last.frame;
    const rows = this.#coalesced.rows;
    const frames = position.sequence - this.#from.sequence;
    const [from, to, clear, changes, bytes] = [this.#from, position, this.#clear, this.#changes, this.#bytes];
    return { from, to, clear, rows, frames, changes, bytes, at };
  }
}

/**
 * One change for each record. Does what `compose` does, but a second merge goes into the maps that the first one made:
 * composing ten thousand fields of one hash one by one would copy it ten thousand times.
 */
export class Coalesced {
  readonly rows = new Map<Bytes, Change>();
  /** Records whose maps were made here and belong to nobody else. */
  readonly #own = new Set<Bytes>();

  add(record: Bytes, newer: Change): void {
    const older = this.rows.get(record);
    if (older === undefined) {
      this.rows.set(record, newer);
      return;
    }
    if (newer.kind !== "merge") {
      this.#own.delete(record);
      this.rows.set(record, compose(older, newer));
    } else if (newer.fields !== null && this.#own.has(record)) {
      this.rows.set(record, mergeInto(older, newer));
    } else {
      if (newer.fields !== null && makesMaps(older)) this.#own.add(record);
      this.rows.set(record, compose(older, newer));
    }
  }

  /** Whether these changes, added, stay within `recordsMax` distinct records. */
  fits(changes: readonly { readonly record: Bytes }[], recordsMax: number): boolean {
    const { size } = this.rows;
    if (size + changes.length <= recordsMax) return true;
    let fresh = 0;
    for (const { record } of changes) if (!this.rows.has(record)) fresh++;
    return size + fresh <= recordsMax;
  }
}

/** Whether composing a merge of fields with this older change makes new maps, rather than handing on the newer's. */
function makesMaps(older: Change): boolean {
  return older.kind !== "merge" || older.fields !== null;
}

/** `compose(older, newer)` where the maps of `older` may be changed. */
function mergeInto(older: Change, newer: Merge): Change {
  if (newer.fields === null || older.kind === "remove") return compose(older, newer);
  const { set, unset } = newer.fields;
  if (older.kind === "replace") {
    if (typeof older.content === "string") return compose(older, newer);
    const fields = older.content as Map<Bytes, Bytes>;
    for (const field of unset) fields.delete(field);
    for (const [field, value] of set) fields.set(field, value);
  } else {
    if (older.fields === null) return compose(older, newer);
    mergeFields(older.fields, set, unset);
  }
  return newer.expiresAt === undefined ? older : { ...older, expiresAt: newer.expiresAt };
}

function mergeFields(older: NonNullable<Merge["fields"]>, set: Fields, unset: ReadonlySet<Bytes>): void {
  const olderSet = older.set as Map<Bytes, Bytes>;
  const olderUnset = older.unset as Set<Bytes>;
  for (const field of unset) {
    olderSet.delete(field);
    olderUnset.add(field);
  }
  for (const [field, value] of set) {
    olderUnset.delete(field);
    olderSet.set(field, value);
  }
}
