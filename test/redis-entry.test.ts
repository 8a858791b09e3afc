import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { RecordChange } from "../src/change.js";
import {
  entryVersion,
  framesOf,
  isPlain,
  packFrame,
  packPlain,
  UnknownEntry,
  type RawEntry,
} from "../src/redis/entry.js";
import { anyBytes, change } from "./arbitraries.js";

const logId = "0123456789abcdef0123456700000003";
const at = "1770000000000" as Bytes;
const version = entryVersion as Bytes;

const changes: fc.Arbitrary<readonly RecordChange[]> = fc.array(fc.record({ record: anyBytes, change }), {
  maxLength: 4,
});
const manyChanges = fc
  .tuple(fc.integer({ min: 1001, max: 1100 }), change)
  .map(([count, each]) => Array.from({ length: count }, (_, index) => ({ record: `${index}` as Bytes, change: each })));
const pairs = fc.array(fc.tuple(anyBytes, anyBytes), { minLength: 1, maxLength: 5 });

function nonceOf(number: number): Bytes {
  return number.toString(16).padStart(16, "0") as Bytes;
}

interface Packed {
  readonly entry: RawEntry;
  readonly tags: readonly number[];
  readonly bytes: readonly number[];
}

function packed(frames: readonly (readonly RecordChange[])[], last: number): Packed {
  const each = frames.map((frame, index) => packFrame(frame, nonceOf(index)));
  const fields = each.flatMap(({ name, head, pairs: texts }) => [name as Bytes, head, ...texts]);
  return {
    entry: { last, fields: [version, at, ...fields] },
    tags: each.map(({ tag }) => tag),
    bytes: each.map(({ bytes }) => bytes),
  };
}

function plainEntry(texts: readonly (readonly [Bytes, Bytes])[], nonce: Bytes, last = texts.length): RawEntry {
  const { head } = packPlain(texts.flat(), nonce);
  return { last, fields: [version, at, "@" as Bytes, head, ...texts.flat()] };
}

describe("frames in an entry", () => {
  test("any frames are given back as they were packed, with their sequences, tags and bytes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 20, arbitrary: changes }, { weight: 1, arbitrary: manyChanges }), {
          minLength: 1,
          maxLength: 4,
        }),
        (list) => {
          const { entry, tags, bytes } = packed(list, 100);
          const found = framesOf(entry, logId);
          expect(found.map(({ frame }) => frame.body)).toEqual(
            list.map((each) => ({ kind: "changes", changes: each })),
          );
          expect(found.map(({ frame }) => frame.position)).toEqual(
            tags.map((tag, index) => ({ logId, sequence: 101 - list.length + index, tag })),
          );
          expect(found.map((each) => each.bytes)).toEqual(bytes);
          expect(found.every(({ frame }) => frame.at === 1_770_000_000_000)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("frames that each set a string are given back", () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const entry = plainEntry(list, nonceOf(1));
        const found = framesOf(entry, logId);
        expect(found.map(({ frame }) => frame.body)).toEqual(
          list.map(([record, content]) => ({
            kind: "changes",
            changes: [{ record, change: { kind: "replace", content, expiresAt: null, afterRemove: false } }],
          })),
        );
        expect(found.map(({ frame }) => frame.position.sequence)).toEqual(list.map((_, index) => index + 1));
        expect(found.at(-1)?.frame.position.tag).toBe(packPlain(list.flat(), nonceOf(1)).lastTag);
        expect(found.map(({ bytes }) => bytes)).toEqual(list.map(([record, text]) => 4 + record.length + text.length));
      }),
    );
  });

  test("the same content under another nonce, or at another place, has another tag", () => {
    const same: [Bytes, Bytes] = ["a" as Bytes, "1" as Bytes];
    const tags = [
      ...framesOf(plainEntry([same, same, same], nonceOf(1)), logId),
      ...framesOf(plainEntry([same], nonceOf(2)), logId),
    ].map(({ frame }) => frame.position.tag);
    expect(new Set(tags).size).toBe(4);
    const set: RecordChange = {
      record: "a" as Bytes,
      change: { kind: "replace", content: "1" as Bytes, expiresAt: null, afterRemove: false },
    };
    const again: RecordChange = {
      record: set.record,
      change: { ...set.change, afterRemove: true } as RecordChange["change"],
    };
    const three = [packFrame([set], nonceOf(1)), packFrame([set], nonceOf(2)), packFrame([again], nonceOf(1))];
    expect(new Set(three.map(({ tag }) => tag)).size).toBe(3);
    expect([isPlain(set.change), isPlain(again.change)]).toEqual([true, true]);
  });
});

describe("an entry that is not whole", () => {
  const ofStrings = pairs.map((list) => plainEntry(list, nonceOf(3), 9));
  const ofOneFrame = changes.filter((each) => each.length > 0).map((frame) => packed([frame], 9).entry);
  const entries = fc.oneof(
    fc
      .array(
        changes.filter((each) => each.length > 0),
        { minLength: 1, maxLength: 3 },
      )
      .map((list) => packed(list, 9).entry),
    ofStrings,
    manyChanges.map((frame) => packed([frame], 9).entry),
  );

  test("a changed byte anywhere behind the time is an error, or gives the same frames", () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (entry, where, place, mask) => {
        const fields = [...entry.fields];
        const index = 2 + (where % (fields.length - 2));
        const text = fields[index] as Bytes;
        fc.pre(text.length > 0);
        const spot = place % text.length;
        const other = String.fromCharCode(text.charCodeAt(spot) ^ mask);
        fields[index] = (text.slice(0, spot) + other + text.slice(spot + 1)) as Bytes;
        expect(() => framesOf({ ...entry, fields }, logId)).toThrow();
      }),
      { numRuns: 400 },
    );
  });

  test("an entry that ends too early is an error", () => {
    fc.assert(
      fc.property(fc.oneof(ofOneFrame, ofStrings), fc.nat(), (entry, cut) => {
        const kept = 3 + (cut % (entry.fields.length - 3));
        expect(() => framesOf({ ...entry, fields: entry.fields.slice(0, kept) }, logId)).toThrow(/not whole/);
      }),
    );
  });

  test("an unknown version is told from damage", () => {
    const entry = plainEntry([["a" as Bytes, "1" as Bytes]], nonceOf(1));
    const newer = { ...entry, fields: ["2" as Bytes, ...entry.fields.slice(1)] };
    expect(() => framesOf(newer, logId)).toThrow(UnknownEntry);
    expect(() => framesOf({ last: 1, fields: [] }, logId)).toThrow(UnknownEntry);
    expect(() => framesOf({ last: 1, fields: [version, at, "?" as Bytes, nonceOf(1)] }, logId)).toThrow(/not whole/);
  });
});
