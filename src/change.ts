/**
 * The value that flows: a change is what a write does to one record, from the moment a client is answered until the
 * database has it. Pure: no clock, no cache, no queue in here.
 *
 * Two laws hold, and test/change.test.ts proves them for every change there can be:
 *   compose(compose(a, b), c)  equals  compose(a, compose(b, c))
 *   apply(apply(r, a), b)      equals  apply(r, compose(a, b))
 * They are what makes coalescing safe: a thousand changes of one record become one row.
 *
 * A change knows no "now". Whether a record has expired is decided by whoever reads it, and whoever changes a record
 * that is absent, deleted or expired at that moment must `replace` it (see workspace.ts).
 */
import type { Bytes } from "./bytes.js";

/** The fields of a hash record. Never changed after it was made. */
export type Fields = ReadonlyMap<Bytes, Bytes>;

/** What a record holds: a string of bytes, or a hash of fields. */
export type Content = Bytes | Fields;

/** A record's value: its content, and when it ends (milliseconds since 1970), or null when it does not. */
export interface RecordValue {
  readonly content: Content;
  readonly expiresAt: number | null;
}

/** The whole record anew. `afterRemove`: the row that was there before must go first, not be updated. */
export interface Replace {
  readonly kind: "replace";
  readonly content: Content;
  readonly expiresAt: number | null;
  readonly afterRemove: boolean;
}

/**
 * Some fields of a record, its expiry, or both. `fields` null leaves the content as it is, whatever its type;
 * `expiresAt` undefined keeps the expiry, null clears it, a number sets it.
 */
export interface Merge {
  readonly kind: "merge";
  readonly fields: { readonly set: Fields; readonly unset: ReadonlySet<Bytes> } | null;
  readonly expiresAt: number | null | undefined;
}

/** The record is gone. */
export interface Remove {
  readonly kind: "remove";
}

/** What a write does to one record. */
export type Change = Replace | Merge | Remove;

/** A change and the record it is for. */
export interface RecordChange {
  readonly record: Bytes;
  readonly change: Change;
}

/** The one `remove` there needs to be. */
export const remove: Remove = { kind: "remove" };

const noFields: Fields = new Map<Bytes, Bytes>();

/** The record after a change; null is a record that is not there. A merge of an absent record makes a hash. */
export function apply(value: RecordValue | null, change: Change): RecordValue | null {
  switch (change.kind) {
    case "remove":
      return null;
    case "replace":
      return { content: change.content, expiresAt: change.expiresAt };
    case "merge":
      return {
        content: mergeContent(value === null ? noFields : value.content, change),
        expiresAt: change.expiresAt === undefined ? (value?.expiresAt ?? null) : change.expiresAt,
      };
  }
}

/** The record after changes, one after the other. A hash is copied once, however many merges there are. */
export function applyAll(value: RecordValue | null, changes: readonly Change[]): RecordValue | null {
  let after = value;
  let own: Map<Bytes, Bytes> | null = null;
  for (const change of changes) {
    const before: RecordValue | null = after;
    after = own !== null && before?.content === own ? applyInto(own, before, change) : apply(before, change);
    if (change.kind === "merge" && change.fields !== null) own = after?.content as Map<Bytes, Bytes>;
  }
  return after;
}

/** `apply` where the hash may be changed. */
function applyInto(own: Map<Bytes, Bytes>, value: RecordValue, change: Change): RecordValue | null {
  if (change.kind !== "merge" || change.fields === null) return apply(value, change);
  putInto(own, change.fields);
  return change.expiresAt === undefined ? value : { content: own, expiresAt: change.expiresAt };
}

/** One change with the effect of `older` and then `newer`. */
export function compose(older: Change, newer: Change): Change {
  if (newer.kind === "remove") return newer;
  if (newer.kind === "replace") {
    const afterRemove = newer.afterRemove || older.kind === "remove" || (older.kind === "replace" && older.afterRemove);
    return afterRemove === newer.afterRemove ? newer : { ...newer, afterRemove };
  }
  if (older.kind === "merge") return composeMerges(older, newer);
  const base = older.kind === "remove" ? null : { content: older.content, expiresAt: older.expiresAt };
  const merged = apply(base, newer) as RecordValue;
  return {
    kind: "replace",
    content: merged.content,
    expiresAt: merged.expiresAt,
    afterRemove: older.kind === "remove" || older.afterRemove,
  };
}

function mergeContent(content: Content, merge: Merge): Content {
  if (merge.fields === null) return content;
  const fields = new Map(typeof content === "string" ? noFields : content);
  putInto(fields, merge.fields);
  return fields;
}

function putInto(fields: Map<Bytes, Bytes>, { set, unset }: NonNullable<Merge["fields"]>): void {
  for (const field of unset) fields.delete(field);
  for (const [field, value] of set) fields.set(field, value);
}

function composeMerges(older: Merge, newer: Merge): Merge {
  return {
    kind: "merge",
    fields: composeFields(older.fields, newer.fields),
    expiresAt: newer.expiresAt === undefined ? older.expiresAt : newer.expiresAt,
  };
}

function composeFields(older: Merge["fields"], newer: Merge["fields"]): Merge["fields"] {
  if (older === null) return newer;
  if (newer === null) return older;
  const set = new Map(older.set);
  const unset = new Set(older.unset);
  for (const field of newer.unset) {
    set.delete(field);
    unset.add(field);
  }
  for (const [field, value] of newer.set) {
    unset.delete(field);
    set.set(field, value);
  }
  return { set, unset };
}

/** Whether an expiry has come: a record ends at it, as in Redis. */
export function hasEnded(expiresAt: number | null, nowMs: number): boolean {
  return expiresAt !== null && expiresAt <= nowMs;
}

/** Whether a record's value is there at a moment. */
export function isLive(value: RecordValue | null, nowMs: number): value is RecordValue {
  return value !== null && !hasEnded(value.expiresAt, nowMs);
}

/** Bytes of content: what the limits count. */
export function contentBytes(content: Content): number {
  if (typeof content === "string") return content.length;
  let bytes = 0;
  for (const [field, value] of content) bytes += field.length + value.length;
  return bytes;
}

/**
 * The fields in the order of their bytes: how a whole hash is shown. Its order in memory is that of its writes and its
 * order in the database is the index's, and nobody must see which of the two answered.
 */
export function inFieldOrder(fields: Fields): Fields {
  return new Map([...fields].sort(([a], [b]) => (a < b ? -1 : 1)));
}
