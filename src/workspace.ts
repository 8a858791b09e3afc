/**
 * Where one command or transaction does its work: it sees keys, reads records that are in memory, and collects
 * changes. Nothing leaves a workspace until the heart takes its changes in one synchronous step, as one frame.
 *
 * A record that is not in memory is reported in `missing` and reads as absent: the heart then throws the work away,
 * loads what was missing and runs it from the beginning. So a command is written as if everything were in memory.
 */
import type { Address, Resolve } from "./address.js";
import type { Bytes } from "./bytes.js";
import {
  hasEnded,
  isLive,
  remove,
  type Change,
  type Content,
  type Fields,
  type RecordChange,
  type RecordValue,
  type Replace,
} from "./change.js";
import { FieldsDraft, type Laid } from "./fields-draft.js";
import { checkEnds, checkUnset, fieldsFor, valueFor } from "./routes/row-door.js";
import type { MappedTable } from "./routes/mapped-table.js";
import { composed, hashOf, merged, Touched } from "./touched.js";
import {
  changeAfterClear,
  checkEnd,
  checkFieldCount,
  contentFor,
  fieldExpiry,
  fieldsOf,
  wrongType,
} from "./workspace-checks.js";

/**
 * Looks a record up in memory: its value, null where it is known to be absent, undefined where it is not known. `reads`:
 * the value is asked for; else a change only wants to know whether the record is known to be absent.
 */
export type Lookup = (record: Bytes, reads: boolean) => RecordValue | null | undefined;

/** A change to be queued, and the mapped table that its row is in. */
export interface Written extends RecordChange {
  readonly table: MappedTable | null;
}

/** A moment in a workspace to which it can go back. */
export type Savepoint = number & { readonly savepoint: true };

const noFields: Fields = new Map<Bytes, Bytes>();

function noDice(): never {
  throw new Error("this workspace was given no dice");
}

/** The view and the collected changes of one command or transaction. */
export class Workspace {
  /** Log time, milliseconds since 1970: the moment at which this work happens. */
  readonly now: number;
  /** A number from 0 up to 1, by chance: work that runs again may draw other ones. */
  readonly random: () => number;
  readonly #resolve: Resolve;
  readonly #lookup: Lookup;
  // Nearly every command touches one record: a map is made for the second.
  #first: Touched | null = null;
  #more: Map<Bytes, Touched> | null = null;
  #missing: Set<Bytes> | null = null;
  /** How to take back each change since the first savepoint. */
  #undo: (() => void)[] | null = null;
  #cleared = false;
  #anyCacheOnly = false;
  #changes = 0;

  constructor(resolve: Resolve, lookup: Lookup, now: number, random: () => number = noDice) {
    this.#resolve = resolve;
    this.#lookup = lookup;
    this.now = now;
    this.random = random;
  }

  /**
   * Records that were read and are not in memory. Where there are any, everything else in here means nothing, also an
   * error that the work threw.
   */
  get missing(): readonly Bytes[] {
    return this.#missing === null ? [] : [...this.#missing];
  }

  /** Whether there are any. */
  get hasMissing(): boolean {
    return this.#missing !== null;
  }

  /** Everything is gone (FLUSHALL). Then there are no changes. */
  get cleared(): boolean {
    return this.#cleared;
  }

  /** Every record that was read or changed. */
  get records(): readonly Bytes[] {
    const records: Bytes[] = [];
    this.#eachTouched((touched) => records.push(touched.record));
    return records;
  }

  /** The changes to be queued, one for each distinct record, in the order of the records' first changes. */
  changes(): readonly Written[] {
    const first = this.#first;
    if (this.#more === null)
      return first === null || first.change === null || first.cacheOnly ? [] : [first as Written];
    const changed: Touched[] = [];
    this.#eachTouched((touched) => {
      if (touched.change !== null && !touched.cacheOnly) changed.push(touched);
    });
    // What was read first may have been changed last.
    return changed.sort((a, b) => a.changedAt - b.changedAt) as readonly Touched[] as readonly Written[];
  }

  /** What records that are in the cache only hold now, where this work has changed them. True in this step only. */
  cacheOnly(): readonly { readonly record: Bytes; readonly value: RecordValue | null }[] {
    const kept: { record: Bytes; value: RecordValue | null }[] = [];
    if (!this.#anyCacheOnly) return kept;
    this.#eachTouched(({ record, value, change, cacheOnly }) => {
      if (cacheOnly && change !== null) kept.push({ record, value: value ?? null });
    });
    return kept;
  }

  /** Remembers this moment: a command of a transaction that fails half way is taken back to it. */
  savepoint(): Savepoint {
    this.#undo ??= [];
    return this.#undo.length as Savepoint;
  }

  /** Takes back every change since the savepoint. What was read stays read. */
  rollback(savepoint: Savepoint): void {
    const undo = this.#undo ?? [];
    while (undo.length > savepoint) undo.pop()?.();
  }

  /**
   * The value at a key: bytes, a hash, or null where there is nothing. The hash is true in this step only, and later
   * changes show in it: what leaves the work must be a copy of it, or made of it (promise 2).
   */
  get(key: Bytes): Content | null {
    const address = this.#resolve(key);
    const { field } = address;
    const value = this.#read(address);
    if (value === null) return null;
    if (field === null) return value.content;
    return fieldsOf(value.content, key).get(field) ?? null;
  }

  /** The string at a key, or null. Throws WRONG_TYPE on a hash. */
  getString(key: Bytes): Bytes | null {
    const content = this.get(key);
    if (content !== null && typeof content !== "string") throw wrongType(key, "a hash", "a string");
    return content;
  }

  /** The hash at a key, true in this step only, or null. Throws WRONG_TYPE on a string. */
  getHash(key: Bytes): Fields | null {
    const content = this.get(key);
    return content === null ? null : fieldsOf(content, key);
  }

  /** When the key ends: milliseconds since 1970, null for never, undefined where there is no such key. */
  expiryOf(key: Bytes): number | null | undefined {
    const address = this.#resolve(key);
    return this.get(key) === null ? undefined : (this.#read(address) as RecordValue).expiresAt;
  }

  /** Makes the key hold a string, whatever was there. Needs nothing in memory. */
  setString(key: Bytes, value: Bytes, expiresAt: number | null = null): void {
    const address = this.#resolve(key);
    const { field, table } = address;
    if (field === null && table !== null) throw wrongType(key, `a row of ${table.schema.name}`, "a string");
    if (field === null) return this.#replace(address, value, expiresAt);
    if (expiresAt !== null) throw fieldExpiry(key);
    this.#mergeFields(this.#base(address), new Map([[field, valueFor(table, key, field, value)]]), new Set());
  }

  /** Makes the key hold another string and keeps its end (INCR, SET KEEPTTL). Needs the record in memory. */
  updateString(key: Bytes, value: Bytes): void {
    const address = this.#resolve(key);
    const { field, table } = address;
    if (field === null) return this.setString(key, value, this.#read(address)?.expiresAt ?? null);
    this.#mergeFields(this.#touch(address, true), new Map([[field, valueFor(table, key, field, value)]]), new Set());
  }

  /** Makes the key hold these fields and no others, whatever was there. Needs nothing in memory. */
  replaceFields(key: Bytes, fields: Fields, expiresAt: number | null = null): void {
    const address = this.#resolve(key);
    if (address.field !== null) throw wrongType(key, "a string", "a hash");
    if (expiresAt !== null) checkEnds(address.table, key);
    this.#replace(address, new Map(fieldsFor(address.table, key, fields)), expiresAt);
  }

  /**
   * Sets fields of the hash at a key, making it where it is absent, and takes others out, whatever they were. Needs the
   * record in memory where it sets none, and where it may have ended.
   */
  mergeFields(key: Bytes, set: Fields, unset: readonly Bytes[] = []): void {
    const address = this.#resolve(key);
    const { field, table } = address;
    if (field !== null) throw wrongType(key, "a string", "a hash");
    if (set.size + unset.length === 0) return;
    for (const name of unset) checkUnset(table, key, name);
    const made = new Map(fieldsFor(table, key, set));
    if (set.size === 0 && this.#read(address) === null) return;
    const touched = this.#base(address);
    if (touched.value !== undefined && touched.value !== null) fieldsOf(touched.value.content, key);
    this.#mergeFields(touched, made, new Set(unset));
  }

  /** Sets fields of the hash at a key, making it where it is absent. Needs the record in memory. */
  setFields(key: Bytes, fields: Fields): void {
    const address = this.#resolve(key);
    if (address.field !== null) throw wrongType(key, "a string", "a hash");
    const value = this.#read(address);
    const there = value === null ? noFields : fieldsOf(value.content, key);
    if (fields.size === 0) return;
    checkFieldCount(key, there, fields);
    this.#mergeFields(this.#touch(address, true), new Map(fieldsFor(address.table, key, fields)), new Set());
  }

  /**
   * Takes fields out of the hash at a key. With its last field the record goes, but the row of a mapped table stays: it
   * may have columns that are no fields. Needs the record in memory.
   */
  unsetFields(key: Bytes, fields: readonly Bytes[]): void {
    const address = this.#resolve(key);
    const { field, table } = address;
    if (field !== null) throw wrongType(key, "a string", "a hash");
    const value = this.#read(address);
    if (value === null) return;
    const there = fieldsOf(value.content, key);
    const unset = new Set(fields.filter((name) => there.has(name)));
    if (unset.size === 0) return;
    for (const name of unset) checkUnset(table, key, name);
    if (unset.size === there.size && table === null) this.#remove(address);
    else this.#mergeFields(this.#touch(address, true), new Map(), unset);
  }

  /** Sets or clears the end of a key. Does nothing where there is no such key; an end in the past removes it. */
  setExpiry(key: Bytes, expiresAt: number | null): void {
    const address = this.#resolve(key);
    if (address.field !== null) throw fieldExpiry(key);
    if (expiresAt !== null) checkEnds(address.table, key);
    if (expiresAt !== null) checkEnd(address.record, expiresAt);
    const value = this.#read(address);
    if (value === null || value.expiresAt === expiresAt) return;
    if (hasEnded(expiresAt, this.now)) return this.#remove(address);
    const touched = this.#touch(address, true);
    const change = composed(touched.change, { kind: "merge", fields: null, expiresAt });
    this.#put(touched, { content: value.content, expiresAt }, change, touched.draft);
  }

  /**
   * Removes the key; changes nothing where it is known that there is none. Needs nothing in memory, but the record
   * where the key is a field of it: a row that is not there must not come to be.
   */
  remove(key: Bytes): void {
    const address = this.#resolve(key);
    const { field, table } = address;
    if (field === null) return this.#remove(address);
    const value = this.#read(address);
    if (value === null || !fieldsOf(value.content, key).has(field)) return;
    checkUnset(table, key, field);
    this.#mergeFields(this.#touch(address, true), new Map(), new Set([field]));
  }

  /**
   * Gives the key `to` the value and the end of the key `from`, whatever was there (RENAME, COPY); does nothing where
   * there is none. A field has no end of its own: between two fields only the text goes. Needs the record of `from` in
   * memory. Throws BAD_VALUE where `to` cannot hold it.
   */
  transfer(from: Bytes, to: Bytes, how: "move" | "copy"): void {
    const content = this.get(from);
    if (content === null) return;
    const [source, target] = [this.#resolve(from), this.#resolve(to)];
    const fits = contentFor(target, to, content);
    const { expiresAt } = this.#read(source) as RecordValue;
    const end = source.field !== null && target.field !== null ? null : expiresAt;
    // The old row goes first: the new one may have its unique values. Two keys of one cell leave it as it is.
    if (how === "move") this.remove(from);
    if (typeof fits === "string") this.setString(to, fits, end);
    else this.replaceFields(to, fits, end);
  }

  /** Everything is gone, what this work changed before too. It is a frame of its own: no change may follow. */
  clear(): void {
    this.#cleared = true;
    this.#eachTouched((touched) => this.#assign(touched, null, null, null));
  }

  /** What is merged into. Where records may have ended only a look at it tells whether it is there (promise 2). */
  #base(address: Address): Touched {
    if (address.table !== null && address.table.expiresAt !== null) this.#read(address);
    return this.#touch(address, false);
  }

  /** A map is this work's own from now on. */
  #replace(address: Address, content: Bytes | Map<Bytes, Bytes>, expiresAt: number | null): void {
    if (expiresAt !== null) {
      checkEnd(address.record, expiresAt);
      if (expiresAt <= this.now) return this.#remove(address);
    }
    const touched = this.#touch(address, false);
    // A row that is in the database although the record has ended or was deleted must go, not be updated.
    const whole: Replace = { kind: "replace", content, expiresAt, afterRemove: touched.value === null };
    // Later changes in this work lie over it, in the maps of this change.
    const draft = typeof content === "string" ? null : new FieldsDraft(noFields, content, new Set());
    const value = draft === null ? whole : { content: draft, expiresAt };
    this.#put(touched, value, composed(touched.change, whole), draft);
  }

  #remove(address: Address): void {
    const touched = this.#touch(address, false);
    if (touched.value !== null) this.#put(touched, null, remove, null);
  }

  /** Sets and takes out fields. Costs as much as there are of them; both maps are this work's own from now on. */
  #mergeFields(touched: Touched, set: Map<Bytes, Bytes>, unset: Set<Bytes>): void {
    const { value, draft } = touched;
    if (draft !== null) {
      for (const field of unset) this.#lay(draft, field, null);
      for (const [field, to] of set) this.#lay(draft, field, to);
      return;
    }
    const fresh = new FieldsDraft(hashOf(value) ?? noFields, set, unset);
    const after = value === undefined ? undefined : { content: fresh, expiresAt: value?.expiresAt ?? null };
    this.#put(touched, after, merged(touched, set, unset), fresh);
  }

  #lay(draft: FieldsDraft, field: Bytes, what: Laid): void {
    if (this.#undo !== null) {
      const before = draft.laid(field);
      this.#undo.push(() => draft.lay(field, before));
    }
    draft.lay(field, what);
  }

  #put(touched: Touched, value: Touched["value"], change: Change, draft: FieldsDraft | null): void {
    if (this.#cleared) throw changeAfterClear();
    this.#assign(touched, value, change, draft);
  }

  #assign(touched: Touched, to: Touched["value"], by: Change | null, as: FieldsDraft | null): void {
    if (this.#undo !== null) {
      const { value, change, changedAt, draft } = touched;
      this.#undo.push(() => Object.assign(touched, { value, change, changedAt, draft }));
    }
    touched.value = to;
    if (touched.change === null) touched.changedAt = ++this.#changes;
    touched.change = by;
    touched.draft = as;
  }

  #read(address: Address): RecordValue | null {
    const value = this.#touch(address, true).value;
    if (value !== undefined) return value;
    this.#missing ??= new Set();
    this.#missing.add(address.record);
    return null;
  }

  #touch(address: Address, reads: boolean): Touched {
    const { record } = address;
    const first = this.#first;
    if (first !== null && first.record === record) return first;
    const before = this.#more?.get(record);
    if (before !== undefined) return before;
    const found = this.#cleared ? null : this.#lookup(record, reads);
    const value = found === undefined || isLive(found, this.now) ? found : null;
    const touched = new Touched(address, value);
    if (address.cacheOnly) {
      this.#anyCacheOnly = true;
      touched.value ??= null;
    }
    if (first === null) {
      this.#first = touched;
    } else {
      this.#more ??= new Map();
      this.#more.set(record, touched);
    }
    return touched;
  }

  #eachTouched(call: (touched: Touched) => void): void {
    if (this.#first !== null) call(this.#first);
    for (const touched of this.#more?.values() ?? []) call(touched);
  }
}
