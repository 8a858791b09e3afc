/** What the journal's tests share: a disk in memory that can be damaged and made to fail, ways to write and read. */
import fc from "fast-check";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import type { Change, Fields } from "../src/change.js";
import { DiskError, type Disk, type DiskFile, type Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import type { Frame, FrameBody } from "../src/queue/queue.js";
import { Journal, type JournalOptions } from "../src/queue/journal/journal.js";
import { JournalReader } from "../src/queue/journal/reader.js";

export const kb = 1024;
export const folder = "data/journal";

/** A disk in memory, without a model of power loss: what is written is there. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, { bytes: Buffer }>();
  freeNow = 2 ** 40;
  /** Asked before each call; what it throws is the call's error. */
  before: (call: "write" | "sync" | "remove" | "rename" | "open", path: string) => void | Promise<void> = () => {};
  calls: string[] = [];

  /** A disk with the same files. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [path, { bytes }] of this.files) copy.files.set(path, { bytes: Buffer.from(bytes) });
    return copy;
  }

  bytesOf(path: string): Buffer {
    const file = this.files.get(path);
    if (file === undefined) throw new DiskError("missing", "ENOENT", path);
    return file.bytes;
  }

  /** The paths of the segments, in order. */
  segments(): string[] {
    return [...this.files.keys()].filter((path) => path.startsWith(`${folder}/0`)).sort();
  }

  async makeFolder(): Promise<void> {}

  async list(path: string): Promise<readonly string[]> {
    const names = [...this.files.keys()].filter((file) => file.startsWith(`${path}/`));
    return names.map((file) => file.slice(path.length + 1)).sort();
  }

  async open(path: string, mode: { readonly create: boolean }): Promise<DiskFile> {
    await this.before("open", path);
    if (mode.create) {
      if (this.files.has(path)) throw new DiskError("exists", "EEXIST", path);
      this.files.set(path, { bytes: Buffer.alloc(0) });
    }
    this.bytesOf(path);
    return this.#file(path, this.files.get(path) as { bytes: Buffer });
  }

  #file(path: string, file: { bytes: Buffer }): DiskFile {
    return {
      read: async (target, targetOffset, length, offset) =>
        file.bytes.copy(target, targetOffset, Math.min(offset, file.bytes.length), offset + length),
      write: async (source, sourceOffset, length, offset) => {
        this.calls.push("write");
        await this.before("write", path);
        if (file.bytes.length < offset + length) {
          file.bytes = Buffer.concat([file.bytes, Buffer.alloc(offset + length - file.bytes.length)]);
        }
        Buffer.from(source.buffer, source.byteOffset + sourceOffset, length).copy(file.bytes, offset);
      },
      sync: async () => {
        this.calls.push("sync");
        await this.before("sync", path);
      },
      size: async () => file.bytes.length,
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.before("rename", from);
    const file = this.files.get(from);
    if (file === undefined) throw new DiskError("missing", "ENOENT", from);
    this.files.delete(from);
    this.files.set(to, file);
  }

  async remove(path: string): Promise<void> {
    await this.before("remove", path);
    if (!this.files.delete(path)) throw new DiskError("missing", "ENOENT", path);
  }

  async syncFolder(): Promise<void> {
    this.calls.push("syncFolder");
  }

  async freeBytes(): Promise<number> {
    return this.freeNow;
  }

  async own(): Promise<null> {
    return null;
  }
}

/** The real host with another disk. */
export function hostOn(disk: Disk): Host {
  return { ...nodeHost(), disk };
}

export function options(more: Partial<JournalOptions> = {}): JournalOptions {
  const limits = {
    segmentBytes: 64 * kb,
    queueBytes: 64 * kb * kb,
    queueRecords: 1e9,
    retainBytes: 0,
    retainMs: 0,
    diskReserve: 0,
  };
  return { durability: "disk", ...limits, ...more };
}

/** Opens a journal on a disk. */
export function openOn(disk: Disk, more: Partial<JournalOptions> = {}): Promise<Journal> {
  return Journal.open(hostOn(disk), folder, options(more));
}

/** The body of a plain SET. */
export function set(key: string, value: string): FrameBody {
  const content = bytesOfText(value);
  return {
    kind: "changes",
    changes: [{ record: bytesOfText(key), change: { kind: "replace", content, expiresAt: null, afterRemove: false } }],
  };
}

/** Appends `count` frames, waiting for room, and does not wait for the disk. */
export async function appendSome(journal: Journal, count: number, value = "v"): Promise<void> {
  for (let i = 0; i < count; i++) {
    const bytes = value.length + 100;
    while (!journal.hasRoom(bytes)) await journal.whenRoom(bytes, { waitMs: 30_000 });
    journal.append(set(`key:${journal.accepted + 1}`, value), 1000 + journal.accepted);
  }
}

/** Appends groups that are each durable before the next one begins. */
export async function appendGroups(journal: Journal, groups: number, framesEach: number, value = "v"): Promise<void> {
  for (let i = 0; i < groups; i++) {
    await appendSome(journal, framesEach, value);
    await journal.syncNow();
  }
}

/** Frames after a sequence, up to a mark. */
export async function readAll(reader: JournalReader, after: number, upTo: number): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const piece of reader.read(after, upTo)) for (const { frame } of piece) frames.push(frame);
  return frames;
}

/** The sequences of everything that a disk's journal holds. */
export async function sequencesOn(disk: Disk, upTo: number): Promise<number[]> {
  const reader = await JournalReader.open(disk, folder);
  const frames = await readAll(reader, (await reader.oldest()) - 1, upTo);
  await reader.close();
  return frames.map((frame) => frame.position.sequence);
}

/** The numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

const bytesArbitrary = fc
  .oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 100, maxLength: 400 }))
  .map((bytes) => Buffer.from(bytes).toString("latin1") as Bytes);
const fieldsArbitrary: fc.Arbitrary<Fields> = fc
  .array(fc.tuple(bytesArbitrary, bytesArbitrary), { maxLength: 5 })
  .map((entries) => new Map(entries));
const expiryArbitrary = fc.oneof(fc.constant(null), fc.nat(), fc.integer({ min: 0, max: 2 ** 52 }));
const changeArbitrary: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant("replace" as const),
    content: fc.oneof(bytesArbitrary, fieldsArbitrary),
    expiresAt: expiryArbitrary,
    afterRemove: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("merge" as const),
    fields: fc.oneof(
      fc.constant(null),
      fc.record({ set: fieldsArbitrary, unset: fc.array(bytesArbitrary, { maxLength: 4 }).map((all) => new Set(all)) }),
    ),
    expiresAt: fc.oneof(fc.constant(undefined), expiryArbitrary),
  }),
  fc.constant({ kind: "remove" } as const),
);

/** Any body of a frame. */
export const bodyArbitrary: fc.Arbitrary<FrameBody> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: "clear" } as const) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("changes" as const),
      changes: fc.array(fc.record({ record: bytesArbitrary, change: changeArbitrary }), { maxLength: 6 }),
    }),
  },
);
