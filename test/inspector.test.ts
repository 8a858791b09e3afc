/** What is pending is listed while the writer goes on: what it has stored may be trimmed under the reader. */
import { describe, expect, test } from "vitest";
import { keyIsRecord } from "../src/address.js";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { Inspector } from "../src/heart/inspector.js";
import { Parked } from "../src/heart/parked.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import { folder, kb, MemoryDisk, openOn, set } from "./journal-kit.js";

const frames = 40;

/** Frames that are stored when the reader opens its first file, its second, and so on. */
const storedAtOpening = [17, 26, 35];

/** A journal of ten segments that keeps no more than it must, and an inspector of it. */
async function world() {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  for (let n = 1; n <= frames; n++) {
    await journal.whenRoom(16 * kb, { waitMs: 60_000 });
    journal.append(set(`k${n}`, "v".repeat(14 * kb)), 0);
  }
  await journal.syncNow();
  const log = await JournalReader.open(disk, folder);
  const steps = [...storedAtOpening];
  let stored = 0;
  disk.before = async (call, path) => {
    if (call !== "open" || steps.length === 0 || !path.startsWith(`${folder}/0`)) return;
    stored = steps.shift() as number;
    journal.acknowledge({ logId: journal.logId, sequence: stored, tag: 0 });
    await expect.poll(() => disk.segments().length).toBe(10 - Math.floor((stored - 1) / 4));
  };
  const cache = new MemoryCache({ bytesMax: kb, absentMs: 0, readable: () => 0 });
  Object.assign(cache.keys, { isPending: () => true });
  const inspector = new Inspector({
    log,
    journal,
    cache,
    reader: { read: async () => [null], scan: () => Promise.reject(new Error("unused")), close: async () => {} },
    parked: new Parked(2 ** 20),
    stored: () => stored,
    addressing: { plan: null, resolve: keyIsRecord },
  });
  return { disk, inspector };
}

describe("the log is trimmed while it is read", () => {
  test("a list begins again where the log begins now, and ends with the newest change", async () => {
    const { disk, inspector } = await world();
    const { items, next } = await inspector.pending(1000, null);
    expect(next).toBeNull();
    expect(items.map(({ key }) => key)).toEqual(["k36", "k37", "k38", "k39", "k40"]);
    expect(disk.segments().length).toBe(2);
  });

  test("one record is found", async () => {
    const { inspector } = await world();
    const { queue } = await inspector.inspect(`k${frames}` as Bytes, 0);
    expect(queue.map(({ key }) => key)).toEqual([`k${frames}`]);
  });
});
