/**
 * Values and changes as JSON that people can read: what the admin API shows, and what lies in the table of dead
 * letters. A change comes back from it as it was. It is kept in parts, because neither a JavaScript string nor a cell
 * of a database takes a hash of any size. Pure.
 */
import { bufferOfBytes, bytesOfJson, jsonOfBytes, type Bytes, type JsonBytes } from "./bytes.js";
import { inFieldOrder, remove, type Change, type Content, type Fields, type Replace } from "./change.js";

/** A record's value as JSON. */
export type JsonValue =
  | { readonly type: "string"; readonly value: JsonBytes; readonly expiresAt: number | null }
  | {
      readonly type: "hash";
      readonly fields: readonly (readonly [JsonBytes, JsonBytes])[];
      readonly expiresAt: number | null;
    };

/** A change as JSON, with nothing left out. `expiresAt` of a merge is absent where the merge keeps what there is. */
export type KeptChange =
  | { readonly kind: "replace"; readonly value: JsonValue; readonly afterRemove: boolean }
  | { readonly kind: "merge"; readonly fields: KeptFields | null; readonly expiresAt?: number | null }
  | { readonly kind: "remove" };

interface KeptFields {
  readonly set: readonly (readonly [JsonBytes, JsonBytes])[];
  readonly unset: readonly JsonBytes[];
}

/** Content and expiry as JSON; a hash in the order of its fields. */
export function jsonOfContent(content: Content, expiresAt: number | null): JsonValue {
  if (typeof content === "string") return { type: "string", value: jsonOfBytes(content), expiresAt };
  return { type: "hash", fields: jsonOfFields(content), expiresAt };
}

/** Bytes of names and values in one part, but one field at the least: as JSON it stays far from every limit. */
const partBytesMax = 16 * 1024 * 1024;

/**
 * A change as JSON from which it can be made again: in one part, or, where it is large, in a first one and the rest of
 * its fields as merges. A part holds the most there may be in a frame as one value, or some 16 MB.
 */
export function keptChange(change: Change, bytesMax = partBytesMax): readonly KeptChange[] {
  if (change.kind === "remove") return [{ kind: "remove" }];
  if (change.kind === "replace") return keptReplace(change, bytesMax);
  const { fields, expiresAt } = change;
  const parts = fields === null ? [] : keptFields(inFieldOrder(fields.set), fields.unset, bytesMax);
  const [first = null, ...rest] = parts;
  return [{ kind: "merge", fields: first, ...(expiresAt !== undefined && { expiresAt }) }, ...rest.map(mergeOf)];
}

function keptReplace({ content, expiresAt, afterRemove }: Replace, bytesMax: number): KeptChange[] {
  if (typeof content === "string") {
    return [{ kind: "replace", value: { type: "string", value: keptBytes(content), expiresAt }, afterRemove }];
  }
  const [first, ...rest] = keptFields(inFieldOrder(content), new Set(), bytesMax);
  const value: JsonValue = { type: "hash", fields: first?.set ?? [], expiresAt };
  return [{ kind: "replace", value, afterRemove }, ...rest.map(mergeOf)];
}

function mergeOf(fields: KeptFields): KeptChange {
  return { kind: "merge", fields };
}

/** The change that was kept in these parts. Throws where somebody has written something else there. */
export function changeOfKept([first, ...rest]: readonly KeptChange[]): Change {
  if (first === undefined) throw new TypeError("no part of a change is there");
  const change = changeOfPart(first);
  for (const part of rest) addPart(change, changeOfPart(part));
  return change;
}

/** Adds the fields of one more part. The maps of both were made from JSON and belong to nobody else. */
function addPart(change: Change, part: Change): void {
  const into = fieldsToAddTo(change);
  const more = part.kind === "merge" ? part.fields : null;
  if (into === null || more === null) throw new TypeError("what follows is no part of a hash");
  for (const [field, value] of more.set) into.set.set(field, value);
  for (const field of more.unset) into.unset.add(field);
}

/** Of a replace nothing is ever unset. */
function fieldsToAddTo(change: Change): { set: Map<Bytes, Bytes>; unset: Set<Bytes> } | null {
  if (change.kind === "merge") return change.fields as { set: Map<Bytes, Bytes>; unset: Set<Bytes> } | null;
  if (change.kind === "remove" || typeof change.content === "string") return null;
  return { set: change.content as Map<Bytes, Bytes>, unset: new Set() };
}

function changeOfPart(kept: KeptChange): Change {
  switch (kept.kind) {
    case "remove":
      return remove;
    case "replace": {
      const { value, afterRemove } = kept;
      const content = value.type === "string" ? bytesOfJson(value.value) : fieldsOf(value.fields);
      return { kind: "replace", content, expiresAt: value.expiresAt, afterRemove };
    }
    case "merge": {
      const { fields } = kept;
      return {
        kind: "merge",
        fields: fields && { set: fieldsOf(fields.set), unset: new Set(fields.unset.map(bytesOfJson)) },
        expiresAt: kept.expiresAt,
      };
    }
    default:
      throw new TypeError(`${JSON.stringify((kept as { kind: unknown }).kind)} is no kind of change`);
  }
}

function jsonOfFields(fields: Fields): [JsonBytes, JsonBytes][] {
  return [...inFieldOrder(fields)].map(([field, value]) => [jsonOfBytes(field), jsonOfBytes(value)]);
}

/** Fields in parts, one at the least. */
function keptFields(set: Fields, unset: ReadonlySet<Bytes>, bytesMax: number): KeptFields[] {
  let part: { set: [JsonBytes, JsonBytes][]; unset: JsonBytes[] } = { set: [], unset: [] };
  const parts = [part];
  let bytes = 0;
  const take = (more: number): void => {
    if (bytes > 0 && bytes + more > bytesMax) {
      part = { set: [], unset: [] };
      parts.push(part);
      bytes = 0;
    }
    // What is around a name and a value in JSON, so that a million empty fields are not one part.
    bytes += more + 8;
  };
  for (const field of unset) {
    take(field.length);
    part.unset.push(keptBytes(field));
  }
  for (const [field, value] of set) {
    take(field.length + value.length);
    part.set.push([keptBytes(field), keptBytes(value)]);
  }
  return parts;
}

/** Shorter bytes are not looked at: whatever form they have, it is short. */
const lookedAtMin = 4096;

/** As people read it, or in base64 where JSON would escape so much that it became more than twice as long. */
function keptBytes(bytes: Bytes): JsonBytes {
  if (bytes.length < lookedAtMin || addedByEscapes(bytes) <= bytes.length) return jsonOfBytes(bytes);
  return { base64: bufferOfBytes(bytes).toString("base64") };
}

/** Characters that JSON adds to a text: `\u0001` five, `\n` and a quote one. */
function addedByEscapes(bytes: Bytes): number {
  let added = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const code = bytes.charCodeAt(at);
    if (code < 32) added += shortEscapes.includes(code) ? 1 : 5;
    else if (code === 34 || code === 92) added += 1;
  }
  return added;
}

/** Backspace, tab, line feed, form feed, carriage return. */
const shortEscapes: readonly number[] = [8, 9, 10, 12, 13];

function fieldsOf(fields: KeptFields["set"]): Map<Bytes, Bytes> {
  return new Map(fields.map(([field, value]) => [bytesOfJson(field), bytesOfJson(value)]));
}
