/** The journal as the heart uses it: frames go in, marks move, frames come out again, also after a restart. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { nodeHost } from "../src/host/node-host.js";
import type { Durability, Frame, FrameBody } from "../src/queue/queue.js";
import { Journal, type JournalOptions } from "../src/queue/journal/journal.js";
import { JournalReader } from "../src/queue/journal/reader.js";

const host = nodeHost();
const kb = 1024;
let folder = "";

beforeEach(async () => {
  folder = `${await mkdtemp(`${tmpdir()}/journal-`)}/journal`;
});

afterEach(async () => {
  await rm(folder.slice(0, -"/journal".length), { recursive: true, force: true });
});

function options(more: Partial<JournalOptions> = {}): JournalOptions {
  return {
    durability: "disk",
    segmentBytes: 64 * kb,
    queueBytes: 64 * kb * kb,
    retainBytes: 0,
    retainMs: 0,
    diskReserve: 0,
    ...more,
  };
}

function set(key: string, value: string): FrameBody {
  const change = { kind: "replace", content: bytesOfText(value), expiresAt: null, afterRemove: false } as const;
  return { kind: "changes", changes: [{ record: bytesOfText(key), change }] };
}

async function appendAll(journal: Journal, count: number, value: string): Promise<void> {
  for (let i = 0; i < count; i++) {
    const body = set(`key:${journal.accepted + 1}`, value);
    while (!journal.hasRoom(value.length + 200)) await journal.whenRoom(value.length + 200, { waitMs: 10_000 });
    journal.append(body, host.clock.now());
  }
}

async function readAll(reader: JournalReader, after: number, upTo: number): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const piece of reader.read(after, upTo)) for (const { frame } of piece) frames.push(frame);
  return frames;
}

const levels: readonly Durability[] = ["memory", "os", "disk"];
test.each(levels)("frames come back in order, at level %s, also after a restart", async (durability) => {
  const journal = await Journal.open(host, folder, options({ durability }));
  expect(journal.isNew).toBe(true);
  await appendAll(journal, 3000, "x".repeat(100));
  expect(await journal.syncNow()).toBe(3000);
  expect(journal.kept).toBe(3000);
  const reader = await JournalReader.open(host.disk, folder, journal.logId);
  const frames = await readAll(reader, 0, 3000);
  expect(frames.map((frame) => frame.position.sequence)).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1));
  expect(frames[2999]?.body).toEqual(set("key:3000", "x".repeat(100)));
  await journal.close();
  const again = await Journal.open(host, folder, options({ durability }));
  expect(again.isNew).toBe(false);
  expect(again.logId).toBe(journal.logId);
  expect([again.accepted, again.kept, again.durable]).toEqual([3000, 3000, 3000]);
  await appendAll(again, 10, "y");
  await again.syncNow();
  const tail = await readAll(reader, 2990, 3010);
  expect(tail.map((frame) => frame.position.sequence)).toEqual(Array.from({ length: 20 }, (_, i) => i + 2991));
  await reader.check(tail[19]?.position as Frame["position"]);
  await reader.close();
  await again.close();
});
