/**
 * Append to the journal at level disk, beside the limit on the same disk in the same run: the same bytes appended to a
 * plain file from Node, where every append that waits goes with the next write and fdatasync. A thousand callers each
 * wait for their change before they make the next one. Prints changes per second and the ratio.
 *
 *     node dist/bench/journal.js [--rounds N] [--changes N] [--callers N]
 */
import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { nodeHost } from "../src/host/node-host.js";
import type { FrameBody } from "../src/queue/queue.js";
import { frameBytes } from "../src/queue/journal/frame.js";
import { Journal } from "../src/queue/journal/journal.js";

const mb = 1024 * 1024;
const keyCount = 100_000;

/** Something that takes change `i` and resolves when it is on disk. */
type Append = (i: number) => Promise<void>;

function bodies(): FrameBody[] {
  const content = "v".repeat(100) as Bytes;
  return Array.from({ length: keyCount }, (_, i) => ({
    kind: "changes",
    changes: [
      { record: bytesOfText(`key:${i}`), change: { kind: "replace", content, expiresAt: null, afterRemove: false } },
    ],
  }));
}

/** Changes per second. */
async function rate(append: Append, changes: number, callers: number): Promise<number> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < changes) await append(next++ % keyCount);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  return (changes * 1000) / (performance.now() - began);
}

/** The rival. */
function rawAppend(file: FileHandle, lines: readonly string[]): Append {
  let pieces: string[] = [];
  let waiting: (() => void)[] = [];
  let busy = false;
  const write = async (): Promise<void> => {
    busy = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (pieces.length > 0) {
      const [buffer, resolves] = [Buffer.from(pieces.join(""), "latin1"), waiting];
      [pieces, waiting] = [[], []];
      await file.write(buffer);
      await file.datasync();
      for (const resolve of resolves) resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    busy = false;
  };
  return (i) =>
    new Promise((resolve, reject) => {
      pieces.push(lines[i] as string);
      waiting.push(resolve);
      if (!busy) write().catch(reject);
    });
}

function journalAppend(log: Journal, source: readonly FrameBody[]): Append {
  const waiting: (() => void)[] = [];
  let first = log.accepted + 1;
  log.onKept = (mark) => {
    const count = mark - first + 1;
    const resolves = waiting.splice(0, count);
    first = mark + 1;
    for (const resolve of resolves) resolve();
    // As the writer would: what is durable is committed.
    log.acknowledge({ logId: log.logId, sequence: mark, tag: 0 });
  };
  const take = (i: number): Promise<void> =>
    new Promise((resolve) => {
      log.append(source[i] as FrameBody, Date.now());
      waiting.push(resolve);
    });
  return (i) => {
    if (log.hasRoom(200)) return take(i);
    return log.whenRoom(200, { waitMs: 60_000 }).then(() => take(i));
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string" }, changes: { type: "string" }, callers: { type: "string" } },
  });
  const rounds = Number(values.rounds ?? 5);
  const changes = Number(values.changes ?? 500_000);
  const callers = Number(values.callers ?? 1000);
  const source = bodies();
  const bytes = frameBytes(source[keyCount - 1] as FrameBody);
  const lines = source.map((_, i) => `${i}`.padEnd(bytes, "v"));
  const folder = await mkdtemp(`${process.cwd()}/dist/bench-journal-`);
  const options = {
    durability: "disk",
    segmentBytes: 16 * mb,
    queueBytes: 4096 * mb,
    queueRecords: 1e9,
    retainBytes: 64 * mb,
  } as const;
  const log = await Journal.open(nodeHost(), `${folder}/journal`, { ...options, retainMs: 3_600_000, diskReserve: 0 });
  const file = await open(`${folder}/raw`, "w");
  const ours = journalAppend(log, source);
  const theirs = rawAppend(file, lines);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [limit, rateOfOurs] = [await rate(theirs, changes, callers), await rate(ours, changes, callers)];
    ratios.push(rateOfOurs / limit);
    const shown = [rateOfOurs, limit].map((number) => `${Math.round(number).toLocaleString("en")}/s`);
    process.stdout.write(
      `journal ${shown[0]}, raw append + fdatasync ${shown[1]}, ratio ${ratios[round]?.toFixed(2)}\n`,
    );
  }
  ratios.sort((a, b) => a - b);
  process.stdout.write(`ratio, median of ${rounds}: ${ratios[rounds >> 1]?.toFixed(2)} (${bytes} bytes a change)\n`);
  await log.close();
  await file.close();
  await rm(folder, { recursive: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
