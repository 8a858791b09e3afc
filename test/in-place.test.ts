/** Merges that go into what the cache holds, against a model that copies. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { costOf, Entry } from "../src/cache/entry.js";
import { mergeIntoContent, mergeIntoOverlay } from "../src/cache/in-place.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { apply, compose, type Change, type Merge, type RecordValue } from "../src/change.js";
import { change, nameOf, recordValue } from "./arbitraries.js";

const merge = change.filter((one): one is Merge => one.kind === "merge");
const name = "record" as Bytes;

function entryOf(value: RecordValue | null | undefined): Entry {
  const entry = new Entry(name);
  entry.value = value;
  entry.bytes = costOf(entry);
  return entry;
}

test("merges into a content equal applying them to copies, cost what costOf says, and change no map but its own", () => {
  fc.assert(
    fc.property(fc.option(recordValue), fc.array(merge, { minLength: 1, maxLength: 8 }), (value, merges) => {
      const given = structuredClone({ value, merges });
      const entry = entryOf(value);
      let model = value;
      for (const one of merges) {
        entry.bytes = mergeIntoContent(entry, one);
        model = apply(model, one);
        expect(entry.value).toEqual(model);
        expect(entry.bytes).toBe(costOf(entry));
      }
      expect({ value, merges }).toEqual(given);
    }),
    { numRuns: 2000 },
  );
});

test("merges into an overlay equal composing copies, cost what costOf says, and change no map but its own", () => {
  fc.assert(
    fc.property(fc.array(merge, { minLength: 1, maxLength: 8 }), (merges) => {
      const given = structuredClone(merges);
      const entry = entryOf(undefined);
      let model: Change | null = null;
      for (const one of merges) {
        entry.bytes = mergeIntoOverlay(entry, one);
        model = model === null ? one : compose(model, one);
        expect(entry.overlay).toEqual(model);
        expect(entry.bytes).toBe(costOf(entry));
      }
      expect(merges).toEqual(given);
    }),
    { numRuns: 2000 },
  );
});

test("a cache costs what one costs that was given its values anew", () => {
  const step = fc.record({ record: nameOf(3), change });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const cache = new MemoryCache({ bytesMax: 1e9, absentMs: 1000 });
      const values = new Map<Bytes, RecordValue | null>();
      let sequence = 0;
      cache.clear(++sequence);
      for (const { record, change: one } of steps) {
        cache.write(record, one, ++sequence);
        values.set(record, apply(values.get(record) ?? null, one));
      }
      const anew = new MemoryCache({ bytesMax: 1e9, absentMs: 1000 });
      for (const [record, value] of values) anew.fill(anew.place(record), value, 0);
      for (const [record, value] of values) {
        const live = value === null || (value.expiresAt ?? 1) <= 0 ? null : value;
        expect(cache.peek(record, 0)).toEqual(live);
      }
      expect(cache.bytes).toBe(anew.bytes);
      cache.acknowledge(sequence);
      expect(cache.bytes).toBe(anew.bytes);
      expect(cache.pendingBytes).toBe(0);
    }),
    { numRuns: 1000 },
  );
});

test("a row that somebody else keeps is never changed by a merge", () => {
  const row = new Map([["a" as Bytes, "1" as Bytes]]);
  const cache = new MemoryCache({ bytesMax: 1e9, absentMs: 1000 });
  cache.fill(cache.place(name), { content: row, expiresAt: null }, 0);
  const set = new Map([["b" as Bytes, "2" as Bytes]]);
  for (const sequence of [1, 2]) {
    cache.write(
      name,
      { kind: "merge", fields: { set, unset: new Set(["a" as Bytes]) }, expiresAt: undefined },
      sequence,
    );
  }
  expect(row).toEqual(new Map([["a", "1"]]));
  expect(cache.peek(name, 0)?.content).toEqual(new Map([["b", "2"]]));
});
