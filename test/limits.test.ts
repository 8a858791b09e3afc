/** Bounds: more pending than memory holds, the gate of the queue, sizes at the door. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memoryStore, sqlite, type WriteBehind } from "../src/index.js";
import { engineKit } from "./engine-kit.js";

const mb = 1024 * 1024;
/** Nobody is refused because the disk of the machine is busy. */
const waitMs = 60_000;
const kit = engineKit();

/** The value of a key in a round: about a kilobyte, unlike any other. */
const valueOf = (i: number, round: number): string => `${i}:${round}:`.padEnd(1000, "v");

async function writeAll(wb: WriteBehind, count: number, round: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => wb.set(`key:${i}`, valueOf(i, round))));
}

describe("ten times more is pending than the cache has memory for", () => {
  const count = 11_000;

  it("every value is read back from the journal, before and after a restart, and reaches the database", async () => {
    const data = kit.folder();
    const store = sqlite({ file: join(data, "app.db") });
    const options = { data, cacheBytes: mb, segmentBytes: mb, waitMs };
    const first = await kit.start(store, options);
    await first.pause();
    await writeAll(first, count, 1);
    // All of it is on the disk now, and may be dropped with the next write.
    await first.set("key:0", valueOf(0, 1));
    const { cache, queue } = first.status();
    expect(queue.pendingRecords).toBe(count);
    expect(queue.pendingBytes).toBeGreaterThan(10 * cache.bytesMax);
    // What is left in memory is keys, and values of no more than the cache may have.
    expect(cache.bytes).toBeLessThan(400 * count + cache.bytesMax);
    for (let i = 0; i < count; i += 7) expect(await first.get(`key:${i}`)).toBe(valueOf(i, 1));
    // The second round is on top of values that are in the log only.
    await writeAll(first, count / 2, 2);
    await first.close({ deadlineMs: 0 });

    const second = await kit.start(store, options);
    expect(second.status().queue.pendingRecords).toBe(count);
    const expected = (i: number): string => valueOf(i, i < count / 2 ? 2 : 1);
    for (let i = 0; i < count; i += 7) expect(await second.get(`key:${i}`)).toBe(expected(i));
    await second.resume();
    await second.flush();
    for (let i = 0; i < count; i += 7) expect(await second.get(`key:${i}`)).toBe(expected(i));
    expect(second.status().cache.bytes).toBeLessThanOrEqual(mb);
  });

  it("values are made of a row and the merges in the journal; expiry, deletion and counters hold", async () => {
    const store = memoryStore();
    const wb = await kit.start(store, { cacheBytes: mb, segmentBytes: mb, waitMs });
    const hashes = 300;
    for (let i = 0; i < hashes; i++) await wb.hash(`h:${i}`).set({ stays: `${i}`, goes: "x", counted: "1" });
    await wb.flush();
    await wb.pause();
    for (let i = 0; i < hashes; i++) {
      await wb.hash(`h:${i}`).set({ large: valueOf(i, 3) });
      await wb.hash(`h:${i}`).delete("goes");
      await wb.hash(`h:${i}`).increment("counted", i);
    }
    await wb.set("ended", valueOf(0, 0), { ttlMs: 1 });
    await wb.set("deleted", valueOf(1, 0));
    await wb.delete("deleted");
    await writeAll(wb, 3000, 4);
    for (let i = 0; i < hashes; i++) {
      expect(await wb.hash(`h:${i}`).getAll()).toEqual({
        stays: `${i}`,
        counted: `${1 + i}`,
        large: valueOf(i, 3),
      });
    }
    expect(await wb.getMany(["ended", "deleted"])).toEqual([null, null]);
    await wb.resume();
    await wb.flush();
    expect(await wb.hash("h:299").getAll()).toMatchObject({ stays: "299", counted: "300" });
  });

  it("a whole value is read back although the database does not answer", async () => {
    const store = memoryStore();
    const wb = await kit.start(store, { cacheBytes: mb, segmentBytes: mb, waitMs });
    await wb.pause();
    store.read = () => Promise.reject(new Error("the database was asked"));
    await writeAll(wb, 3000, 1);
    for (let i = 0; i < 3000; i += 11) expect(await wb.get(`key:${i}`)).toBe(valueOf(i, 1));
  });

  it("reads while the writer commits and the journal is trimmed behind it", async () => {
    const wb = await kit.start(memoryStore(), {
      cacheBytes: mb,
      segmentBytes: mb,
      waitMs,
      retainBytes: 0,
      batchRecords: 500,
      batchBytes: 64 * 1024,
    });
    await wb.pause();
    await writeAll(wb, 5000, 1);
    const read = async (): Promise<void> => {
      for (let i = 0; i < 5000; i += 3) expect(await wb.get(`key:${i}`)).toBe(valueOf(i, 1));
    };
    await wb.resume();
    await Promise.all([read(), read(), wb.flush()]);
  });
});

describe("the gate of the queue", () => {
  it("refuses a write at the limit of records at once where it may not wait, and says both limits", async () => {
    const wb = await kit.start(memoryStore(), { queueRecords: 10, waitMs: 0 });
    await wb.pause();
    for (let i = 0; i < 10; i++) await wb.set(`k${i}`, "v");
    await expect(wb.set("k10", "v")).rejects.toMatchObject({
      code: "QUEUE_FULL",
      message: expect.stringContaining("of 10 records wait") as string,
      hint: expect.stringContaining("queueRecords") as string,
    });
    expect(await wb.get("k9")).toBe("v");
    await wb.step();
    await wb.set("k10", "v");
  });

  it("lets who waits for records go on when the writer has made room", async () => {
    const wb = await kit.start(memoryStore(), { queueRecords: 5, waitMs: 60_000 });
    await Promise.all(Array.from({ length: 500 }, (_, i) => wb.set(`k${i}`, `${i}`)));
    await wb.flush();
    expect(await wb.get("k499")).toBe("499");
  });
});

describe("sizes at the door", () => {
  it("a key, a field or a value that the store does not take is refused, and nothing is written", async () => {
    const store = { ...sqlite({ file: join(kit.folder(), "app.db") }), limits: { keyBytesMax: 20, valueBytesMax: 50 } };
    const wb = await kit.start(store);
    const refused = expect.objectContaining({ code: "TOO_LARGE" }) as Error;
    await wb.set("k".repeat(20), "v".repeat(50));
    await expect(wb.set("k".repeat(21), "v")).rejects.toEqual(refused);
    await expect(wb.set("k", "v".repeat(51))).rejects.toEqual(refused);
    await expect(wb.delete("k".repeat(21))).rejects.toEqual(refused);
    await wb.hash("h").set({ ["f".repeat(19)]: "v" });
    await expect(wb.hash("h").set({ ["f".repeat(20)]: "v" })).rejects.toEqual(refused);
    await expect(wb.hash("h").set({ f: "v".repeat(51) })).rejects.toEqual(refused);
    await expect(
      wb.setMany([
        ["fine", "v"],
        ["k", "v".repeat(51)],
      ]),
    ).rejects.toEqual(refused);
    expect(await wb.get("fine")).toBeNull();
    expect(wb.status().queue.accepted.endsWith(":2")).toBe(true);
  });

  it("SQLite takes a key of 65,536 bytes and not of one more", async () => {
    const wb = await kit.start(sqlite({ file: join(kit.folder(), "app.db") }));
    const key = "k".repeat(65_536);
    const receipt = await wb.set(key, "v");
    await receipt.stored();
    expect((await wb.inspect(key)).database.value).toMatchObject({ value: "v" });
    await expect(wb.set(`${key}k`, "v")).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining("65537 bytes") as string,
    });
  });
});

it("a clear frees what was pending at once: who waits for room needs no commit", async () => {
  const wb = await kit.start(memoryStore(), { queueRecords: 10, waitMs });
  await wb.pause();
  for (let i = 0; i < 10; i++) await wb.set(`key:${i}`, "v");
  const full = new Promise((resolve) => wb.on("full", resolve));
  const waits = wb.set("waits", "v");
  await full;
  await wb.write((workspace) => workspace.clear());
  await waits;
  expect(wb.status()).toMatchObject({ state: "paused", queue: { pendingChanges: 12, pendingRecords: 1 } });
});
