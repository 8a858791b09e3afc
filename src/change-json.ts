/**
 * Values and changes as JSON that people can read: what the admin API shows, and what lies in the table of dead
 * letters. A change comes back from it as it was. Pure.
 */
import { bytesOfJson, jsonOfBytes, type Bytes, type JsonBytes } from "./bytes.js";
import { inFieldOrder, remove, type Change, type Content, type Fields, type Merge } from "./change.js";

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

/** A change as JSON from which it can be made again. */
export function keptChange(change: Change): KeptChange {
  switch (change.kind) {
    case "remove":
      return { kind: "remove" };
    case "replace":
      return {
        kind: "replace",
        value: jsonOfContent(change.content, change.expiresAt),
        afterRemove: change.afterRemove,
      };
    case "merge":
      return {
        kind: "merge",
        fields: keptFields(change.fields),
        ...(change.expiresAt !== undefined && { expiresAt: change.expiresAt }),
      };
  }
}

/** The change that was kept so. Throws where somebody has written something else there. */
export function changeOfKept(kept: KeptChange): Change {
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

function keptFields(fields: Merge["fields"]): KeptFields | null {
  return fields && { set: jsonOfFields(fields.set), unset: [...fields.unset].map(jsonOfBytes) };
}

function fieldsOf(fields: KeptFields["set"]): Map<Bytes, Bytes> {
  return new Map(fields.map(([field, value]) => [bytesOfJson(field), bytesOfJson(value)]));
}
