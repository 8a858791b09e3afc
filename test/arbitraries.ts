/** Arbitrary values of the engine's types, small on purpose: collisions are what the laws are about. */
import fc from "fast-check";
import type { Bytes } from "../src/bytes.js";
import { remove, type Change, type Content, type Fields, type RecordValue } from "../src/change.js";

/** Any bytes, any length. */
export const anyBytes: fc.Arbitrary<Bytes> = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString("latin1") as Bytes);

/** One of a few names. */
export function nameOf(count: number): fc.Arbitrary<Bytes> {
  return fc.constantFrom(...Array.from({ length: count }, (_, index) => String.fromCharCode(97 + index) as Bytes));
}

const smallValue = fc.constantFrom("" as Bytes, "1" as Bytes, "two" as Bytes, "\xff\x00" as Bytes);

const fields: fc.Arbitrary<Fields> = fc
  .array(fc.tuple(nameOf(4), smallValue), { maxLength: 4 })
  .map((pairs) => new Map(pairs));

/** A string or a hash. */
export const content: fc.Arbitrary<Content> = fc.oneof(smallValue, fields);

const moment = fc.integer({ min: 0, max: 5 }).map((n) => n * 10);

/** A record's value, with or without an end. */
export const recordValue: fc.Arbitrary<RecordValue> = fc.record({ content, expiresAt: fc.option(moment) });

/** A merge of fields, of the expiry, or of both. No field is both set and unset. */
const merge: fc.Arbitrary<Change> = fc
  .record({
    set: fields,
    unset: fc.uniqueArray(nameOf(4), { maxLength: 3 }),
    withFields: fc.boolean(),
    expiresAt: fc.option(fc.option(moment), { nil: undefined }),
  })
  .map(({ set, unset, withFields, expiresAt }) => ({
    kind: "merge",
    fields: withFields ? { set, unset: new Set(unset.filter((field) => !set.has(field))) } : null,
    expiresAt,
  }));

const replace: fc.Arbitrary<Change> = fc
  .record({ content, expiresAt: fc.option(moment), afterRemove: fc.boolean() })
  .map((rest) => ({ kind: "replace", ...rest }));

/** Any change. */
export const change: fc.Arbitrary<Change> = fc.oneof(replace, merge, fc.constant(remove));
