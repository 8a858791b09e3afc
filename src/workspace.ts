/**
 * Where one command or transaction does its work: it sees keys, reads records that are in memory, and collects
 * changes. Nothing leaves a workspace until the heart takes its changes in one synchronous step, as one frame.
 *
 * A record that is not in memory is reported in `missing` and reads as absent: the heart then throws the work away,
 * loads what was missing and runs it from the beginning. So a command is written as if everything were in memory.
 */
import type { Resolve } from "./address.js";
import type { Bytes } from "./bytes.js";
import { apply, compose, isLive, remove, type Change, type Content, type Fields, type RecordValue } from "./change.js";
import { WriteBehindError } from "./errors.js";

/** Looks a record up in memory: its value, null where it is known to be absent, undefined where it is not known. */
export type Lookup = (record: Bytes) => RecordValue | null | undefined;

interface Touched {
  value: RecordValue | null;
  change: Change | null;
  known: boolean;
}

/** The view and the collected changes of one command or transaction. */
export class Workspace {
  /** Log time, milliseconds since 1970: the moment at which this work happens. */
  readonly now: number;
  /** Everything is gone before the changes (FLUSHALL). */
  cleared = false;
  readonly #resolve: Resolve;
  readonly #lookup: Lookup;
  readonly #touched = new Map<Bytes, Touched>();
  #missing: Bytes[] | null = null;

  constructor(resolve: Resolve, lookup: Lookup, now: number) {
    this.#resolve = resolve;
    this.#lookup = lookup;
    this.now = now;
  }

  /** Records that were read and are not in memory. Where there are any, everything else in here means nothing. */
  get missing(): readonly Bytes[] {
    return this.#missing ?? [];
  }

  /** Every record that was read or changed. */
  get records(): Iterable<Bytes> {
    return this.#touched.keys();
  }

  /** The changes to be queued, one for each distinct record. */
  changes(): { record: Bytes; change: Change }[] {
    const changes: { record: Bytes; change: Change }[] = [];
    for (const [record, touched] of this.#touched) {
      if (touched.change !== null) changes.push({ record, change: touched.change });
    }
    return changes;
  }

  /** The value at a key: bytes, a hash, or null where there is nothing. */
  get(key: Bytes): Content | null {
    const { record, field } = this.#resolve(key);
    const value = this.#read(record);
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

  /** The hash at a key, or null. Throws WRONG_TYPE on a string. */
  getHash(key: Bytes): Fields | null {
    const content = this.get(key);
    return content === null ? null : fieldsOf(content, key);
  }

  /** When the key ends: milliseconds since 1970, null for never, undefined where there is no such key. */
  expiryOf(key: Bytes): number | null | undefined {
    const { record } = this.#resolve(key);
    return this.get(key) === null ? undefined : (this.#read(record) as RecordValue).expiresAt;
  }

  /** Makes the key hold a string, whatever was there. Needs nothing in memory. */
  setString(key: Bytes, value: Bytes, expiresAt: number | null = null): void {
    const { record, field } = this.#resolve(key);
    if (field === null) return this.#replace(record, value, expiresAt);
    if (expiresAt !== null) throw fieldExpiry(key);
    this.#merge(record, { set: new Map([[field, value]]), unset: new Set() }, undefined);
  }

  /** Makes the key hold another string and keeps its end (INCR, SET KEEPTTL). Needs the record in memory. */
  updateString(key: Bytes, value: Bytes): void {
    const { record, field } = this.#resolve(key);
    if (field === null) this.#replace(record, value, this.#read(record)?.expiresAt ?? null);
    else this.#merge(record, { set: new Map([[field, value]]), unset: new Set() }, undefined);
  }

  /** Sets fields of the hash at a key, making it where it is absent. Needs the record in memory. */
  setFields(key: Bytes, fields: Fields): void {
    const { record, field } = this.#resolve(key);
    if (field !== null) throw wrongType(key, "a string", "a hash");
    const value = this.#read(record);
    if (value !== null) fieldsOf(value.content, key);
    this.#merge(record, { set: fields, unset: new Set() }, undefined);
  }

  /** Takes fields out of the hash at a key; with its last field the record goes. Needs the record in memory. */
  unsetFields(key: Bytes, fields: readonly Bytes[]): void {
    const { record, field } = this.#resolve(key);
    if (field !== null) throw wrongType(key, "a string", "a hash");
    const value = this.#read(record);
    if (value === null) return;
    const left = new Set(fieldsOf(value.content, key).keys());
    for (const gone of fields) left.delete(gone);
    if (left.size === 0) this.#set(record, remove);
    else this.#merge(record, { set: new Map(), unset: new Set(fields) }, undefined);
  }

  /** Sets or clears the end of a key. Does nothing where there is no such key; an end in the past removes it. */
  setExpiry(key: Bytes, expiresAt: number | null): void {
    const { record, field } = this.#resolve(key);
    if (field !== null) throw fieldExpiry(key);
    if (this.#read(record) === null) return;
    if (expiresAt !== null && expiresAt <= this.now) this.#set(record, remove);
    else this.#merge(record, null, expiresAt);
  }

  /** Removes the key. Needs nothing in memory. */
  remove(key: Bytes): void {
    const { record, field } = this.#resolve(key);
    if (field === null) this.#set(record, remove);
    else this.#merge(record, { set: new Map(), unset: new Set([field]) }, undefined);
  }

  /** Everything is gone. */
  clear(): void {
    this.cleared = true;
  }

  #replace(record: Bytes, content: Content, expiresAt: number | null): void {
    if (expiresAt !== null && expiresAt <= this.now) return this.#set(record, remove);
    // A row that is in the database although the record has ended or was deleted must go, not be updated.
    const touched = this.#touch(record);
    this.#set(record, { kind: "replace", content, expiresAt, afterRemove: touched.known && touched.value === null });
  }

  #merge(record: Bytes, fields: { set: Fields; unset: ReadonlySet<Bytes> } | null, expiresAt: number | null | undefined): void {
    const touched = this.#touch(record);
    const merge: Change = { kind: "merge", fields, expiresAt };
    // On a record known to be absent, expired or deleted the change is always a whole one.
    if (touched.known && touched.value === null) this.#set(record, compose(remove, merge));
    else this.#set(record, merge);
  }

  #set(record: Bytes, change: Change): void {
    const touched = this.#touch(record);
    touched.value = apply(touched.value, change);
    // What a whole change leaves behind is known even where the record was not in memory.
    if (change.kind !== "merge") touched.known = true;
    touched.change = touched.change === null ? change : compose(touched.change, change);
  }

  #read(record: Bytes): RecordValue | null {
    const touched = this.#touch(record);
    if (!touched.known) (this.#missing ??= []).push(record);
    return touched.value;
  }

  #touch(record: Bytes): Touched {
    const before = this.#touched.get(record);
    if (before !== undefined) return before;
    const found = this.#lookup(record);
    const touched: Touched = {
      value: found !== undefined && isLive(found, this.now) ? found : null,
      change: null,
      known: found !== undefined,
    };
    this.#touched.set(record, touched);
    return touched;
  }
}

function fieldsOf(content: Content, key: Bytes): Fields {
  if (typeof content === "string") throw wrongType(key, "a string", "a hash");
  return content;
}

function wrongType(key: Bytes, is: string, asked: string): WriteBehindError {
  return new WriteBehindError("WRONG_TYPE", `${JSON.stringify(key)} holds ${is}, the operation needs ${asked}`);
}

function fieldExpiry(key: Bytes): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `${JSON.stringify(key)} is one field of a record and cannot expire by itself`, {
    hint: "set the expiry of the whole record",
  });
}
