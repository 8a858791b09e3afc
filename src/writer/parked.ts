/**
 * What is parked, as the database has it: read when the store is opened, changed when a commit is known to be done.
 * Values and maps; it decides nothing. A frame that touches a parked record is put aside by an Aside.
 */
import type { Bytes } from "../bytes.js";
import { compose, type Change, type RecordChange } from "../change.js";
import type { Frame, Position } from "../queue/queue.js";
import type { Behind, Letter, ParkedGroup, Parking } from "../store/store.js";
import { letterBytes, letterId, parkedBytes, rowsOfGroup, waitingBehind } from "./group.js";
import type { NewLetter, ParkedOverlay, ParkedRecord, ParkedReport, ParkedTotals } from "./messages.js";
import { Coalesced, type Run } from "./run.js";
import { assert } from "./state.js";

/** What a run parks: for the store, and for those who hear of it. */
export interface RunParking extends Parking {
  /** Sequences, ascending. */
  readonly frames: readonly number[];
  /** For each of them a letter of its group. */
  readonly waitFor: readonly string[];
  readonly letter: NewLetter | null;
}

/** A run, and what is parked together with it. */
export interface ParkingRun extends Run {
  readonly parking: RunParking | null;
  /**
   * The run is the last commit of a region: the store has had so many records of it before. Left out: it is of
   * frames.
   */
  readonly drained?: number | undefined;
}

interface Group extends ParkedGroup {
  letters: readonly Letter[];
  readonly behind: Map<Bytes, Behind>;
}

const nothing: ParkedTotals = { letters: 0, letterBytes: 0, waitingBehind: 0, behindBytes: 0 };

/** Everything that is parked. */
export class Parked {
  readonly #groups = new Map<number, Group>();
  readonly #groupOf = new Map<Bytes, Group>();
  readonly #letterOf = new Map<Bytes, { readonly change: Change; readonly letter: Letter }>();
  #totals = { ...nothing };

  /** Groups. */
  get size(): number {
    return this.#groups.size;
  }

  get totals(): ParkedTotals {
    return { ...this.#totals };
  }

  group(id: number): ParkedGroup | undefined {
    return this.#groups.get(id);
  }

  groups(): IterableIterator<ParkedGroup> {
    return this.#groups.values();
  }

  /** The group that a record is in. */
  groupOf(record: Bytes): ParkedGroup | undefined {
    return this.#groupOf.get(record);
  }

  /** Takes the place of everything by what a store has. */
  load(groups: readonly ParkedGroup[]): void {
    this.#groups.clear();
    this.#groupOf.clear();
    this.#letterOf.clear();
    this.#totals = { ...nothing };
    this.change({ drop: [], put: groups });
  }

  /** Does what a store does with the same: first drops, then puts. */
  change({ drop, put }: Parking): void {
    for (const id of drop) this.#drop(id);
    for (const part of put) this.#put(part);
  }

  /** All that is parked of one record that is parked. */
  record(record: Bytes): ParkedRecord {
    const group = this.#groupOf.get(record);
    assert(group !== undefined, "a record is not parked");
    const held = this.#letterOf.get(record);
    const behind = group.behind.get(record);
    assert(held !== undefined || behind !== undefined, "nothing of a parked record is parked");
    const letter = letterId(held?.letter.position.sequence ?? group.id);
    if (held === undefined) return { change: (behind as Behind).change, letter };
    return { change: behind === undefined ? held.change : compose(held.change, behind.change), letter };
  }

  overlay(): ParkedOverlay {
    return { records: this.#recordsOf(this.#groupOf.keys()), ...this.totals };
  }

  /** What those hear who keep their own picture of what is parked. */
  reportOf({ frames, waitFor, letter, put }: RunParking): ParkedReport {
    const records = letter === null ? put.flatMap((group) => [...rowsOfGroup(group).keys()]) : letter.records;
    return { frames, waitFor, letter, records: this.#recordsOf(records), ...this.totals };
  }

  /** Makes a letter of a frame whose records are not parked. */
  letterOf({ position, body }: Frame, reason: string, refusedAt: number): RunParking {
    assert(body.kind === "changes", "a clear is no letter");
    const { changes } = body;
    assert(!changes.some(({ record }) => this.#groupOf.has(record)), "a record gets a second letter");
    const letter: Letter = { position, changes, reason, refusedAt, tries: 1 };
    const records = changes.map(({ record }) => record);
    return {
      drop: [],
      put: [{ id: position.sequence, letters: [letter], behind: new Map() }],
      frames: [position.sequence],
      waitFor: [letterId(position.sequence)],
      letter: { id: letterId(position.sequence), position, records, reason },
    };
  }

  /** Another reason, and one try more, for the letters of a group. */
  refusedAgain(id: number, reason: string): void {
    const group = this.#groups.get(id);
    assert(group !== undefined, "no group was tried");
    group.letters = group.letters.map((letter) => ({ ...letter, reason, tries: letter.tries + 1 }));
    for (const letter of group.letters) this.#index(letter);
  }

  #recordsOf(records: Iterable<Bytes>): Map<Bytes, ParkedRecord> {
    const found = new Map<Bytes, ParkedRecord>();
    for (const record of records) found.set(record, this.record(record));
    return found;
  }

  #drop(id: number): void {
    const group = this.#groups.get(id);
    if (group === undefined) return;
    this.#groups.delete(id);
    const totals = this.#totals;
    totals.letters -= group.letters.length;
    totals.waitingBehind -= waitingBehind(group);
    for (const letter of group.letters) totals.letterBytes -= letterBytes(letter);
    for (const [record, { change }] of group.behind) totals.behindBytes -= parkedBytes({ record, change });
    for (const record of rowsOfGroup(group).keys()) {
      this.#groupOf.delete(record);
      this.#letterOf.delete(record);
    }
  }

  #put({ id, letters, behind }: ParkedGroup): void {
    const group: Group = this.#groups.get(id) ?? { id, letters: [], behind: new Map() };
    this.#groups.set(id, group);
    if (letters.length > 0) this.#putLetters(group, letters);
    for (const [record, each] of behind) {
      const older = group.behind.get(record);
      this.#totals.waitingBehind += each.frames - (older?.frames ?? 0);
      this.#totals.behindBytes += parkedBytes({ record, change: each.change });
      if (older !== undefined) this.#totals.behindBytes -= parkedBytes({ record, change: older.change });
      group.behind.set(record, each);
      this.#groupOf.set(record, group);
    }
  }

  #putLetters(group: Group, letters: readonly Letter[]): void {
    const all = new Map(group.letters.map((letter) => [letter.position.sequence, letter]));
    for (const letter of letters) {
      if (!all.has(letter.position.sequence)) this.#totals.letterBytes += letterBytes(letter);
      all.set(letter.position.sequence, letter);
    }
    this.#totals.letters += all.size - group.letters.length;
    group.letters = [...all.values()].toSorted((a, b) => a.position.sequence - b.position.sequence);
    for (const letter of letters) {
      this.#index(letter);
      for (const { record } of letter.changes) this.#groupOf.set(record, group);
    }
  }

  #index(letter: Letter): void {
    for (const { record, change } of letter.changes) this.#letterOf.set(record, { change, letter });
  }
}

/**
 * Takes the frames of one run that touch parked records, whole: what they do to any record waits behind, because the
 * older frame has not been written (promise 3), and groups that a frame touches become one (promise 4).
 */
export class Aside {
  readonly #parked: Parked;
  readonly #behind = new Coalesced();
  readonly #counts = new Map<Bytes, { frames: number; position: Position }>();
  readonly #groupOf = new Map<Bytes, number>();
  /** Groups that have become part of an older one. */
  readonly #joined = new Map<number, number>();
  readonly #frames: number[] = [];
  /** The group of each of them, as it was called then. */
  readonly #groups: number[] = [];

  constructor(parked: Parked) {
    this.#parked = parked;
  }

  /** Distinct records. */
  get records(): number {
    return this.#counts.size;
  }

  /** Takes a frame, or returns false where it touches nothing that is parked. */
  take(position: Position, changes: readonly RecordChange[]): boolean {
    let group: number | null = null;
    for (const { record } of changes) group = this.#join(group, this.#find(record));
    if (group === null) return false;
    for (const { record, change } of changes) {
      this.#groupOf.set(record, group);
      this.#behind.add(record, change);
      const count = this.#counts.get(record);
      if (count === undefined) this.#counts.set(record, { frames: 1, position });
      else {
        count.frames++;
        count.position = position;
      }
    }
    this.#frames.push(position.sequence);
    this.#groups.push(group);
    return true;
  }

  /** What the run parks, or null where it took no frame. */
  finish(): RunParking | null {
    if (this.#frames.length === 0) return null;
    const put = new Map<number, { letters: Letter[]; behind: Map<Bytes, Behind> }>();
    const part = (id: number) => {
      const made = put.get(id) ?? { letters: [], behind: new Map<Bytes, Behind>() };
      put.set(id, made);
      return made;
    };
    for (const id of this.#joined.keys()) {
      const group = this.#parked.group(id) as ParkedGroup;
      const { letters, behind } = part(this.#root(id));
      letters.push(...group.letters);
      for (const [record, each] of group.behind) behind.set(record, each);
    }
    for (const [record, { frames, position }] of this.#counts) {
      const older = this.#parked.groupOf(record)?.behind.get(record);
      const newer = this.#behind.rows.get(record) as Change;
      part(this.#root(this.#groupOf.get(record) as number)).behind.set(record, {
        position,
        change: older === undefined ? newer : compose(older.change, newer),
        frames: frames + (older?.frames ?? 0),
      });
    }
    const groups = [...put].map(([id, { letters, behind }]) => ({ id, letters, behind }));
    const waitFor = this.#groups.map(letterId);
    return { drop: [...this.#joined.keys()], put: groups, frames: this.#frames, waitFor, letter: null };
  }

  #find(record: Bytes): number | null {
    const id = this.#groupOf.get(record) ?? this.#parked.groupOf(record)?.id;
    return id === undefined ? null : this.#root(id);
  }

  #root(id: number): number {
    let root = id;
    for (let older = this.#joined.get(root); older !== undefined; older = this.#joined.get(root)) root = older;
    return root;
  }

  #join(a: number | null, b: number | null): number | null {
    if (a === null || b === null || a === b) return a ?? b;
    this.#joined.set(Math.max(a, b), Math.min(a, b));
    return Math.min(a, b);
  }
}
