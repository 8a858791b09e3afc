/** Cold reads: their turns, and what happens to them while the database is brought back. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import type { RecordValue } from "../src/change.js";
import { Emitter } from "../src/events.js";
import { Loads } from "../src/heart/loads.js";
import { WriterSide } from "../src/heart/writer-side.js";
import { nodeHost } from "../src/host/node-host.js";
import type { Journal } from "../src/queue/journal/journal.js";
import type { Position } from "../src/queue/queue.js";
import type { StoreReader } from "../src/store/store.js";

const names = (prefix: string, count: number): Bytes[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}` as Bytes);

/** A reader that answers when it is told to, the same for every record. */
function slowReader(value: RecordValue | null) {
  const asked: { readonly records: readonly Bytes[]; answer(): void }[] = [];
  const reader: StoreReader = {
    read: (records) =>
      new Promise<readonly (RecordValue | null)[]>((resolve) => {
        asked.push({ records, answer: () => resolve(records.map(() => value)) });
      }),
    scan: () => Promise.reject(new Error("not asked for")),
    close: async () => {},
  };
  return { reader, asked };
}

function setup(loadsMax: number, heldMs = 1000, value: RecordValue | null = null) {
  const cache = new MemoryCache({ bytesMax: 1e6, absentMs: 1000 });
  const { reader, asked } = slowReader(value);
  const { clock } = nodeHost();
  const onMoved = (): boolean => {
    throw new Error("not asked for");
  };
  const loads = new Loads({
    reader,
    cache,
    over: (_, row) => row,
    readBack: () => Promise.reject(new Error("nothing was dropped")),
    clock,
    atOnceMax: loadsMax,
    heldMs,
    now: () => 1,
    reached: () => null,
    onMoved,
  });
  return { loads, asked };
}

const nothingParked = { records: new Map(), letters: 0, letterBytes: 0, waitingBehind: 0, behindBytes: 0 };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a large load gets its turn however many small ones come after it", async () => {
  const { loads, asked } = setup(4);
  const first = loads.load(names("first", 1));
  await turn();
  const large = loads.load(names("large", 4));
  const later = names("later", 10).map((record) => loads.load([record]));
  await turn();
  expect(asked.map(({ records }) => records)).toEqual([["first0"]]);
  asked[0]?.answer();
  await first;
  await turn();
  expect(asked.slice(1).map(({ records }) => records.length)).toEqual([4]);
  asked[1]?.answer();
  await large;
  for (let at = 2; at < 12; at++) {
    await turn();
    asked[at]?.answer();
  }
  await Promise.all(later);
});

test("a command whose records exceed the cache is refused before all of them are in memory", async () => {
  const value: RecordValue = { content: "x".repeat(100_000) as Bytes, expiresAt: null };
  const { loads, asked } = setup(4, 1000, value);
  const load = loads.load(names("k", 1000));
  const refused = expect(load).rejects.toMatchObject({ code: "TOO_LARGE" });
  for (let at = 0; at < 3; at++) {
    await turn();
    asked[at]?.answer();
  }
  await refused;
  expect(asked).toHaveLength(3);
  // One that is larger than the cache by itself is no such command.
  const one = loads.load(names("large", 1));
  await turn();
  asked[3]?.answer();
  await one;
});

test("few records are read at the same time while it is not known that they are small, and fewer while large ones come", async () => {
  const sizes = { bytes: 400_000 };
  const cache = new MemoryCache({ bytesMax: 1e6, absentMs: 1000 });
  const { clock } = nodeHost();
  let [reading, most] = [0, 0];
  const reader: StoreReader = {
    read: async (records) => {
      reading += records.length;
      most = Math.max(most, reading);
      await turn();
      reading -= records.length;
      return records.map(() => ({ content: "x".repeat(sizes.bytes) as Bytes, expiresAt: null }));
    },
    scan: () => Promise.reject(new Error("not asked for")),
    close: async () => {},
  };
  const parts = { reader, cache, clock, atOnceMax: 64, heldMs: 1000, now: () => 1, reached: () => null };
  const readBack = () => Promise.reject(new Error("nothing was dropped"));
  const loads = new Loads({ ...parts, readBack, over: (_, row) => row, onMoved: () => false });
  const burst = async (prefix: string): Promise<number> => {
    most = 0;
    await Promise.all(names(prefix, 100).map((record) => loads.load([record])));
    return most;
  };
  expect(await burst("first")).toBe(8);
  expect(await burst("large")).toBe(2);
  sizes.bytes = 10;
  await burst("small");
  expect(await burst("smaller")).toBe(64);
});

test("while the database is being brought back a load waits for a while, then says so", async () => {
  const { loads, asked } = setup(4, 5);
  loads.hold(new Promise(() => {}));
  await expect(loads.load(names("k", 1))).rejects.toMatchObject({ code: "STORE_DOWN" });
  expect(asked).toHaveLength(0);
});

test("what only the log has is read while rows must not be", async () => {
  const cache = new MemoryCache({ bytesMax: 1000, absentMs: 1000, readable: () => 1 });
  const value: RecordValue = { content: "x".repeat(600) as Bytes, expiresAt: null };
  const record = "k" as Bytes;
  cache.write(record, { kind: "replace", ...value, afterRemove: false }, 1);
  cache.write("other" as Bytes, { kind: "replace", ...value, afterRemove: false }, 2);
  expect(cache.peek(record, 1)).toBeUndefined();
  const { reader, asked } = slowReader(null);
  const { clock } = nodeHost();
  const parts = { reader, cache, clock, atOnceMax: 4, heldMs: 1000, now: () => 1, reached: () => null };
  const readBack = (): Promise<RecordValue> => Promise.resolve(value);
  const loads = new Loads({ ...parts, readBack, over: (_, row) => row, onMoved: () => false });
  loads.hold(new Promise(() => {}));
  await loads.load([record]);
  expect(cache.peek(record, 1)?.content).toBe(value.content);
  expect(asked).toHaveLength(0);
});

test("a database that goes back again while it is being brought back: loads wait for all that it had", async () => {
  const logId = "0".repeat(32);
  const at = (sequence: number): Position => ({ logId, sequence, tag: sequence });
  const journal = { base: at(0), accepted: 100, acknowledge: () => {}, recordsFreed: () => {} } as unknown as Journal;
  const cache = new MemoryCache({ bytesMax: 1e6, absentMs: 1000 });
  const side = new WriterSide(nodeHost().clock, journal, cache, new Emitter(), 0);
  const healed: boolean[] = [];
  side.onHold = (promise) => {
    const index = healed.push(false) - 1;
    void promise.then(() => (healed[index] = true));
  };
  const report = { changes: 1, records: 1, from: "", to: "", commitMs: 1 };
  side.opened(at(100), "test", "", nothingParked);
  side.opened(at(50), "test", "", nothingParked);
  side.committed(at(60), report, null);
  side.opened(at(40), "test", "", nothingParked);
  side.committed(at(60), report, null);
  await turn();
  expect(healed).toEqual([false, false]);
  side.committed(at(100), report, null);
  await turn();
  expect(healed).toEqual([true, true]);
  expect(side.sequenceOf(["k" as Bytes])).toBe(0);
  side.opened(at(90), "test", "", nothingParked);
  // Which records it lacks again is not known: a flush of any of them waits for all.
  expect(side.sequenceOf(["k" as Bytes])).toBe(100);
  side.committed(at(100), report, null);
  await turn();
  expect(healed).toEqual([true, true, true]);
});

test("rows are not read before the writer has told what is parked", async () => {
  const logId = "0".repeat(32);
  const at = (sequence: number): Position => ({ logId, sequence, tag: sequence });
  const journal = {
    base: at(0),
    accepted: 100,
    oldest: () => 1,
    acknowledge: () => {},
    recordsFreed: () => {},
  } as unknown as Journal;
  const cache = new MemoryCache({ bytesMax: 1e6, absentMs: 1000 });
  const side = new WriterSide(nodeHost().clock, journal, cache, new Emitter(), 0);
  let held = false;
  side.onHold = (until) => {
    held = true;
    void until.then(() => (held = false));
  };
  const first = side.firstPosition(journal);
  side.retry({ code: "STORE_DOWN", message: "down", hint: null }, 1, 100);
  await first;
  side.begin();
  await turn();
  expect(held).toBe(true);
  side.opened(at(100), "test", "", nothingParked);
  await turn();
  expect(held).toBe(false);
});
