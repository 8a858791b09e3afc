/** Which records the cache keeps, compared with simpler rules on the same trace. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";

const value = { content: "x".repeat(100) as Bytes, expiresAt: null };
const hot = 20_000;
const room = 2_000;

/** A read: it is loaded where it is not known. Says whether it was. */
type Read = (record: Bytes) => boolean;

/** Dice that fall the same in every run. */
function dice(): () => number {
  let state = 12_345;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Ranks with Zipf's distribution, 0.99. */
function zipf(count: number, next: () => number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank += 1) sums[rank] = sum += 1 / (rank + 1) ** 0.99;
  return () => {
    const at = next() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Share of hits among the reads that are not part of a scan. `scanEvery` reads, somebody reads `scan` records once. */
function hitRatio(read: Read, scanEvery: number, scan: number): number {
  const rank = zipf(hot, dice());
  let [hits, reads, scanned] = [0, 0, 0];
  for (let index = 0; index < 200_000; index += 1) {
    const hit = read(`hot:${rank()}` as Bytes);
    if (index >= 50_000) {
      reads += 1;
      if (hit) hits += 1;
    }
    if (index % scanEvery !== scanEvery - 1) continue;
    for (let one = 0; one < scan; one += 1) read(`once:${(scanned += 1)}` as Bytes);
  }
  return hits / reads;
}

function ours(): { readonly read: Read; readonly cache: MemoryCache } {
  const probe = new MemoryCache({ bytesMax: 10_000, absentMs: 0 });
  probe.fill(probe.place("hot:12345" as Bytes), value, 0);
  const cache = new MemoryCache({ bytesMax: probe.bytes * room, absentMs: 0 });
  const read: Read = (record) => {
    if (cache.lookup(record, 0) !== undefined) return true;
    // As the heart does: pinned while it is loaded, and looked up again by the command that waited for it.
    cache.pin(record);
    cache.fill(cache.place(record), value, 0);
    cache.lookup(record, 0);
    cache.unpin(record);
    return false;
  };
  return { read, cache };
}

/** First in, first out; with `touch` least recently used. */
function simple(touch: boolean): Read {
  const kept = new Set<Bytes>();
  return (record) => {
    const hit = kept.has(record);
    if (hit && !touch) return true;
    kept.delete(record);
    kept.add(record);
    if (kept.size > room) for (const oldest of kept) return kept.delete(oldest) && hit;
    return hit;
  };
}

describe("eviction", () => {
  it("keeps what is read again better than FIFO and LRU do, with and without scans", () => {
    for (const [every, scan] of [
      [200_000, 0],
      [20_000, 4_000],
      [5_000, 2_000],
    ] as const) {
      const [mine, fifo, lru] = [ours().read, simple(false), simple(true)].map((read) => hitRatio(read, every, scan));
      expect(mine).toBeGreaterThan((fifo ?? 1) + 0.03);
      expect(mine).toBeGreaterThan((lru ?? 1) + 0.02);
    }
  });

  it("a scan of a hundred times its size does not push out the hot set", () => {
    const { read } = ours();
    const hotSet = Array.from({ length: room / 2 }, (_, index) => `hot:${index}` as Bytes);
    for (let round = 0; round < 4; round += 1) for (const record of hotSet) read(record);
    for (let index = 0; index < room * 100; index += 1) read(`once:${index}` as Bytes);
    expect(hotSet.filter((record) => read(record)).length).toBeGreaterThan(hotSet.length * 0.95);
  });

  it("a record that comes back soon after it went stays", () => {
    const { read, cache } = ours();
    for (let index = 0; index < room * 2; index += 1) read(`k${index}` as Bytes);
    const gone = Array.from({ length: 100 }, (_, index) => `k${index + room / 2}` as Bytes).filter(
      (record) => cache.peek(record, 0) === undefined,
    );
    for (const record of gone) read(record);
    for (let index = 0; index < room * 2; index += 1) read(`once:${index}` as Bytes);
    expect(gone.length).toBeGreaterThan(50);
    expect(gone.filter((record) => cache.peek(record, 0) !== undefined).length).toBeGreaterThan(gone.length * 0.7);
  });

  it("never holds more than its bytes, and uses them", () => {
    const { read, cache } = ours();
    for (let index = 0; index < room * 20; index += 1) read(`k${index % (room * 3)}` as Bytes);
    expect(cache.bytes).toBeLessThanOrEqual(cache.bytesMax);
    expect(cache.bytes).toBeGreaterThan(cache.bytesMax * 0.9);
  });

  it("keeps what was written and is read, while a flood of records is written once and stored", () => {
    const { cache } = ours();
    let sequence = 0;
    const put = (record: Bytes): void =>
      cache.write(record, { kind: "replace", ...value, afterRemove: false }, (sequence += 1));
    const hotSet = Array.from({ length: room / 4 }, (_, index) => `hot:${index}` as Bytes);
    for (const record of hotSet) put(record);
    for (let round = 0; round < 3; round += 1) for (const record of hotSet) cache.lookup(record, 0);
    for (let index = 0; index < room * 20; index += 1) {
      put(`once:${index}` as Bytes);
      if (index % 100 === 0) cache.acknowledge(sequence);
    }
    expect(hotSet.filter((record) => cache.peek(record, 0) !== undefined).length).toBe(hotSet.length);
  });
});
