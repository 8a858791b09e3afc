/** Merges that go into what the cache holds, against a model that copies. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { costOf, costOfMerges, Entry } from "../src/cache/entry.js";
import { mergeIntoContent, mergeIntoOverlay } from "../src/cache/in-place.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { apply, compose, type Change, type Merge, type RecordValue } from "../src/change.js";
import { findCommand } from "../src/commands/table.js";
import type { DataCommand } from "../src/commands/command.js";
import { Workspace } from "../src/workspace.js";
import { keyIsRecord } from "../src/address.js";
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
      const merges = new Map<Bytes, number[]>();
      let sequence = 0;
      cache.clear(++sequence);
      for (const { record, change: one } of steps) {
        cache.write(record, one, ++sequence);
        values.set(record, apply(values.get(record) ?? null, one));
        if (one.kind === "merge") merges.set(record, [...(merges.get(record) ?? []), sequence]);
        else merges.delete(record);
      }
      const remembered = [...merges.values()].reduce((sum, each) => sum + costOfMerges(each), 0);
      const anew = new MemoryCache({ bytesMax: 1e9, absentMs: 1000 });
      for (const [record, value] of values) anew.fill(anew.place(record), value, 0);
      for (const [record, value] of values) {
        const live = value === null || (value.expiresAt ?? 1) <= 0 ? null : value;
        expect(cache.peek(record, 0)).toEqual(live);
      }
      expect(cache.bytes).toBe(anew.bytes + remembered);
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

/** Runs work in which walking through a map of so many entries, or copying it, is an error. */
function withoutWalks(entriesMax: number, work: () => void): void {
  const all: object = Map.prototype;
  const names = [Symbol.iterator, "entries", "keys", "values", "forEach"] as const;
  const real = names.map((one) => Object.getOwnPropertyDescriptor(all, one) as PropertyDescriptor);
  names.forEach((one, index) => {
    const walk = (real[index] as PropertyDescriptor).value as (...args: unknown[]) => unknown;
    const checked = function (this: Map<unknown, unknown>, ...args: unknown[]): unknown {
      if (this.size > entriesMax) throw new Error(`a walk through ${this.size} entries`);
      return walk.apply(this, args);
    };
    Object.defineProperty(all, one, { ...real[index], value: checked });
  });
  try {
    work();
  } finally {
    names.forEach((one, index) => Object.defineProperty(all, one, real[index] as PropertyDescriptor));
  }
}

test("commands that name fields never walk through the hash, nor do the transactions that they are in", () => {
  const cache = new MemoryCache({ bytesMax: 1e9, absentMs: 1000 });
  const content = new Map(Array.from({ length: 5000 }, (_, i) => [`f${i}` as Bytes, "1" as Bytes]));
  cache.write(name, { kind: "replace", content, expiresAt: null, afterRemove: false }, 1);
  let sequence = 1;
  const transaction = (...commands: string[]): unknown[] => {
    const workspace = new Workspace(keyIsRecord, (record) => cache.lookup(record, 0), 0);
    const replies = commands.map((text) => {
      const args = text.split(" ") as Bytes[];
      workspace.savepoint();
      return (findCommand(args[0] as Bytes) as DataCommand).run(workspace, args);
    });
    const changes = workspace.changes();
    sequence += 1;
    for (const one of changes) cache.write(one.record, one.change, sequence);
    return replies;
  };
  // The first merge copies what came from outside.
  transaction("hset record f0 2");
  const twice = [
    "hset record f1 2",
    "hset record new 1",
    "hincrby record f1 3",
    "hdel record f2 new none",
    "hlen record",
  ];
  withoutWalks(100, () => {
    expect(transaction(...twice)).toEqual([0, 1, 5, 2, 4999]);
    expect(transaction("hget record f1", "hmget record f0 f2", "hexists record f3")).toEqual(["5", ["2", null], 1]);
    expect(transaction("expire record 1", "hset record f3 2", "persist record", "type record")).toMatchObject([
      1,
      0,
      1,
      {},
    ]);
    expect(cache.acknowledge(sequence)).toBe(true);
    expect(transaction(...twice)).toEqual([0, 1, 5, 1, 4999]);
    expect(() => transaction("hgetall record")).toThrow("a walk through");
  });
  expect(cache.lookup(name, 0)?.content).toHaveProperty("size", 4999);
});
