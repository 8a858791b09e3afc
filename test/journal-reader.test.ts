/** The reader: beside a journal at work, and when the position it is asked for is not one of this log. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { nodeHost } from "../src/host/node-host.js";
import { Journal } from "../src/queue/journal/journal.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import { beginSegment, recoverJournal, type Recovered } from "../src/queue/journal/recovery.js";
import type { SegmentHeader } from "../src/queue/journal/segment.js";
import type { Post } from "../src/queue/journal/signposts.js";
import type { Position } from "../src/queue/queue.js";
import { appendGroups, appendSome, folder, MemoryDisk, openOn, options, range, readAll, set } from "./journal-kit.js";

test("reads run by run beside a journal that appends, rotates, trims and recycles", async () => {
  const real = await mkdtemp(`${tmpdir()}/reader-`);
  const host = nodeHost();
  const journal = await Journal.open(host, `${real}/journal`, options({ durability: "os" }));
  const reader = await JournalReader.open(host.disk, `${real}/journal`, journal.logId);
  const last = 20_000;
  const appending = appendSome(journal, last, "x".repeat(200));
  let position: Position = journal.base;
  const seen: number[] = [];
  for (let run = 0; position.sequence < last; run++) {
    await reader.check(position);
    const mark = await journal.syncNow();
    // A run ends where its limits say, in the middle of a piece.
    const upTo = Math.min(mark, position.sequence + 700 + ((run * 131) % 900));
    for await (const piece of reader.read(position.sequence, mark)) {
      for (const { frame } of piece) {
        if (frame.position.sequence > upTo) break;
        seen.push(frame.position.sequence);
        expect(frame.body).toEqual(set(`key:${frame.position.sequence}`, "x".repeat(200)));
        position = frame.position;
      }
      if (position.sequence === upTo) break;
    }
    journal.acknowledge(position);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await appending;
  expect(seen).toEqual(range(1, last));
  // Trimming goes on behind the reader's back; it ends with what must stay.
  while (journal.stats().segments > 2) await new Promise((resolve) => setImmediate(resolve));
  await reader.close();
  await journal.close();
  await rm(real, { recursive: true });
});

test("each way in which a position can be wrong is told apart", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  await appendGroups(journal, 60, 10, "x".repeat(1000));
  const reader = await JournalReader.open(disk, folder, journal.logId);
  const { position } = (await reader.frameAt(500)).frame;
  await reader.check(position);
  await reader.check(await reader.base());
  const wrong = (more: Partial<Position>, message: RegExp): Promise<void> =>
    expect(reader.check({ ...position, ...more })).rejects.toMatchObject({
      code: "QUEUE_MISMATCH",
      message: expect.stringMatching(message) as string,
      hint: expect.stringContaining("write-behind adopt --data data --store URL") as string,
    });
  await wrong({ logId: "0".repeat(32) }, /foreign/);
  await wrong({ tag: position.tag ^ 1 }, /went two ways/);
  await wrong({ sequence: 700 }, /the journal ends at 600, 100 frames before: the folder is older/);
  journal.acknowledge({ ...position, sequence: 600 });
  while (journal.oldest() < 400) await new Promise((resolve) => setImmediate(resolve));
  await wrong({ sequence: 7 }, /frames between them are gone: the database is older/);
  await expect(readAll(reader, 7, 20)).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
  expect((await readAll(reader, 595, 600)).length).toBe(5);
  await journal.close();
  await reader.close();
});

test("a folder without a journal, or with another one, is refused", async () => {
  const disk = new MemoryDisk();
  await expect(JournalReader.open(disk, folder)).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
  await (await openOn(disk)).close();
  await expect(JournalReader.open(disk, folder, "0".repeat(32))).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
});

test("damage under the mark is told by file and offset, whenever it came", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  await appendGroups(journal, 10, 10);
  const reader = await JournalReader.open(disk, folder);
  const path = disk.segments()[0] as string;
  const bytes = disk.bytesOf(path);
  bytes[4096 + 2000] = (bytes[4096 + 2000] as number) ^ 1;
  await expect(readAll(reader, 0, 100)).rejects.toMatchObject({
    code: "JOURNAL_DAMAGED",
    message: expect.stringContaining(path) as string,
  });
  await reader.close();
  await journal.close();
});

test("finds each frame from its post, over segments, a restart, and a segment that has a header and no frame", async () => {
  const disk = new MemoryDisk();
  const found = async (journal: Journal): Promise<number[]> => {
    await journal.syncNow();
    const reader = await JournalReader.open(disk, folder, journal.logId);
    const sequences: number[] = [];
    for (let sequence = journal.accepted; sequence >= 1; sequence -= 7) {
      const frame = await reader.frameNear(sequence, journal.postBefore(sequence) as Post);
      sequences.push(frame?.frame.position.sequence ?? 0);
    }
    await reader.close();
    return sequences;
  };
  const expected = (journal: Journal): number[] =>
    Array.from({ length: Math.ceil(journal.accepted / 7) }, (_, i) => journal.accepted - 7 * i);
  const first = await openOn(disk);
  await appendSome(first, 300, "x".repeat(1000));
  expect(await found(first)).toEqual(expected(first));
  expect(first.stats().segments).toBeGreaterThan(3);
  await first.close();

  // What a crash leaves between the header of a new segment and its first frame.
  const recovered = await recoverJournal(disk, folder);
  const end = recovered?.segments.at(-1)?.header as SegmentHeader;
  const { last, logOffset } = recovered as Recovered;
  const file = await disk.open(`${folder}/fresh`, { create: true });
  await file.write(Buffer.alloc(end.size), 0, end.size, 0);
  const header = { ...end, index: end.index + 1, firstSequence: last.sequence + 1, tagBefore: last.tag, logOffset };
  await beginSegment(disk, { folder, path: `${folder}/fresh`, dsync: true, file }, header);
  await file.close();
  const second = await openOn(disk);
  await appendSome(second, 100, "x".repeat(1000));
  expect(await found(second)).toEqual(expected(second));
  await second.close();
});

test("a post leads to the same frames as the way from the segment's begin, from any place, trimmed ones too", async () => {
  const disk = new MemoryDisk();
  const journal = await openOn(disk);
  await appendSome(journal, 400, "x".repeat(300));
  const mark = await journal.syncNow();
  const fresh = (): Promise<JournalReader> => JournalReader.open(disk, folder);
  const sequences = async (reader: JournalReader, after: number, post: Post | undefined): Promise<number[]> => {
    const found: number[] = [];
    for await (const piece of reader.read(after, Math.min(mark, after + 20), post))
      found.push(...piece.map(({ frame }) => frame.position.sequence));
    return found;
  };
  const shared = await fresh();
  // There and back again: what a reader remembers must not lead it astray.
  for (const after of [0, 399, 17, 300, 1, 250, 120, 398, 60]) {
    const wanted = range(after + 1, Math.min(mark, after + 20));
    const post = journal.postBefore(after + 1);
    expect(await sequences(shared, after, post)).toEqual(wanted);
    expect(await sequences(await fresh(), after, post)).toEqual(wanted);
  }
});
