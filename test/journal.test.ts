/** The journal as the heart uses it: frames go in, marks move, room ends and comes back, a failed disk ends it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { DiskError } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { frameBytes } from "../src/queue/journal/frame.js";
import { Journal } from "../src/queue/journal/journal.js";
import { Milestones } from "../src/queue/journal/milestones.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import { beyondRetention, trimmable } from "../src/queue/journal/retention.js";
import type { Durability } from "../src/queue/queue.js";
import {
  appendGroups,
  appendSome,
  folder,
  kb,
  MemoryDisk,
  openOn,
  options,
  range,
  readAll,
  sequencesOn,
  set,
} from "./journal-kit.js";

const levels: readonly Durability[] = ["memory", "os", "disk"];

test.each(levels)("on a real disk frames come back in order, at level %s, also after a restart", async (durability) => {
  const real = await mkdtemp(`${tmpdir()}/journal-`);
  const host = nodeHost();
  const journal = await Journal.open(host, `${real}/journal`, options({ durability }));
  expect(journal.isNew).toBe(true);
  await appendSome(journal, 3000, "x".repeat(100));
  expect(await journal.syncNow()).toBe(3000);
  expect(journal.kept).toBe(3000);
  const reader = await JournalReader.open(host.disk, `${real}/journal`, journal.logId);
  const frames = await readAll(reader, 0, 3000);
  expect(frames.map((frame) => frame.position.sequence)).toEqual(range(1, 3000));
  expect(frames[2999]?.body).toEqual(set("key:3000", "x".repeat(100)));
  await journal.close();
  const again = await Journal.open(host, `${real}/journal`, options({ durability }));
  expect(again.isNew).toBe(false);
  expect(again.logId).toBe(journal.logId);
  expect(again.lastAt).toBe(3999);
  expect([again.accepted, again.kept, again.durable]).toEqual([3000, 3000, 3000]);
  await appendSome(again, 10, "y");
  await again.syncNow();
  expect((await readAll(reader, 2990, 3010)).map((frame) => frame.position.sequence)).toEqual(range(2991, 3010));
  await reader.close();
  await again.close();
  await rm(real, { recursive: true });
});

test("memory keeps at once, os after the write, disk after the synced write; nothing answers early", async () => {
  for (const durability of levels) {
    const disk = new MemoryDisk();
    const journal = await openOn(disk, { durability });
    let release = (): void => {};
    let held = new Promise<void>((resolve) => (release = resolve));
    disk.before = (call, path) => (call === "write" && path.includes("spare-0000000001") ? held : undefined);
    const kept = new Promise<number>((resolve) => (journal.onKept = resolve));
    expect(journal.append(set("k", "v"), 1)).toBe(1);
    expect([journal.kept, journal.durable]).toEqual([durability === "memory" ? 1 : 0, 0]);
    held = Promise.resolve();
    release();
    expect(await kept).toBe(1);
    expect(journal.durable).toBe(durability === "disk" ? 1 : 0);
    const durable = new Promise<number>((resolve) => (journal.onDurable = resolve));
    expect(await journal.syncNow()).toBe(1);
    if (durability !== "disk") expect(await durable).toBe(1);
    await journal.close();
  }
});

test("what is accepted while a write is in flight goes into the next one", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  for (let i = 0; i < 50; i++) journal.append(set(`${i}`, "v"), 1);
  await journal.syncNow();
  expect(journal.stats().groups).toBe(1);
  await journal.close();
});

test("log time never goes back", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  for (const at of [100, 50, 200, 199]) journal.append(set("k", "v"), at);
  await journal.syncNow();
  const reader = await JournalReader.open(disk, folder);
  expect((await readAll(reader, 0, 4)).map(({ at }) => at)).toEqual([100, 100, 200, 200]);
  await journal.close();
  expect((await openOn(disk)).lastAt).toBe(200);
});

test("trimming never removes the frame at the acknowledged position, and keeps what is retained", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  const value = "x".repeat(1000);
  for (let i = 0; i < 60; i++) {
    await appendGroups(journal, 1, 10, value);
    journal.acknowledge({ logId: journal.logId, sequence: journal.accepted, tag: 0 });
    expect(journal.oldest()).toBeLessThanOrEqual(journal.accepted);
  }
  await journal.close();
  expect(journal.oldest()).toBeGreaterThan(400);
  expect(await sequencesOn(disk, 600)).toEqual(range(journal.oldest(), 600));
  const names = disk.segments();
  expect(names.length).toBeLessThanOrEqual(2);
});

test("recycled segments are used again: no more files than are needed", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  for (let i = 0; i < 200; i++) {
    await appendGroups(journal, 1, 10, "x".repeat(1000));
    journal.acknowledge({ logId: journal.logId, sequence: journal.accepted, tag: 0 });
  }
  expect(disk.files.size).toBeLessThanOrEqual(9);
  expect(journal.stats().bytesOnDisk).toBe([...disk.files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0));
  await journal.close();
});

test("what may be trimmed, and what is retained", () => {
  const segments = [1, 11, 21, 31].map((firstSequence, i) => ({
    path: `${i}`,
    size: 1000,
    firstSequence,
    logOffset: i * 900,
    atBefore: i * 100,
  }));
  expect([0, 10, 11, 20, 30, 31, 99].map((committed) => trimmable(segments, committed))).toEqual([0, 0, 1, 1, 2, 3, 3]);
  const beyond = (retainBytes: number, retainMs: number): number =>
    beyondRetention(segments, 40, 3600, 1000, { retainBytes, retainMs });
  expect(beyond(0, 1e9)).toBe(3);
  expect(beyond(1800, 1e9)).toBe(2);
  expect(beyond(1e9, 1e9)).toBe(0);
  expect(beyond(1e9, 800)).toBe(2);
});

test("a queue at its limit takes nothing more until the store has caught up", async () => {
  const disk = new MemoryDisk();
  const bytes = frameBytes(set("key:1", "v"));
  const journal = await openOn(disk, { queueBytes: 10 * bytes });
  for (let i = 0; i < 10; i++) journal.append(set("key:1", "v"), i);
  expect(journal.hasRoom(bytes)).toBe(false);
  expect(() => journal.append(set("key:1", "v"), 1)).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }) as Error);
  expect(journal.accepted).toBe(10);
  await expect(journal.whenRoom(bytes, { waitMs: 5 })).rejects.toMatchObject({ code: "QUEUE_FULL" });
  const aborter = new AbortController();
  const aborted = journal.whenRoom(bytes, { waitMs: 60_000, signal: aborter.signal });
  aborter.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  const waiting = journal.whenRoom(bytes, { waitMs: 60_000 });
  await journal.syncNow();
  journal.acknowledge({ logId: journal.logId, sequence: 10, tag: 0 });
  await waiting;
  expect(journal.append(set("key:1", "v"), 1)).toBe(11);
  await journal.close();
  await expect(journal.whenRoom(bytes, { waitMs: 5 })).rejects.toMatchObject({ code: "CLOSED" });
  expect(() => journal.append(set("k", "v"), 1)).toThrow(expect.objectContaining({ code: "CLOSED" }) as Error);
});

test("a full disk is seen before a change is taken, and room comes back by itself", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk, { diskReserve: 1000 });
  disk.freeNow = 0;
  let refused: unknown = null;
  for (let i = 0; i < 1000 && refused === null; i++) {
    try {
      journal.append(set("k", "x".repeat(1000)), 1);
    } catch (error) {
      refused = error;
    }
    if (i % 10 === 0) await journal.syncNow();
  }
  expect(refused).toMatchObject({ code: expect.stringMatching(/DISK_FULL|QUEUE_FULL/) as string });
  await expect(journal.whenRoom(1100, { waitMs: 20 })).rejects.toMatchObject({ code: "DISK_FULL" });
  const { accepted } = journal;
  expect(await journal.syncNow()).toBe(accepted);
  const room = journal.whenRoom(1100, { waitMs: 60_000 });
  // Committed log is given up before any writer waits.
  journal.acknowledge({ logId: journal.logId, sequence: accepted, tag: 0 });
  await room;
  expect(journal.append(set("k", "x".repeat(1000)), 1)).toBe(accepted + 1);
  await journal.close();
});

test("retained log is given up when the disk is full", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk, { retainBytes: 1e9, retainMs: 1e15 });
  await appendGroups(journal, 15, 10, "x".repeat(1000));
  journal.acknowledge({ logId: journal.logId, sequence: 150, tag: 0 });
  expect(journal.oldest()).toBe(1);
  disk.freeNow = 0;
  for (let i = 0; i < 10; i++) {
    await appendGroups(journal, 1, 10, "x".repeat(1000));
    journal.acknowledge({ logId: journal.logId, sequence: journal.accepted, tag: 0 });
  }
  expect(journal.accepted).toBe(250);
  expect(journal.oldest()).toBeGreaterThan(1);
  await journal.close();
});

test("a frame that the disk has no room for does not keep the others from theirs", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk, { diskReserve: 0 });
  disk.freeNow = 200 * kb;
  await expect(journal.whenRoom(300 * kb, { waitMs: 20 })).rejects.toMatchObject({ code: "DISK_FULL" });
  for (let n = 0; n < 500; n++) {
    const frame = set("k", "x".repeat(1000));
    while (!journal.hasRoom(frameBytes(frame))) await journal.whenRoom(frameBytes(frame), { waitMs: 1000 });
    journal.append(frame, 1);
  }
  await journal.close();
});

test("a disk without room for a first segment is DISK_FULL", async () => {
  const disk = new MemoryDisk();
  disk.freeNow = 1000;
  await expect(openOn(disk)).rejects.toMatchObject({ code: "DISK_FULL" });
  disk.freeNow = 2 ** 40;
  disk.before = (call) => {
    if (call === "write") throw new DiskError("full", "ENOSPC", "no room");
  };
  await expect(openOn(disk)).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(disk.files.size).toBe(0);
});

test("a frame larger than a segment gets one of its own; one over 128 MB is refused", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  journal.append(set("small", "v"), 1);
  const large = set("large", "x".repeat(300 * kb));
  const bytes = frameBytes(large);
  expect(journal.hasRoom(bytes)).toBe(false);
  while (!journal.hasRoom(bytes)) await journal.whenRoom(bytes, { waitMs: 10_000 });
  journal.append(large, 2);
  await appendGroups(journal, 3, 3);
  const reader = await JournalReader.open(disk, folder);
  const frames = await readAll(reader, 0, journal.durable);
  expect(frames.map((frame) => frame.position.sequence)).toEqual(range(1, 11));
  expect(frames[1]?.body).toEqual(large);
  const piece = "x".repeat(2 ** 27) as Bytes;
  const change = { kind: "replace", content: piece, expiresAt: null, afterRemove: false } as const;
  const huge = { kind: "changes", changes: [{ record: "h" as Bytes, change }] } as const;
  expect(() => journal.append(huge, 3)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }) as Error);
  await expect(journal.whenRoom(2 ** 27 + 1, { waitMs: 5 })).rejects.toMatchObject({ code: "TOO_LARGE" });
  await journal.close();
  expect((await openOn(disk)).accepted).toBe(11);
});

test("a failed write or sync ends the journal: told once, waits reject, nothing is tried again", async () => {
  for (const [call, durability] of [
    ["write", "disk"],
    ["write", "os"],
    ["sync", "os"],
  ] as const) {
    const disk = new MemoryDisk();
    const journal = await openOn(disk, { durability });
    await appendGroups(journal, 1, 3);
    let failures = 0;
    journal.onFailed = () => failures++;
    disk.before = (at, path) => {
      if (at === call && path.includes("spare-0000000001")) throw new DiskError("failed", "EIO", "input/output error");
    };
    journal.append(set("k", "v"), 9999);
    await expect(journal.syncNow()).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
    disk.before = () => {};
    disk.calls = [];
    expect(() => journal.append(set("k", "v"), 1)).toThrow(
      expect.objectContaining({ code: "JOURNAL_FAILED" }) as Error,
    );
    await expect(journal.syncNow()).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
    await expect(journal.whenRoom(10, { waitMs: 5 })).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
    expect([failures, journal.durable]).toEqual([1, 3]);
    await journal.close();
    expect(disk.calls).toEqual([]);
  }
});

test("what waits: bytes and age after a position", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  const { clock } = nodeHost();
  expect(journal.waitingAfter(0)).toEqual({ oldestAgeMs: 0, bytes: 0 });
  const began = clock.now();
  journal.append(set("a", "v"), began - 5000);
  journal.append(set("b", "v"), began - 1000);
  journal.append(set("c", "v"), began);
  const bytes = frameBytes(set("a", "v"));
  expect(journal.waitingAfter(0).oldestAgeMs).toBeGreaterThanOrEqual(5000);
  expect(journal.waitingAfter(0).bytes).toBe(3 * bytes);
  expect(journal.waitingAfter(1).oldestAgeMs).toBeLessThan(5000);
  expect(journal.waitingAfter(2).bytes).toBe(bytes);
  await journal.syncNow();
  journal.acknowledge({ logId: journal.logId, sequence: 2, tag: 0 });
  expect(journal.stats().pendingBytes).toBe(bytes);
  await journal.close();
  const again = await openOn(disk);
  expect(again.waitingAfter(1).oldestAgeMs).toBeGreaterThanOrEqual(1000);
  expect(again.waitingAfter(1).bytes).toBe(2 * bytes);
});

test("milestones stay few, and right to a small part of the age", () => {
  const milestones = new Milestones();
  for (let i = 1; i <= 200_000; i++) milestones.note(i, i * 10, i);
  for (const sequence of [0, 10_000, 150_000, 199_998]) {
    const found = milestones.after(sequence);
    expect(found?.at).toBeLessThanOrEqual(sequence + 1);
    expect(sequence + 1 - (found?.at ?? 0)).toBeLessThanOrEqual(1 + (200_000 - sequence) / 50);
  }
  expect(milestones.after(199_999)).toEqual({ at: 200_000, offset: 2_000_000 });
});
