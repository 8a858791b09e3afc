/** The cache against a naive world, and each of its rules by itself. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { apply, remove, type Change, type Merge, type RecordValue } from "../src/change.js";
import { event, World } from "./cache-model.js";

const b = (text: string): Bytes => text as Bytes;
const put = (text: string, expiresAt: number | null = null): Change => ({
  kind: "replace",
  content: b(text),
  expiresAt,
  afterRemove: false,
});
const merge = (field: string, text: string): Merge => ({
  kind: "merge",
  fields: { set: new Map([[b(field), b(text)]]), unset: new Set() },
  expiresAt: undefined,
});
const text = (one: string, expiresAt: number | null = null): RecordValue => ({ content: b(one), expiresAt });
const hash = (fields: Record<string, string>): RecordValue => ({
  content: new Map(Object.entries(fields)) as unknown as ReadonlyMap<Bytes, Bytes>,
  expiresAt: null,
});
const a = b("a");

let cache: MemoryCache;
beforeEach(() => {
  cache = new MemoryCache({ bytesMax: 1_000_000, absentMs: 100 });
});

describe("what a lookup gives is the true value, or not known", () => {
  it.each([
    ["a large cache", 1_000_000, 1000, null],
    ["a cache that holds two records", 600, 20, null],
    ["a cache that holds nothing and remembers nothing", 1, 0, null],
    ["a cache that drops what is pending and in the log", 1, 20, 0],
    ["a cache that drops some of what is pending", 900, 20, 2],
  ])("%s", (_, bytesMax, absentMs, unread) => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 100, size: "max" }), (events) => {
        const world = new World(bytesMax, absentMs, unread);
        for (const one of events) world.step(one);
        world.end();
      }),
      { numRuns: 120 },
    );
  });
});

describe("a load", () => {
  it("fills what was not known", () => {
    expect(cache.lookup(a, 0)).toBeUndefined();
    expect(cache.fill(cache.place(a), text("row"), 0)).toBe(true);
    expect(cache.lookup(a, 0)).toEqual(text("row"));
  });

  it("is shared: the first fill ends the place", () => {
    const first = cache.place(a);
    const second = cache.place(a);
    expect(cache.fill(first, text("row"), 0)).toBe(true);
    cache.write(a, put("new"), 1);
    cache.acknowledge(1);
    expect(cache.fill(second, text("row"), 0)).toBe(false);
    expect(cache.lookup(a, 0)).toEqual(text("new"));
  });

  it.each<[string, (one: MemoryCache) => void]>([
    ["a write", (one) => one.write(a, put("new"), 1)],
    [
      "a write that was stored and evicted since",
      (one) => (one.write(a, put("new"), 1), one.acknowledge(1), one.invalidate(a)),
    ],
    ["a clear", (one) => one.clear(1)],
    ["a clear that was stored since", (one) => (one.clear(1), one.acknowledge(1))],
    ["an invalidation", (one) => one.invalidate(a)],
  ])("that is stale loses: %s", (_, between) => {
    const place = cache.place(a);
    between(cache);
    expect(place.open).toBe(false);
    expect(cache.fill(place, text("stale"), 0)).toBe(false);
    expect(cache.lookup(a, 0)).not.toEqual(text("stale"));
  });

  it("begun before the overlay was stored loses: its row may lack the change", () => {
    cache.write(a, merge("x", "1"), 1);
    const place = cache.place(a);
    cache.acknowledge(1);
    expect(cache.fill(place, hash({ x: "0" }), 0)).toBe(false);
    expect(cache.lookup(a, 0)).toBeUndefined();
  });

  it("begun while a clear is pending has no right: the database still shows what is gone", () => {
    cache.clear(1);
    const place = cache.place(a);
    cache.acknowledge(1);
    expect(cache.fill(place, text("gone"), 0)).toBe(false);
    expect(cache.lookup(a, 0)).toBeUndefined();
  });

  it("that failed gives its place back", () => {
    const place = cache.place(a);
    cache.leave(place);
    expect(cache.fill(place, text("late"), 0)).toBe(false);
    expect(cache.fill(cache.place(a), text("row"), 0)).toBe(true);
  });
});

describe("a merge of a record that is not in memory", () => {
  it("waits for its base beside it", () => {
    cache.write(a, merge("x", "1"), 1);
    cache.write(a, merge("y", "2"), 2);
    expect(cache.lookup(a, 0)).toBeUndefined();
    expect(cache.sequenceOf(a)).toBe(2);
    expect(cache.pendingRecords).toBe(1);
    expect(cache.fill(cache.place(a), hash({ x: "0", z: "0" }), 0)).toBe(true);
    expect(cache.lookup(a, 0)).toEqual(hash({ x: "1", z: "0", y: "2" }));
  });

  it("survives an invalidation: the overlay is ours", () => {
    cache.write(a, merge("x", "1"), 1);
    cache.invalidate(a);
    cache.fill(cache.place(a), hash({ x: "0", z: "9" }), 0);
    expect(cache.lookup(a, 0)).toEqual(hash({ x: "1", z: "9" }));
  });

  it("has no base in a remembered absence: the row may be there again", () => {
    cache.fill(cache.place(a), null, 0);
    cache.write(a, merge("x", "1"), 1);
    expect(cache.lookup(a, 1)).toBeUndefined();
    cache.fill(cache.place(a), hash({ y: "1" }), 1);
    expect(cache.lookup(a, 1)).toEqual(hash({ x: "1", y: "1" }));
  });

  it("is forgotten once it is stored", () => {
    cache.write(a, merge("x", "1"), 1);
    cache.acknowledge(1);
    expect([cache.records, cache.bytes, cache.pendingRecords]).toEqual([0, 0, 0]);
  });
});

describe("pending records", () => {
  it("are never evicted, however small the cache is", () => {
    const small = new MemoryCache({ bytesMax: 1, absentMs: 100 });
    for (let index = 0; index < 1000; index += 1) small.write(b(`k${index}`), put("v"), index + 1);
    for (let index = 0; index < 1000; index += 1) expect(small.lookup(b(`k${index}`), 0)).toEqual(text("v"));
    expect([small.pendingRecords, small.evictions]).toEqual([1000, 0]);
    small.acknowledge(400);
    expect([small.pendingRecords, small.records]).toEqual([600, 600]);
  });

  it("stay pending when the store has only an older change of theirs", () => {
    cache.write(a, put("1"), 1);
    cache.write(b("other"), put("1"), 2);
    cache.write(a, put("2"), 3);
    cache.acknowledge(2);
    expect(cache.pendingRecords).toBe(1);
    cache.invalidate(a);
    expect(cache.lookup(a, 0)).toEqual(text("2"));
    cache.acknowledge(3);
    expect(cache.pendingRecords).toBe(0);
  });

  it("that are stored, but not acknowledged yet, are forgotten when somebody else changes the row", () => {
    cache.write(b("first"), put("1"), 1);
    cache.write(a, put("1"), 2);
    cache.acknowledge(2, 1);
    cache.invalidate(a);
    expect(cache.lookup(a, 0)).toBeUndefined();
  });

  it("may be acknowledged a few at a time", () => {
    for (let index = 0; index < 10; index += 1) cache.write(b(`k${index}`), put("v"), index + 1);
    expect(cache.acknowledge(8, 3)).toBe(false);
    expect(cache.pendingRecords).toBe(7);
    expect(cache.acknowledge(8, 3)).toBe(false);
    expect(cache.acknowledge(8, 3)).toBe(true);
    expect(cache.pendingRecords).toBe(2);
  });

  it("are forgotten when stored, where somebody else changed the row under a merge", () => {
    cache.fill(cache.place(a), hash({ x: "0", y: "0" }), 0);
    cache.write(a, merge("x", "1"), 1);
    cache.invalidate(a);
    expect(cache.lookup(a, 0)).toEqual(hash({ x: "1", y: "0" }));
    cache.acknowledge(1);
    expect(cache.lookup(a, 0)).toBeUndefined();
  });
});

describe("absence", () => {
  it("is remembered for a while", () => {
    cache.fill(cache.place(a), null, 1000);
    expect(cache.lookup(a, 1099)).toBeNull();
    expect(cache.lookup(a, 1100)).toBeUndefined();
  });

  it("of a record that was deleted does not end before that is stored", () => {
    cache.write(a, remove, 1);
    expect(cache.lookup(a, 1_000_000)).toBeNull();
    cache.acknowledge(1);
    expect(cache.lookup(a, 1_000_099)).toBeNull();
    expect(cache.lookup(a, 1_000_100)).toBeUndefined();
  });

  it("counts bytes, so that asking for what is not there does not fill the memory", () => {
    const small = new MemoryCache({ bytesMax: 100_000, absentMs: 1_000_000 });
    for (let index = 0; index < 10_000; index += 1) small.fill(small.place(b(`k${index}`)), null, 0);
    expect(small.bytes).toBeLessThanOrEqual(100_000);
    expect(small.records).toBeLessThan(1000);
  });

  it("after a clear is known of every record until the store has it", () => {
    cache.write(a, put("1"), 1);
    cache.clear(2);
    cache.seen = 0;
    expect([cache.lookup(a, 0), cache.lookup(b("never seen"), 0)]).toEqual([null, null]);
    expect([cache.seen, cache.sequenceOf(a)]).toEqual([2, 2]);
    cache.write(b("c"), merge("x", "1"), 3);
    expect(cache.lookup(b("c"), 0)).toEqual(hash({ x: "1" }));
    cache.acknowledge(2);
    expect([cache.lookup(a, 0), cache.sequenceOf(a)]).toEqual([undefined, 0]);
    expect(cache.lookup(b("c"), 0)).toEqual(hash({ x: "1" }));
  });
});

describe("expiry", () => {
  it("reads as absent from the very moment, pending or not", () => {
    cache.write(a, put("1", 50), 1);
    expect(cache.lookup(a, 49)).toEqual(text("1", 50));
    expect(cache.lookup(a, 50)).toBeNull();
    cache.acknowledge(1);
    expect(cache.lookup(a, 50)).toBeNull();
  });

  it("frees the memory of clean records only", () => {
    cache.write(a, put("1", 50), 1);
    cache.write(b("stays"), put("1"), 2);
    expect(cache.expire(60, 100)).toBe(0);
    cache.acknowledge(2);
    expect(cache.expire(60, 100)).toBe(1);
    expect(cache.records).toBe(1);
  });

  it("comes to every record, a few at a time", () => {
    for (let index = 0; index < 100; index += 1) cache.write(b(`k${index}`), put("v", 50), index + 1);
    cache.acknowledge(100);
    for (let turn = 0; turn < 12; turn += 1) cache.expire(60, 10);
    expect([cache.records, cache.bytes]).toEqual([0, 0]);
  });
});

describe("pins", () => {
  it("keep a record that is not there yet, until the last one is gone", () => {
    const small = new MemoryCache({ bytesMax: 1, absentMs: 0 });
    small.pin(a);
    small.pin(a);
    small.fill(small.place(a), text("row"), 0);
    small.fill(small.place(b("other")), text("row"), 0);
    small.unpin(a);
    expect(small.lookup(a, 0)).toEqual(text("row"));
    small.unpin(a);
    expect(small.lookup(a, 0)).toBeUndefined();
    expect(small.bytes).toBe(0);
  });

  it("keep an absence, also where none is remembered", () => {
    const forgetful = new MemoryCache({ bytesMax: 1000, absentMs: 0 });
    forgetful.pin(a);
    forgetful.fill(forgetful.place(a), null, 0);
    expect(forgetful.lookup(a, 10)).toBeNull();
    forgetful.unpin(a);
    expect(forgetful.lookup(a, 10)).toBeUndefined();
  });
});

describe("a watch", () => {
  it("is tripped by a write, a clear and an invalidation", () => {
    for (const change of [() => cache.write(a, put("1"), 1), () => cache.clear(2), () => cache.invalidate(a)]) {
      const watch = cache.watch(a, 0);
      expect(watch.changed(0)).toBe(false);
      change();
      expect(watch.changed(0)).toBe(true);
      watch.cancel();
    }
  });

  it("is not tripped by a load, an eviction, another record's change, or the store", () => {
    const small = new MemoryCache({ bytesMax: 1, absentMs: 0 });
    small.write(a, put("1"), 1);
    const watch = small.watch(a, 0);
    small.write(b("other"), put("1"), 2);
    small.acknowledge(2);
    small.fill(small.place(a), text("1"), 0);
    expect([small.records, watch.changed(0)]).toEqual([0, false]);
  });

  it("is tripped when the record ends, as judged when it is asked", () => {
    cache.write(a, put("1", 50), 1);
    const watch = cache.watch(a, 0);
    expect([watch.changed(49), watch.changed(50)]).toEqual([false, true]);
  });

  it("learns from a load nothing that a pending change has made obsolete", () => {
    cache.write(a, put("1", 30), 1);
    const place = cache.place(a);
    const watch = cache.watch(a, 10);
    cache.fill(place, text("old", 50), 20);
    expect([watch.changed(29), watch.changed(30)]).toEqual([false, true]);
  });

  it("learns the end from a load, and is not tripped by what had ended before it began", () => {
    const early = cache.watch(a, 10);
    cache.fill(cache.place(a), text("1", 50), 20);
    const late = cache.watch(a, 60);
    expect([early.changed(60), late.changed(60)]).toEqual([true, false]);
  });

  it("of a cancelled watcher costs nothing more", () => {
    const [one, two] = [cache.watch(a, 0), cache.watch(a, 0)];
    one.cancel();
    one.cancel();
    cache.write(a, put("1"), 1);
    expect([one.changed(0), two.changed(0)]).toEqual([false, true]);
  });
});

it("counts hits and misses of lookups, not of peeks", () => {
  cache.lookup(a, 0);
  cache.peek(a, 0);
  cache.write(a, put("1"), 1);
  cache.lookup(a, 0);
  cache.peek(a, 0);
  expect([cache.hits, cache.misses]).toEqual([1, 1]);
});

describe("what pending records hold is dropped where the log has it", () => {
  const frames = new Map<number, Change>();
  const dropping = (): MemoryCache =>
    new MemoryCache({ bytesMax: 1, absentMs: 100, readable: () => Number.MAX_SAFE_INTEGER });
  const write = (one: MemoryCache, sequence: number, change: Change): void => {
    frames.set(sequence, change);
    one.write(a, change, sequence);
  };
  /** Loads it as the heart does. */
  const load = (one: MemoryCache, row: RecordValue | null): void => {
    const place = one.place(a);
    const { whole, merges } = place.inLog ?? { whole: 0, merges: [] };
    const sequences = whole === 0 ? merges : [whole, ...merges];
    const value = sequences.reduce((before, sequence) => apply(before, frames.get(sequence) as Change), row);
    one.pin(a);
    expect(one.fill(place, value, 0)).toBe(true);
  };

  it("merges on a base that was never in memory are dropped too: a restart is within its memory", () => {
    const one = dropping();
    for (let i = 1; i <= 50; i += 1) write(one, i, merge("f", `${i}`.padEnd(1000, "x")));
    expect(one.bytes).toBeLessThan(1000);
    expect(one.lookup(a, 0)).toBeUndefined();
    load(one, hash({ stays: "row", f: "old" }));
    expect(one.lookup(a, 0)).toEqual(hash({ stays: "row", f: "50".padEnd(1000, "x") }));
  });

  it.each([0, 1])("more merges than are read back stay in memory, in their order (whole change: %i)", (whole) => {
    const one = dropping();
    if (whole === 1)
      write(one, 1, { kind: "replace", content: new Map([[b("n"), b("0")]]), expiresAt: null, afterRemove: false });
    for (let i = 2; i <= 500; i += 1) write(one, i, merge(i % 2 === 0 ? "n" : "m", `${i}`));
    const place = one.place(a);
    expect(place.inLog?.merges.length).toBeLessThan(70);
    one.leave(place);
    load(one, whole === 1 ? null : hash({ n: "row", stays: "row" }));
    const expected = { n: "500", m: "499", ...(whole === 1 ? {} : { stays: "row" }) };
    expect(one.lookup(a, 0)).toEqual(hash(expected));
    one.unpin(a);
    write(one, 501, merge("n", "501"));
    expect(one.lookup(a, 0)).toEqual(hash({ ...expected, n: "501" }));
  });

  it("of a hot record that was dropped the newest expiry counts, not that of the moment it was dropped", () => {
    const one = dropping();
    write(one, 1, { kind: "merge", fields: null, expiresAt: 10 });
    for (let i = 2; i <= 100; i += 1) write(one, i, merge("f", `${i}`));
    write(one, 101, { kind: "merge", fields: null, expiresAt: 50 });
    expect([one.lookup(a, 49), one.lookup(a, 50)]).toEqual([undefined, null]);
    write(one, 102, { kind: "merge", fields: null, expiresAt: null });
    expect(one.lookup(a, 51)).toBeUndefined();
  });

  it("what is remembered of its frames counts as memory, and only as long as it is", () => {
    const count = (write: (one: MemoryCache) => void): number => {
      const one = new MemoryCache({ bytesMax: 1_000_000, absentMs: 0 });
      write(one);
      return one.bytes;
    };
    const merges = (times: number) => (one: MemoryCache) => {
      for (let sequence = 1; sequence <= times; sequence += 1) one.write(a, merge("field", "1"), sequence);
    };
    const [one, fifty, more] = [count(merges(1)), count(merges(50)), count(merges(5000))];
    expect(fifty - one).toBeGreaterThanOrEqual(49 * 8);
    // A record that is hot is not read back: nothing is remembered of it.
    expect(more).toBeLessThan(one);
    const whole = (before: number) => (memory: MemoryCache) => {
      merges(before)(memory);
      memory.write(a, put("whole"), before + 1);
    };
    expect(count(whole(50))).toBe(count(whole(0)));
    const stored = (upTo: number) => (memory: MemoryCache) => {
      merges(50)(memory);
      memory.acknowledge(upTo);
    };
    expect(count(merges(50)) - count(stored(49))).toBe(fifty - one);
    expect(count(stored(50))).toBe(0);
  });

  it("a dropped record takes part in what the store has: older merges are in the row", () => {
    const one = dropping();
    for (let i = 1; i <= 10; i += 1) write(one, i, merge(`f${i}`, "v"));
    one.acknowledge(6);
    const place = one.place(a);
    expect(place.inLog).toEqual({ whole: 0, merges: [7, 8, 9, 10] });
  });
});
