/**
 * A change as bytes: how every log of ours holds it, on disk and in Redis. Pure. A count or length is a LEB128 number
 * (7 bits a byte, low bits first, the high bit says that more follow), a string is its length and its bytes:
 *
 *     u8       what: 1 replace by a string, 2 replace by a hash, 3 merge of fields, 4 merge of the expiry, 5 remove
 *              + 16 replace after a remove    + 32 an expiry follows    + 64 (merge) the expiry is cleared
 *     string   the record
 *     f64      where 32 is set: the expiry, milliseconds since 1970, little-endian
 *     1: string value      2: count, {string field, string value}      3: as 2, then count, {string field taken out}
 */
import type { Bytes } from "../bytes.js";
import type { Change, Fields, RecordChange } from "../change.js";

const replaceString = 1;
const replaceHash = 2;
const mergeFields = 3;
const mergeExpiry = 4;
const removeRecord = 5;
const whatMask = 15;
const afterRemoveFlag = 16;
const expiryFlag = 32;
const expiryClearedFlag = 64;

/** How many bytes a change of a record takes. */
export function recordChangeBytes({ record, change }: RecordChange): number {
  return 1 + stringBytes(record) + changeBytes(change);
}

function changeBytes(change: Change): number {
  if (change.kind === "remove") return 0;
  const expiry = typeof change.expiresAt === "number" ? 8 : 0;
  if (change.kind === "replace") {
    return expiry + (typeof change.content === "string" ? stringBytes(change.content) : fieldsBytes(change.content));
  }
  if (change.fields === null) return expiry;
  let bytes = expiry + fieldsBytes(change.fields.set) + countBytes(change.fields.unset.size);
  for (const field of change.fields.unset) bytes += stringBytes(field);
  return bytes;
}

function fieldsBytes(fields: Fields): number {
  let bytes = countBytes(fields.size);
  for (const [field, value] of fields) bytes += stringBytes(field) + stringBytes(value);
  return bytes;
}

function stringBytes(bytes: Bytes): number {
  return countBytes(bytes.length) + bytes.length;
}

/** How many bytes a count takes. */
export function countBytes(count: number): number {
  if (count < 0x80) return 1;
  if (count < 0x4000) return 2;
  if (count < 0x20_0000) return 3;
  return count < 0x1000_0000 ? 4 : 5;
}

/** Writes a change of a record at `start`; says where it ends. */
export function putChange(target: Buffer, start: number, { record, change }: RecordChange): number {
  target[start] = whatOf(change);
  let at = putString(target, start + 1, record);
  if (change.kind === "remove") return at;
  if (typeof change.expiresAt === "number") at = target.writeDoubleLE(change.expiresAt, at);
  if (change.kind === "replace") {
    return typeof change.content === "string"
      ? putString(target, at, change.content)
      : putFields(target, at, change.content);
  }
  if (change.fields === null) return at;
  at = putFields(target, at, change.fields.set);
  at = putCount(target, at, change.fields.unset.size);
  for (const field of change.fields.unset) at = putString(target, at, field);
  return at;
}

function whatOf(change: Change): number {
  if (change.kind === "remove") return removeRecord;
  const expiry = typeof change.expiresAt === "number" ? expiryFlag : 0;
  if (change.kind === "replace") {
    const what = typeof change.content === "string" ? replaceString : replaceHash;
    return what | expiry | (change.afterRemove ? afterRemoveFlag : 0);
  }
  const cleared = change.expiresAt === null ? expiryClearedFlag : 0;
  return (change.fields === null ? mergeExpiry : mergeFields) | expiry | cleared;
}

function putFields(target: Buffer, start: number, fields: Fields): number {
  let at = putCount(target, start, fields.size);
  for (const [field, value] of fields) at = putString(target, putString(target, at, field), value);
  return at;
}

/** Below this length a loop is faster than the call into C++ (measured on Node 20). */
const shortString = 24;

function putString(target: Buffer, start: number, bytes: Bytes): number {
  const { length } = bytes;
  const at = putCount(target, start, length);
  if (length >= shortString) target.write(bytes, at, length, "latin1");
  else for (let i = 0; i < length; i++) target[at + i] = bytes.charCodeAt(i);
  return at + length;
}

/** Writes a count at `start`; says where it ends. */
export function putCount(target: Buffer, start: number, count: number): number {
  let at = start;
  let left = count;
  for (; left >= 0x80; left >>>= 7) target[at++] = (left & 0x7f) | 0x80;
  target[at++] = left;
  return at;
}

/** Reads changes. Throws where the bytes mean nothing. */
export class ChangeCursor {
  readonly #source: Buffer;
  readonly #end: number;
  #at: number;

  constructor(source: Buffer, at: number, end: number) {
    this.#source = source;
    this.#at = at;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  count(): number {
    let count = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#byte();
      count += (byte & 0x7f) * scale;
      if (byte < 0x80) return count;
    }
  }

  recordChange(): RecordChange {
    const what = this.#byte();
    const record = this.#string();
    return { record, change: this.#change(what) };
  }

  #change(what: number): Change {
    const kind = what & whatMask;
    if (kind === removeRecord) return { kind: "remove" };
    const expiry = (what & expiryFlag) === 0 ? undefined : this.#double();
    if (kind === replaceString || kind === replaceHash) {
      const content = kind === replaceString ? this.#string() : this.#fields();
      return { kind: "replace", content, expiresAt: expiry ?? null, afterRemove: (what & afterRemoveFlag) !== 0 };
    }
    if (kind !== mergeFields && kind !== mergeExpiry) throw new Error(`a change of the unknown kind ${kind}`);
    const expiresAt = (what & expiryClearedFlag) === 0 ? expiry : null;
    if (kind === mergeExpiry) return { kind: "merge", fields: null, expiresAt };
    const set = this.#fields();
    const unset = new Set<Bytes>();
    for (let left = this.count(); left > 0; left--) unset.add(this.#string());
    return { kind: "merge", fields: { set, unset }, expiresAt };
  }

  #fields(): Fields {
    const fields = new Map<Bytes, Bytes>();
    for (let left = this.count(); left > 0; left--) {
      const field = this.#string();
      fields.set(field, this.#string());
    }
    return fields;
  }

  #string(): Bytes {
    const length = this.count();
    const from = this.#take(length);
    return this.#source.toString("latin1", from, from + length) as Bytes;
  }

  #double(): number {
    return this.#source.readDoubleLE(this.#take(8));
  }

  #byte(): number {
    return this.#source[this.#take(1)] as number;
  }

  #take(count: number): number {
    const from = this.#at;
    if (from + count > this.#end) throw new Error("a change ends behind the end of its frame");
    this.#at = from + count;
    return from;
  }
}
