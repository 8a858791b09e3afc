import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { logA, replace, value, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import type { Host, Thread } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { GatheredReads } from "../src/store/gathered-reads.js";
import { loadStore } from "../src/store/load-store.js";
import { memoryStore } from "../src/store/memory/memory-store.js";
import { sqlite } from "../src/store/sqlite/index.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";
import { marksOf, StoreError, type Reached, type StoreDescriptor, type StoreReader } from "../src/store/store.js";
import { openReader } from "../src/store/thread-reader.js";

const key = bytesOfText("user:1:name");
const alice = bytesOfText("Alice");

let folder = "";
let started: Thread<unknown, unknown>[] = [];
let sent: unknown[] = [];
let readers: StoreReader[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "write-behind-reader-"));
  started = [];
  sent = [];
  readers = [];
});

afterEach(async () => {
  for (const reader of readers) await reader.close();
  rmSync(folder, { recursive: true });
});

/** The real host, and what it starts and sends. */
function watchedHost(): Host {
  const host = nodeHost();
  return {
    ...host,
    threads: {
      start: <Out, In>(url: string, data: unknown): Thread<Out, In> => {
        const thread = host.threads.start<Out, In>(url, data);
        started.push(thread);
        const post = (message: Out): void => {
          sent.push(message);
          thread.post(message);
        };
        return { ...thread, post };
      },
    },
  };
}

function readerOf(descriptor: StoreDescriptor): StoreReader {
  const reader = openReader(descriptor, watchedHost());
  readers.push(reader);
  return reader;
}

/** A module in the folder of the test. */
function moduleOf(source: string, reads: "thread" | "caller" = "thread"): StoreDescriptor {
  const file = join(folder, `store-${Math.random()}.mjs`);
  writeFileSync(file, source);
  return { module: pathToFileURL(file).href, options: { from: "options" }, reads };
}

async function writtenFile(): Promise<string> {
  const file = join(folder, "app.db");
  const store = new SqliteStore(file);
  const writer = await WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} });
  const fields = new Map([[bytesOfText("f"), "\xff\0" as Bytes]]);
  await writer.commit([
    [key, replace(alice)],
    [bytesOfText("hash"), replace(fields, 99)],
  ]);
  await store.close();
  return file;
}

test("the reads of one turn travel together, and each gets its own answer", async () => {
  const reader = readerOf(sqlite({ file: await writtenFile() }));
  const answers = await Promise.all([
    reader.read([key]),
    reader.read([]),
    reader.read(["no" as Bytes, bytesOfText("hash")]),
  ]);
  const fields = new Map([["f", "\xff\0"]]);
  expect(answers).toEqual([[value(alice)], [], [null, { content: fields, expiresAt: 99 }]]);
  expect(sent).toHaveLength(1);
  expect(await reader.scan(null, 1, 0)).toEqual({ records: ["hash"], next: "hash" });
  expect(started).toHaveLength(1);
});

test("nothing is started before the first read", async () => {
  const reader = readerOf(sqlite({ file: join(folder, "app.db") }));
  await reader.close();
  expect(started).toHaveLength(0);
  await expect(reader.read([key])).rejects.toMatchObject({ kind: "retryable" });
});

test("a store's error keeps its kind and its message on the way from the thread", async () => {
  const reader = readerOf(sqlite({ file: join(folder, "app.db") }));
  await expect(reader.read([key])).rejects.toMatchObject({
    name: "StoreError",
    kind: "retryable",
    message: expect.stringContaining("there are no tables to read") as string,
  });
  await writtenFile();
  expect(await reader.read([key])).toEqual([value(alice)]);
});

test("a thread that dies is started again; who was waiting may try again", async () => {
  const dying = `
    import { existsSync, writeFileSync } from "node:fs";
    const mark = ${JSON.stringify(join(folder, "died"))};
    export const createStore = () => ({
      read: async (records) => {
        if (existsSync(mark)) return records.map(() => null);
        writeFileSync(mark, "");
        setImmediate(() => { throw new Error("planted"); });
        return new Promise(() => {});
      },
      close: async () => {},
    });`;
  const reader = readerOf(moduleOf(dying));
  await expect(reader.read([key])).rejects.toMatchObject({
    kind: "retryable",
    message: expect.stringContaining("planted") as string,
  });
  expect(await reader.read([key, key])).toEqual([null, null]);
  expect(started).toHaveLength(2);
});

test("closing while a read is under way answers it first", async () => {
  const reader = readerOf(sqlite({ file: await writtenFile() }));
  const read = reader.read([key]);
  await new Promise((resolve) => setImmediate(resolve));
  const closed = reader.close();
  expect(await read).toEqual([value(alice)]);
  await closed;
});

test("a descriptor of a user's module works on the thread and on the caller's", async () => {
  const source = `export const createStore = (options) => ({
    read: async (records) => records.map((record) => ({ content: record + options.from, expiresAt: null })),
    scan: async () => ({ records: ["z"], next: null }),
    close: async () => {},
  });`;
  for (const reads of ["thread", "caller"] as const) {
    const reader = readerOf(moduleOf(source, reads));
    expect(await reader.read([key])).toEqual([value("user:1:nameoptions" as Bytes)]);
    expect(await reader.scan(null, 1, 0)).toEqual({ records: ["z"], next: null });
  }
  expect(started).toHaveLength(1);
});

test("a plain store is read where it is, and closed by who made it", async () => {
  const store = memoryStore();
  const writer = await WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} });
  await writer.commit([[key, replace(alice)]]);
  const reader = openReader(store, watchedHost());
  expect(await reader.read([key])).toEqual([value(alice)]);
  await reader.close();
  await writer.commit([[key, replace(bytesOfText("Bob"))]]);
  expect((await store.open({ logId: logA })).position?.sequence).toBe(2);
});

test("a module that cannot be used is CONFIG, a missing package DRIVER_MISSING; here and on the thread", async () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["CONFIG", "export const somethingElse = 1;", "exports no function createStore"],
    ["CONFIG", "this is no JavaScript", "cannot be loaded"],
    ["CONFIG", 'import "./no-such-file.mjs";', "cannot be loaded"],
    ["DRIVER_MISSING", 'import "no-such-driver";', "needs the package no-such-driver"],
  ];
  for (const [code, source, message] of cases) {
    const expected = { name: "WriteBehindError", code, message: expect.stringContaining(message) as string };
    await expect(loadStore(moduleOf(source))).rejects.toMatchObject(expected);
    await expect(readerOf(moduleOf(source)).read([key])).rejects.toMatchObject(expected);
    await expect(readerOf(moduleOf(source, "caller")).scan(null, 1, 0)).rejects.toMatchObject(expected);
  }
  const nowhere = { module: "no-such-store", options: null, reads: "caller" } as const;
  await expect(loadStore(nowhere)).rejects.toMatchObject({ code: "DRIVER_MISSING", hint: "npm install no-such-store" });
});

test("a store that is silent does not keep its reader from closing, nor a read from ending", async () => {
  const source = "export const createStore = () => ({ read: () => new Promise(() => {}), close: async () => {} });";
  const reader = readerOf(moduleOf(source));
  const [answer] = await Promise.allSettled([reader.read([key]), asked().then(() => reader.close())]);
  expect(answer).toMatchObject({ status: "rejected", reason: { kind: "retryable" } });
});

/** Resolves when a question is on its way to the thread. */
async function asked(): Promise<void> {
  while (sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("reads of several partitions in one turn", () => {
  const one = { logId: "1", sequence: 5, tag: 0, partition: 1 };
  const two = { ...one, logId: "2", partition: 2 };

  /** A store that has been read so often, with these marks, and may find that one partition went back. */
  function reading(wentBack: number | null = null): { reader: StoreReader; asked: [readonly string[], Reached][] } {
    const asked: [readonly string[], Reached][] = [];
    const store = {
      ...memoryStore(),
      read: async (records: readonly Bytes[], reached: Reached = null) => {
        asked.push([records, reached]);
        if (marksOf(reached).some(({ partition }) => partition === wentBack)) throw new StoreError("moved", "back");
        return records.map((record) => value(record));
      },
    };
    const gathered = new GatheredReads(nodeHost().clock, store.read);
    return { reader: { ...store, read: (records, reached = null) => gathered.read(records, reached) }, asked };
  }

  test("travel together, with the newest mark of each", async () => {
    const { reader, asked } = reading();
    const later = { ...one, sequence: 6 };
    const keys = ["a", "b", "c", "d"] as Bytes[];
    const marks = [one, [two, later], null, later];
    const answers = await Promise.all(keys.map((each, n) => reader.read([each], marks[n] ?? null)));
    expect(answers).toEqual(keys.map((each) => [value(each)]));
    expect(asked).toEqual([[keys, [later, two]]]);
    await reader.read([key], one);
    await reader.read([key]);
    expect(asked.slice(1)).toEqual([
      [[key], one],
      [[key], null],
    ]);
  });

  test("of a partition that went back are `moved`, and the others are answered", async () => {
    const { reader, asked } = reading(2);
    const answers = await Promise.allSettled([
      reader.read(["a" as Bytes], one),
      reader.read(["b" as Bytes], two),
      reader.read(["c" as Bytes], one),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(asked.slice(1)).toEqual([
      [["a", "c"], one],
      [["b"], two],
    ]);
  });
});
