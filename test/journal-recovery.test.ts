/** Opening a journal after a crash: a torn tail is cut, damage before the end is refused, unknown formats are named. */
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { inspectJournal } from "../src/queue/journal/inspect.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import { frameSeed, lookAtHeader, segmentSeed } from "../src/queue/journal/segment.js";
import { startLogAt } from "../src/queue/journal/start.js";
import { walkJournal } from "../src/queue/journal/walk.js";
import {
  appendGroups,
  appendSome,
  folder,
  hostOn,
  MemoryDisk,
  openOn,
  options,
  range,
  sequencesOn,
} from "./journal-kit.js";

interface Laid {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Where each frame lies, by sequence. */
async function layOf(disk: MemoryDisk): Promise<Map<number, Laid>> {
  const laid = new Map<number, Laid>();
  await walkJournal(disk, folder, ({ sequence, length }, { path, end }) =>
    laid.set(sequence, { path, offset: end, length }),
  );
  return laid;
}

/** A journal that was killed after so many groups of three frames, each durable before the next. */
async function killedAfter(groups: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  await appendGroups(journal, groups, 3);
  const killed = disk.copy();
  await journal.close();
  return killed;
}

/** Reopens, appends, reopens once more: the log must go on as if nothing had happened. */
async function goesOn(disk: MemoryDisk, accepted: number): Promise<void> {
  const journal = await openOn(disk);
  expect([journal.accepted, journal.durable, journal.kept]).toEqual([accepted, accepted, accepted]);
  await appendGroups(journal, 1, 2, "after");
  await journal.close();
  expect(await sequencesOn(disk, accepted + 2)).toEqual(range(1, accepted + 2));
  expect((await inspectJournal(disk, folder))?.torn).toBe(false);
}

test("a last group that is torn at any byte loses its torn frames and nothing else", async () => {
  const disk = await killedAfter(3);
  const laid = await layOf(disk);
  const first = laid.get(7) as Laid;
  const last = laid.get(9) as Laid;
  for (let cut = first.offset; cut <= last.offset + last.length; cut++) {
    const torn = disk.copy();
    torn.bytesOf(first.path).fill(0, cut);
    const whole = [...laid].filter(([, { offset, length }]) => offset + length <= cut).length;
    await goesOn(torn, whole);
  }
}, 120_000);

test("a last group whose beginning is lost and whose end is there is cut at its beginning", async () => {
  const disk = await killedAfter(3);
  const first = (await layOf(disk)).get(7) as Laid;
  disk.bytesOf(first.path).fill(0, first.offset + 4, first.offset + 20);
  await goesOn(disk, 6);
});

test("whole frames behind a torn one are zeroed: they never follow a new frame of the same size", async () => {
  const disk = await killedAfter(3);
  const first = (await layOf(disk)).get(7) as Laid;
  disk.bytesOf(first.path).fill(0, first.offset + 4, first.offset + 20);
  const journal = await openOn(disk);
  await appendGroups(journal, 1, 1);
  const killed = disk.copy();
  await journal.close();
  expect((await layOf(killed)).get(7)).toEqual(first);
  await goesOn(killed, 7);
});

test("a flipped byte in the last group is a torn tail; in an earlier one it is damage, and named", async () => {
  const disk = await killedAfter(4);
  const laid = await layOf(disk);
  for (const [sequence, { path, offset, length }] of laid) {
    for (const at of [offset, offset + 5, offset + 17, offset + length - 1]) {
      const flipped = disk.copy();
      const bytes = flipped.bytesOf(path);
      bytes[at] = (bytes[at] as number) ^ 4;
      const before = Buffer.from(bytes);
      if (sequence > 9) {
        await goesOn(flipped, sequence - 1);
        continue;
      }
      await expect(openOn(flipped)).rejects.toMatchObject({
        code: "JOURNAL_DAMAGED",
        message: expect.stringContaining(`${path} at offset ${offset}:`) as string,
        hint: expect.stringContaining("write-behind adopt --data data --accept-gap") as string,
      });
      expect(flipped.bytesOf(path).equals(before)).toBe(true);
    }
  }
});

test("damage in an earlier segment is refused, and so is a missing segment or a damaged header", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  await appendGroups(journal, 40, 10, "x".repeat(400));
  await journal.close();
  expect(disk.segments().length).toBeGreaterThan(2);
  const [first, second] = disk.segments() as [string, string];
  for (const damage of [
    (copy: MemoryDisk) => copy.bytesOf(first).fill(7, 9000, 9010),
    (copy: MemoryDisk) => copy.bytesOf(second).fill(7, 100, 110),
    (copy: MemoryDisk) => copy.files.delete(second),
    (copy: MemoryDisk) => copy.bytesOf(second).fill(0, 4096),
  ]) {
    const copy = disk.copy();
    damage(copy);
    await expect(openOn(copy)).rejects.toMatchObject({ code: "JOURNAL_DAMAGED" });
    expect((await inspectJournal(copy, folder))?.damage).toMatchObject({ code: "JOURNAL_DAMAGED" });
  }
});

test("segments that were begun behind a lost tail hold nothing durable, and go", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk, { durability: "os" });
  disk.before = (call) => (call === "sync" && disk.segments().length > 1 ? new Promise(() => {}) : undefined);
  // The second segment begins while no sync of the first one has ended: power loss may take any part of the first.
  const begun = disk.segments()[0] as string;
  await appendSome(journal, 170, "x".repeat(400));
  while (journal.kept < 110) await new Promise((resolve) => setImmediate(resolve));
  const lost = disk.copy();
  const laid = await layOf(lost);
  lost.bytesOf(begun).fill(0, laid.get(5)?.offset);
  await goesOn(lost, 4);
  expect(lost.segments().length).toBe(1);
});

test("stale frames of a recycled file are never taken for new ones", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  const value = "x".repeat(400);
  for (let round = 0; round < 60; round++) {
    await appendGroups(journal, 1, 13, value);
    journal.acknowledge({ logId: journal.logId, sequence: journal.durable, tag: 0 });
    const killed = disk.copy();
    const { accepted } = journal;
    const again = await openOn(killed);
    expect(again.accepted).toBe(accepted);
    const last = killed.segments().at(-1) as string;
    const report = await inspectJournal(killed, folder);
    expect(report?.torn).toBe(false);
    expect(
      killed
        .bytesOf(last)
        .subarray(4096 + (report?.segments.at(-1)?.bytes ?? 0))
        .every((byte) => byte === 0),
    ).toBe(true);
    await again.close();
  }
  expect(journal.stats().segments).toBeLessThan(4);
  expect(journal.accepted).toBe(780);
  await journal.close();
});

test("a segment of an unknown version is refused by name, wherever it is", async () => {
  const disk = await killedAfter(2);
  const path = disk.segments()[0] as string;
  const bytes = disk.bytesOf(path);
  bytes.writeUInt32LE(9, 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 4096)), 16);
  const before = Buffer.from(bytes);
  await expect(openOn(disk)).rejects.toMatchObject({
    code: "JOURNAL_VERSION",
    message: expect.stringContaining("format version 9") as string,
  });
  await expect(JournalReader.open(disk, folder)).rejects.toMatchObject({ code: "JOURNAL_VERSION" });
  expect((await inspectJournal(disk, folder))?.damage).toMatchObject({ code: "JOURNAL_VERSION" });
  expect(disk.bytesOf(path).equals(before)).toBe(true);
});

test("a frame of an unknown version is refused, also as the last one", async () => {
  for (const sequence of [2, 6]) {
    const disk = await killedAfter(2);
    const { path, offset, length } = (await layOf(disk)).get(sequence) as Laid;
    const bytes = disk.bytesOf(path);
    bytes[offset + 8] = 200;
    const looked = lookAtHeader(bytes.subarray(0, 4096));
    if (looked.state !== "header") throw new Error(looked.state);
    const seed = frameSeed(segmentSeed(looked.header), offset);
    bytes.writeUInt32LE(crc32(bytes.subarray(offset + 4, offset + length), seed), offset);
    await expect(openOn(disk)).rejects.toMatchObject({
      code: "JOURNAL_VERSION",
      message: expect.stringContaining(`${path} at offset ${offset} has the format version 200`) as string,
    });
  }
});

test("inspection reports a whole journal and changes nothing", async () => {
  const disk = await killedAfter(2);
  const before = disk.copy();
  disk.calls = [];
  const report = await inspectJournal(disk, folder);
  expect(report).toMatchObject({ frames: 6, oldest: 1, torn: false, damage: null, last: { sequence: 6 } });
  expect(disk.calls).toEqual([]);
  for (const [path, { bytes }] of before.files) expect(disk.bytesOf(path).equals(bytes)).toBe(true);
  expect(await inspectJournal(disk, "data/none")).toBeNull();
});

test("a log starts at a foreign position and keeps the given-up one aside", async () => {
  const disk = await killedAfter(2);
  const base = { logId: "ab".repeat(16), sequence: 41, tag: 99 };
  const logId = await startLogAt(hostOn(disk), folder, base, options());
  const journal = await openOn(disk);
  expect(journal.isNew).toBe(false);
  expect(journal.logId).toBe(logId);
  expect(journal.base).toEqual(base);
  expect([journal.accepted, journal.oldest()]).toEqual([41, 42]);
  await appendGroups(journal, 1, 2);
  const reader = await JournalReader.open(disk, folder, logId);
  expect(await reader.base()).toEqual(base);
  await reader.check(base);
  const { position } = (await reader.frameAt(42)).frame;
  expect(position.logId).toBe(logId);
  await reader.check(position);
  await expect(reader.check({ ...base, tag: 98 })).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
  await reader.close();
  await journal.close();
  expect([...disk.files.keys()].filter((path) => path.includes("given-up-")).length).toBe(1);
  expect((await openOn(disk)).accepted).toBe(43);
});

test("what a failed sync left behind is written again, not only synced", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk, { durability: "os" });
  await appendSome(journal, 5);
  disk.before = (call, path) => {
    // The first segment was opened while it was a spare; the one that is being made must not fail.
    if (call === "sync" && path.includes("spare")) throw new Error("EIO");
  };
  await expect(journal.syncNow()).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
  const crashed = disk.copy();
  const again = await openOn(crashed);
  expect(again.durable).toBe(5);
  const recovery = crashed.calls.slice(0, crashed.calls.indexOf("sync") + 1);
  expect(recovery).toEqual(["write", "sync"]);
  await again.close();
});
