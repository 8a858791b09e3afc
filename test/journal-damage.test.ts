/**
 * Journals that were damaged in every way that a small one can be. What must come of it is computed from the bytes that
 * changed: a torn end is cut, everything else is refused with the place and the command that goes on; a second start
 * gives the same as the first; and never is a frame read that was not written.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WriteBehindError } from "../src/errors.js";
import type { FrameBody } from "../src/queue/queue.js";
import { inspectJournal } from "../src/queue/journal/inspect.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import { segmentHeaderBytes } from "../src/queue/journal/segment.js";
import { walkJournal } from "../src/queue/journal/walk.js";
import { appendGroups, folder, MemoryDisk, openOn, readAll } from "./journal-kit.js";

const segmentBytes = segmentHeaderBytes + 1024;
const framesEach = 3;

/** A frame where it lies. */
interface Laid {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly durable: number;
}

/** A journal as a killed process left it, and what is in it. */
interface Whole {
  readonly disk: MemoryDisk;
  /** By sequence. */
  readonly frames: ReadonlyMap<number, Laid>;
  readonly bodies: ReadonlyMap<number, FrameBody>;
  readonly first: number;
  readonly last: number;
}

/** Groups of frames, each on disk before the next one. Recycled: old frames of the same size lie behind the end. */
async function killed(groups = 20, recycled = false): Promise<Whole> {
  const disk = new MemoryDisk();
  const journal = await openOn(disk, { segmentBytes, retainBytes: 1024, retainMs: 1e9 });
  for (let group = 0; group < groups; group++) {
    await appendGroups(journal, 1, framesEach, "x".repeat(60));
    if (recycled && group < groups - 7) {
      journal.acknowledge({ logId: journal.logId, sequence: journal.accepted, tag: 0 });
    }
  }
  const copy = disk.copy();
  await journal.close();
  const frames = new Map<number, Laid>();
  await walkJournal(copy, folder, ({ sequence, length, durable }, { path, end }) =>
    frames.set(sequence, { path, from: end, to: end + length, durable }),
  );
  const [first, last] = [Math.min(...frames.keys()), Math.max(...frames.keys())];
  return { disk: copy, frames, bodies: await bodiesOn(copy, first, last), first, last };
}

async function bodiesOn(disk: MemoryDisk, first: number, last: number): Promise<Map<number, FrameBody>> {
  const reader = await JournalReader.open(disk, folder);
  const frames = await readAll(reader, first - 1, last);
  await reader.close();
  return new Map(frames.map(({ position, body }) => [position.sequence, body]));
}

/** What must come of a damaged copy: the last frame that is kept, or null where it must be refused. */
function expected(whole: Whole, damaged: MemoryDisk): number | null {
  for (const path of whole.disk.segments()) {
    const [was, is] = [whole.disk.bytesOf(path), damaged.files.get(path)?.bytes];
    // A file has its full size before it gets a segment's name, and its header before that.
    if (is?.length !== was.length || differ(was, is, 0, segmentHeaderBytes)) return null;
  }
  const changed = (laid: Laid): boolean =>
    differ(whole.disk.bytesOf(laid.path), damaged.bytesOf(laid.path), laid.from, laid.to);
  for (let lost = whole.first; lost <= whole.last; lost++) {
    if (!changed(whole.frames.get(lost) as Laid)) continue;
    const headers = whole.disk.segments().map((path) => whole.disk.bytesOf(path).readDoubleLE(72));
    const witnesses = [...whole.frames.values()].filter((laid) => laid.durable >= lost && !changed(laid));
    return witnesses.length > 0 || headers.some((durable) => durable >= lost) ? null : lost - 1;
  }
  return whole.last;
}

function differ(a: Buffer, b: Buffer, from: number, to: number): boolean {
  return !a.subarray(from, to).equals(b.subarray(from, to));
}

/** Starts on a damaged copy, twice. */
async function judged(whole: Whole, damaged: MemoryDisk, what: string): Promise<"cut" | "refused"> {
  const kept = expected(whole, damaged);
  if (kept !== null) {
    for (const start of ["first", "second"]) {
      const journal = await openOn(damaged, { segmentBytes });
      expect([journal.accepted, journal.oldest()], `${what}, ${start} start`).toEqual([
        kept,
        Math.min(whole.first, kept + 1),
      ]);
      await journal.close();
    }
    for (const [sequence, body] of await bodiesOn(damaged, whole.first, kept)) {
      expect(body, `${what}: frame ${sequence}`).toEqual(whole.bodies.get(sequence));
    }
    return "cut";
  }
  const before = damaged.copy();
  const errors: WriteBehindError[] = [];
  for (let start = 0; start < 2; start++) {
    const refused = await openOn(damaged, { segmentBytes }).then(
      async (journal) => {
        await journal.close();
        throw new Error(`${what}: it was opened and ends at ${journal.accepted}`);
      },
      (error: unknown) => error as WriteBehindError,
    );
    errors.push(refused);
  }
  for (const { code, message, hint } of errors) {
    expect(code, `${what}: ${message}`).toBe("JOURNAL_DAMAGED");
    expect(message).toMatch(/ in data\/journal\/\S+ at offset \d+: /);
    expect(hint).toContain("write-behind adopt --data data --accept-gap");
  }
  expect(errors[1]?.message).toBe(errors[0]?.message);
  expect((await inspectJournal(damaged, folder))?.damage?.message).toBe(errors[0]?.message);
  expect([...damaged.files.keys()]).toEqual([...before.files.keys()]);
  for (const [path, { bytes }] of before.files) expect(bytes.equals(damaged.bytesOf(path)), path).toBe(true);
  return "refused";
}

const wholes = { "one that has only grown": false, "one of recycled files": true };

test.each(Object.entries(wholes))("each bit of the last and of a middle frame flipped: %s", async (_, recycled) => {
  const whole = await killed(20, recycled);
  expect(whole.disk.segments().length).toBeGreaterThan(2);
  const outcomes = new Set<string>();
  for (const sequence of [whole.last, Math.floor((whole.first + whole.last) / 2)]) {
    const { path, from, to } = whole.frames.get(sequence) as Laid;
    for (let bit = 0; bit < (to - from) * 8; bit++) {
      const copy = whole.disk.copy();
      const at = from + (bit >> 3);
      copy.bytesOf(path)[at] = (copy.bytesOf(path)[at] as number) ^ (1 << (bit & 7));
      outcomes.add(`${sequence} ${await judged(whole, copy, `bit ${bit} of frame ${sequence}`)}`);
    }
  }
  // The last frame's loss is a torn end, each bit of it; that of a middle one is damage, each bit of it.
  expect(outcomes.size).toBe(2);
});

test.each(Object.entries(wholes))("zeros, or nothing, from any byte of any file on: %s", async (_, recycled) => {
  const whole = await killed(20, recycled);
  for (const path of whole.disk.segments()) {
    // Within a header one byte is as good as another.
    for (let cut = 0; cut < segmentBytes; cut += cut < segmentHeaderBytes - 64 ? 64 : 1) {
      const zeroed = whole.disk.copy();
      zeroed.bytesOf(path).fill(0, cut);
      await judged(whole, zeroed, `${path} zero from ${cut} on`);
      const short = whole.disk.copy();
      short.files.set(path, { bytes: Buffer.from(short.bytesOf(path).subarray(0, cut)) });
      expect(await judged(whole, short, `${path} cut to ${cut}`)).toBe("refused");
    }
  }
});

test("files that are missing, exchanged, or another log's are refused", async () => {
  // The last file holds one group: nothing in it says that anything was durable.
  let [whole, other] = [await killed(), await killed()];
  for (let groups = 12; whole.disk.segments().length < 4 || framesIn(whole) > framesEach; groups++) {
    [whole, other] = [await killed(groups), await killed(groups)];
  }
  const names = whole.disk.segments();
  const swap = (copy: MemoryDisk, a: string, b: string): void => {
    const [left, right] = [copy.bytesOf(a), copy.bytesOf(b)];
    copy.files.set(a, { bytes: right });
    copy.files.set(b, { bytes: left });
  };
  for (const [index, name] of names.entries()) {
    const last = index === names.length - 1;
    const foreign = whole.disk.copy();
    foreign.files.set(name, { bytes: Buffer.from(other.disk.bytesOf(name)) });
    await refused(foreign, `${name} of another log`);
    if (!last) {
      const swapped = whole.disk.copy();
      swap(swapped, name, names[index + 1] as string);
      await refused(swapped, `${name} exchanged with the next one`);
      const missing = whole.disk.copy();
      missing.files.delete(name);
      // Without its first file it is a log that was trimmed: only the database knows better.
      if (index > 0) await refused(missing, `${name} missing`);
    }
  }

  async function refused(copy: MemoryDisk, what: string): Promise<void> {
    const before = [...copy.files.keys()];
    for (let start = 0; start < 2; start++) {
      await expect(openOn(copy, { segmentBytes }), what).rejects.toMatchObject({ code: "JOURNAL_DAMAGED" });
    }
    expect([...copy.files.keys()], what).toEqual(before);
  }
});

function framesIn({ disk, frames }: Whole): number {
  return [...frames.values()].filter(({ path }) => path === disk.segments().at(-1)).length;
}

/** A stretch of one file that is put into another place of the same or another one. */
const blockArbitrary = fc.record({
  from: fc.nat(),
  to: fc.nat(),
  fromOffset: fc.nat(),
  toOffset: fc.nat(),
  aligned: fc.boolean(),
  length: fc.constantFrom(1, 7, 28, 100, 512, 1024),
  what: fc.constantFrom("copy", "swap", "foreign", "zero", "noise"),
});

test("blocks duplicated, exchanged, zeroed, scrambled, or taken from another log, a few at a time", async () => {
  const whole = { true: await killed(20, true), false: await killed(20, false) };
  const other = await killed();
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(blockArbitrary, { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat(255)),
      async (recycled, blocks, noise) => {
        const subject = whole[`${recycled}`];
        const copy = subject.disk.copy();
        for (const block of blocks) {
          const place = (number: number, offset: number): [Buffer, number] => {
            const names = subject.disk.segments();
            const at = segmentHeaderBytes + (offset % (1024 - block.length + 1));
            const start = block.aligned ? at - (at % 512) : at;
            return [copy.bytesOf(names[number % names.length] as string), start];
          };
          const [source, from] = place(block.from, block.fromOffset);
          const [target, to] = place(block.to, block.toOffset);
          const was = Buffer.from(target.subarray(to, to + block.length));
          const foreign = other.disk.bytesOf(other.disk.segments()[block.from % 3] as string);
          if (block.what === "zero") target.fill(0, to, to + block.length);
          else if (block.what === "noise")
            for (let i = 0; i < block.length; i++) target[to + i] = noise.next().value ?? 0;
          else if (block.what === "foreign") foreign.copy(target, to, to, to + block.length);
          else source.copy(target, to, from, from + block.length);
          if (block.what === "swap") was.copy(source, from);
        }
        await judged(subject, copy, JSON.stringify(blocks));
      },
    ),
    { numRuns: 400 },
  );
}, 120_000);
