import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hash, logA, logB, merge, replace, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { remove, type Change } from "../src/change.js";
import { storeErrorOf } from "../src/store/sqlite/sqlite-errors.js";
import { SqliteConnection } from "../src/store/sqlite/sqlite-connection.js";
import { createStore, ownTablesSql, sqlite } from "../src/store/sqlite/index.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";
import { StoreError, type StoreErrorKind } from "../src/store/store.js";

const key = bytesOfText("user:1:name");
const alice = replace(bytesOfText("Alice"));

let folder = "";
let file = "";
let open: { close(): unknown }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "write-behind-sqlite-"));
  file = join(folder, "app.db");
  open = [];
});

afterEach(async () => {
  for (const each of open) await each.close();
  rmSync(folder, { recursive: true });
});

/** A writer on the file, closed after the test. */
async function writerOn(path = file, logId = logA): Promise<WriterLike> {
  const store = new SqliteStore(path);
  open.push(store);
  return WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} }, logId);
}

/** A person with a shell. */
function shell(path = file): DatabaseSyncInstance & { rows(sql: string): string[] } {
  const database = new DatabaseSync(path);
  open.push({ close: () => database.isOpen && database.close() });
  const rows = (sql: string): string[] =>
    (database.prepare(sql).all() as Record<string, unknown>[]).map((row) => Object.values(row).join("|"));
  return Object.assign(database, { rows });
}

async function failure(promise: Promise<unknown>): Promise<StoreError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

describe("what a person sees", () => {
  test("a string is one row of text, a hash one row and one for each field", async () => {
    const writer = await writerOn();
    await writer.commit([
      [key, alice],
      [bytesOfText("café"), replace(bytesOfText("Zoë 😀"), 1234)],
      [bytesOfText("user:2"), merge({ name: "Bob", city: "Köln" })],
    ]);
    const database = shell();
    expect(database.rows("SELECT key, type, value, expires_at FROM write_behind_kv ORDER BY key")).toEqual([
      "café|string|Zoë 😀|1234",
      "user:1:name|string|Alice|",
      "user:2|hash||",
    ]);
    expect(database.rows("SELECT key, field, value FROM write_behind_field ORDER BY field")).toEqual([
      "user:2|city|Köln",
      "user:2|name|Bob",
    ]);
    expect(database.rows("SELECT value FROM write_behind_kv WHERE key = 'user:1:name'")).toEqual(["Alice"]);
  });

  test("bytes that are no text, and text with a zero byte, are blobs", async () => {
    const writer = await writerOn();
    const codes = ["a", "\0", "a\0b", "\xff", "\xc3\xa9", ""] as Bytes[];
    await writer.commit(codes.map((bytes) => [bytes, replace(bytes)]));
    const types = "SELECT hex(key), typeof(key), typeof(value), hex(value) FROM write_behind_kv ORDER BY hex(key)";
    expect(shell().rows(types)).toEqual([
      "|text|text|",
      "00|blob|blob|00",
      "61|text|text|61",
      "610062|blob|blob|610062",
      "C3A9|text|text|C3A9",
      "FF|blob|blob|FF",
    ]);
  });

  test("no field is left behind when a hash goes", async () => {
    const writer = await writerOn();
    const records = ["removed", "replaced", "string", "swept", "removed and anew"].map(bytesOfText);
    await writer.commit(records.map((record) => [record, replace(hash({ a: "1", b: "2" }), 1000)]));
    await writer.commit(
      [
        [records[0] as Bytes, remove],
        [records[1] as Bytes, replace(hash({ c: "3" }))],
        [records[2] as Bytes, alice],
        [records[4] as Bytes, replace(bytesOfText("x"), null, true)],
      ],
      { sweepUpTo: 1000 },
    );
    expect(shell().rows("SELECT key, field FROM write_behind_field")).toEqual(["replaced|c"]);
  });

  test("position and claim are one row; close gives the claim back", async () => {
    const writer = await writerOn();
    const { to } = await writer.commit([[key, alice]]);
    const { generation } = writer;
    const database = shell();
    const row = "SELECT log_id, sequence, tag, generation, owner FROM write_behind_position";
    expect(database.rows(row)).toEqual([`${logA}|1|${to.tag}|${generation}|${logA}`]);
    const [age] = database.rows("SELECT unixepoch('subsec') * 1000 - heartbeat_at FROM write_behind_position");
    expect(Number(age)).toBeLessThan(10_000);
    await writer.store.close();
    expect(database.rows(row)).toEqual([`${logA}|1|${to.tag}|${generation}|`]);
  });
});

describe("what a commit rests on", () => {
  test("the write-ahead log, synced at every commit", async () => {
    const connection = SqliteConnection.forWriting(file, true);
    open.push(connection);
    const pragma = (name: string): unknown[] => Object.values(connection.prepare(`PRAGMA ${name}`).get() as object);
    expect([pragma("journal_mode"), pragma("synchronous"), pragma("fullfsync")]).toEqual([["wal"], [2], [1]]);
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    expect(existsSync(`${file}-wal`)).toBe(true);
  });

  test("upserts hit the primary key only: a user's unique index refuses, nobody's row is overwritten", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    shell().exec("CREATE UNIQUE INDEX mine ON write_behind_kv (value)");
    const error = await failure(writer.store.commit(writer.batch([[bytesOfText("user:2:name"), alice]])));
    expect(error.kind).toBe("refused");
    expect(shell().rows("SELECT key FROM write_behind_kv")).toEqual(["user:1:name"]);
    await writer.commit([[key, replace(bytesOfText("Bob"))]]);
  });

  test("a replace after a remove deletes and inserts", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    const database = shell();
    database.exec("CREATE TABLE seen (what)");
    for (const event of ["INSERT", "UPDATE", "DELETE"]) {
      database.exec(
        `CREATE TRIGGER on_${event} AFTER ${event} ON write_behind_kv BEGIN INSERT INTO seen VALUES ('${event}'); END`,
      );
    }
    await writer.commit([[key, replace(bytesOfText("Bob"), null, true)]]);
    expect(database.rows("SELECT what FROM seen")).toEqual(["DELETE", "INSERT"]);
  });
});

describe("when it does not work", () => {
  test("a value that SQLite finds too large is refused: nothing mends that but another value", async () => {
    const writer = await writerOn();
    shell().exec(`CREATE TRIGGER large BEFORE INSERT ON write_behind_kv WHEN NEW.value = 'Alice'
      BEGIN SELECT length(zeroblob(1000000001)); END;`);
    const error = await failure(writer.store.commit(writer.batch([[key, alice]])));
    expect([error.kind, error.message]).toEqual(["refused", expect.stringContaining("too large")]);
    await writer.commit([[key, replace(bytesOfText("Bob"))]]);
  });

  test("what is parked of a large hash lies in several rows, and none of them is left behind", async () => {
    const writer = await writerOn();
    const part = "x".repeat(9 * 1024 * 1024);
    const position = { logId: logA, sequence: 1, tag: 1 };
    const large = replace(hash({ a: part, b: part, c: part, d: "1" }));
    const letters = ["a", "b"].map((record) => ({ record: bytesOfText(record), change: large }));
    const letter = { position, changes: letters, reason: "no", refusedAt: 1, tries: 1 };
    const behind = (change: Change) => ({ position: { ...position, sequence: 2 }, change, frames: 3 });
    const group = (change: Change) => ({ id: 1, letters: [letter], behind: new Map([[key, behind(change)]]) });
    const kinds = () => shell().rows("SELECT kind FROM write_behind_dead_letters ORDER BY record, kind").join(" ");
    const parked = async () => {
      const opened = await writer.store.open({ logId: logA });
      writer.generation = opened.generation;
      return opened.parked;
    };

    await writer.commit([], { parking: { drop: [], put: [group(merge({ a: part, b: part, c: part }, ["d"], 5))] } });
    expect(kinds()).toBe("refused refused+1 refused+2 refused refused+1 refused+2 behind behind+1 behind+2");
    expect(await parked()).toEqual([group(merge({ a: part, b: part, c: part }, ["d"], 5))]);
    const shorter = group(merge({ a: part, b: part }));
    await writer.commit([], { parking: { drop: [], put: [{ ...shorter, letters: [] }] } });
    expect(kinds()).toBe("refused refused+1 refused+2 refused refused+1 refused+2 behind behind+1");
    expect(await parked()).toEqual([shorter]);
    await writer.commit([], { parking: { drop: [1], put: [] } });
    expect(kinds()).toBe("");
  });

  test("locked by somebody else: retryable, soon, and well again afterwards", async () => {
    const writer = await writerOn();
    const database = shell();
    database.exec("BEGIN IMMEDIATE");
    const before = performance.now();
    const error = await failure(writer.store.commit(writer.batch([[key, alice]])));
    expect(performance.now() - before).toBeLessThan(5000);
    expect([error.kind, error.message]).toEqual([
      "retryable",
      expect.stringContaining("is locked by another connection"),
    ]);
    expect((await failure(new SqliteStore(file).open({ logId: logA }))).kind).toBe("retryable");
    expect(await writer.value(key)).toBe(null);
    database.exec("ROLLBACK");
    await writer.commit([[key, alice]]);
  });

  test("a reader that holds an old page does not stop a commit", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    const database = shell();
    database.exec("BEGIN");
    expect(database.rows("SELECT value FROM write_behind_kv")).toEqual(["Alice"]);
    await writer.commit([[key, replace(bytesOfText("Bob"))]]);
    expect(database.rows("SELECT value FROM write_behind_kv")).toEqual(["Alice"]);
    database.exec("COMMIT");
  });

  test("the folder is missing: broken, and it says so; made later, it works", async () => {
    const path = join(folder, "sub", "app.db");
    const store = new SqliteStore(path);
    open.push(store);
    const error = await failure(store.open({ logId: logA }));
    expect([error.kind, error.message]).toEqual(["broken", expect.stringContaining("its folder does not exist")]);
    mkdirSync(join(folder, "sub"));
    expect((await store.open({ logId: logA })).position).toBe(null);
  });

  test("the path is a folder: broken", async () => {
    expect((await failure(new SqliteStore(folder).open({ logId: logA }))).kind).toBe("broken");
  });

  test("the file is no database: broken, and left as it is", async () => {
    const text = "this is a diary, not a database. ".repeat(100);
    writeFileSync(file, text);
    const error = await failure(new SqliteStore(file).open({ logId: logA }));
    expect([error.kind, error.message]).toEqual(["broken", expect.stringContaining("is not an SQLite database")]);
    expect((await failure(new SqliteStore(file).read([key]))).kind).toBe("broken");
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  test("the file is read-only: broken, and reading goes on", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    await writer.store.close();
    chmodSync(file, 0o444);
    expect(await new SqliteStore(file).read([key])).toEqual([{ content: "Alice", expiresAt: null }]);
    // To root no file is read-only; then the driver's own error has to do.
    const error =
      process.getuid?.() === 0 ? readOnlyError() : await failure(new SqliteStore(file).open({ logId: logA }));
    expect([error.kind, error.message]).toEqual(["broken", expect.stringContaining("cannot be written")]);
  });

  function readOnlyError(): StoreError {
    const database = new DatabaseSync(file, { readOnly: true });
    open.push(database);
    return thrown(() => database.exec("CREATE TABLE mine (a)"));
  }

  /** What the driver throws, classified. */
  function thrown(work: () => void): StoreError {
    try {
      work();
    } catch (error) {
      return storeErrorOf(error, file) as StoreError;
    }
    throw new Error("it did not fail");
  }

  test("a table is gone: broken, and not made anew without its rows", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    shell().exec("DROP TABLE write_behind_kv");
    const error = await failure(writer.store.commit(writer.batch([[key, alice]])));
    expect([error.kind, error.message]).toEqual(["broken", expect.stringContaining("no such table: write_behind_kv")]);
    for (const _ of ["it stays so", "however often it is opened"]) {
      const opening = await failure(writer.store.open({ logId: logA }));
      expect([opening.kind, opening.message]).toEqual([
        "broken",
        expect.stringContaining("write_behind_kv in the database") as string,
      ]);
    }
    shell().exec(
      "CREATE TABLE write_behind_kv (key TEXT NOT NULL PRIMARY KEY, type TEXT, value TEXT, expires_at INTEGER)",
    );
    const { generation, position } = await writer.store.open({ logId: logA });
    expect(position).toEqual(writer.position);
    writer.generation = generation;
    await writer.commit([[key, alice]]);
  });

  test("its rows are gone where no queue has written yet: they are made anew", async () => {
    const first = await writerOn();
    await first.store.close();
    shell().exec("DROP TABLE write_behind_field");
    await (await writerOn()).commit([[key, alice]]);
  });

  test("a table of that name has other columns: broken", async () => {
    shell().exec("CREATE TABLE write_behind_kv (id INTEGER PRIMARY KEY, name TEXT)");
    const error = await failure(new SqliteStore(file).open({ logId: logA }));
    expect([error.kind, error.message]).toEqual(["broken", expect.stringContaining("column")]);
  });

  test("a database in UTF-16 is refused: its keys are in another order", async () => {
    shell().exec("PRAGMA encoding = 'UTF-16le'; CREATE TABLE mine (a)");
    const error = await failure(new SqliteStore(file).open({ logId: logA }));
    expect([error.kind, error.message]).toEqual(["broken", expect.stringContaining("UTF-16le")]);
  });

  test("there is no room: retryable", () => {
    const database = shell();
    database.exec("CREATE TABLE t (a); PRAGMA max_page_count = 10");
    const error = thrown(() => database.exec("INSERT INTO t VALUES (zeroblob(1000000))"));
    expect([error.kind, error.message]).toEqual(["retryable", expect.stringContaining("the disk is full")]);
  });

  test("the file is damaged: broken", async () => {
    const writer = await writerOn();
    await writer.commit(Array.from({ length: 2000 }, (_, n) => [bytesOfText(`k${n}`), alice] as const));
    await writer.store.close();
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0x5a, 8192));
    expect((await failure(new SqliteStore(file).read([key]))).kind).toBe("broken");
  });

  test("the file is deleted under a running writer: moved, not written to a file that nobody can open", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    for (const name of ["", "-wal", "-shm"]) rmSync(file + name, { force: true });
    const error = await failure(writer.store.commit(writer.batch([[key, alice]])));
    expect([error.kind, error.message]).toEqual(["moved", expect.stringContaining("replaced or deleted")]);
    expect((await failure(writer.store.read([key]))).kind).toBe("retryable");
    expect((await writer.store.open({ logId: logA })).position).toBe(null);
    expect(await writer.value(key)).toBe(null);
  });

  test("an older database is put in its place: moved, and opening shows the older position", async () => {
    const writer = await writerOn();
    const { to } = await writer.commit([[key, alice]]);
    shell().exec(`VACUUM INTO '${join(folder, "backup.db")}'`);
    await writer.commit([[key, replace(bytesOfText("Bob"))]]);
    expect(await writer.value(key)).toEqual({ content: "Bob", expiresAt: null });
    for (const name of ["", "-wal", "-shm"]) rmSync(file + name, { force: true });
    renameSync(join(folder, "backup.db"), file);
    expect((await failure(writer.store.commit(writer.batch([[key, remove]])))).kind).toBe("moved");
    expect(await writer.value(key)).toEqual({ content: "Alice", expiresAt: null });
    expect((await writer.store.open({ logId: logA })).position).toEqual(to);
  });

  test("a lock that lasts uses up no file descriptors, and the claim outlives it", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    const database = shell();
    database.exec("BEGIN IMMEDIATE");
    const before = filesOpen();
    for (let n = 0; n < 5; n++) {
      expect((await failure(writer.store.commit(writer.batch([])))).kind).toBe("retryable");
      expect((await failure(writer.store.open({ logId: logA }))).kind).toBe("retryable");
    }
    expect(filesOpen()).toBe(before);
    database.exec("ROLLBACK");
    await writer.commit([[key, remove]]);
    expect((await writer.store.open({ logId: logA })).generation).toBeGreaterThan(writer.generation);
  });

  test("where the file went back a claim still has a number that none had before", async () => {
    const { store, generation } = await writerOn();
    shell().exec("UPDATE write_behind_position SET generation = 0");
    expect((await store.open({ logId: logA })).generation).toBeGreaterThanOrEqual(generation);
  });

  /** Files of this test that the process has open; 0 where the system does not tell. */
  function filesOpen(): number {
    if (!existsSync("/proc/self/fd")) return 0;
    return readdirSync("/proc/self/fd").filter((fd) => targetOf(`/proc/self/fd/${fd}`).startsWith(folder)).length;
  }

  function targetOf(link: string): string {
    try {
      return readlinkSync(link);
    } catch {
      return "";
    }
  }

  test("after close the file is the whole database: it can be copied by itself", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    await writer.store.close();
    copyFileSync(file, join(folder, "copy.db"));
    expect(shell(join(folder, "copy.db")).rows("SELECT value FROM write_behind_kv")).toEqual(["Alice"]);
  });

  test("read before anybody has written: not `absent` but retryable, and no file is made", async () => {
    const store = new SqliteStore(file);
    open.push(store);
    expect((await failure(store.read([key]))).kind).toBe("retryable");
    expect((await failure(store.scan(null, 10, 0))).kind).toBe("retryable");
    expect(existsSync(file)).toBe(false);
    shell().exec("CREATE TABLE mine (a)");
    expect((await failure(store.read([key]))).kind).toBe("retryable");
    await writerOn();
    expect(await store.read([key])).toEqual([null]);
  });

  test("the message of a refused queue says who is there and what to do", async () => {
    await writerOn();
    const error = new SqliteStore(file).open({ logId: logB });
    await expect(error).rejects.toMatchObject({
      code: "TABLES_IN_USE",
      message: expect.stringContaining(`the queue ${logA} writes to the tables in ${file} (last seen `) as string,
      hint: expect.stringContaining("stop the other process") as string,
    });
  });
});

describe("codes", () => {
  const table: readonly (readonly [number, StoreErrorKind])[] = [
    [1, "broken"],
    [3, "broken"],
    [5, "retryable"],
    [5 | (2 << 8), "retryable"],
    [6, "retryable"],
    [7, "retryable"],
    [8, "broken"],
    [1032, "moved"],
    [10, "retryable"],
    [10 | (4 << 8), "retryable"],
    [11, "broken"],
    [13, "retryable"],
    [14, "broken"],
    [15, "retryable"],
    [17, "retryable"],
    [18, "refused"],
    [19, "refused"],
    [1555, "refused"],
    [787, "refused"],
    [20, "refused"],
    [23, "broken"],
    [26, "broken"],
    [99, "broken"],
  ];
  for (const [errcode, kind] of table) {
    test(`${errcode} is ${kind}`, () => {
      const error = storeErrorOf(Object.assign(new Error("it"), { errcode }), "app.db") as StoreError;
      expect([error.kind, error.message]).toEqual([kind, expect.stringMatching(/^the database app\.db .*\(it\)$/)]);
    });
  }

  test("no file descriptor is left: retryable", () => {
    const error = Object.assign(new Error("it"), { errcode: 14, systemErrno: 24 });
    expect((storeErrorOf(error, file) as StoreError).kind).toBe("retryable");
  });

  test("a fault of our own stays what it is", () => {
    const error = new TypeError("x is not a function");
    expect(storeErrorOf(error, file)).toBe(error);
  });
});

describe("the descriptor", () => {
  test("names the module, the whole path, and its own thread for reads", () => {
    const descriptor = sqlite({ file: "app.db" });
    expect(descriptor).toEqual({
      kind: "sqlite",
      module: new URL("../src/store/sqlite/index.js", import.meta.url).href,
      options: { file: join(process.cwd(), "app.db") },
      limits: { keyBytesMax: 65_536, valueBytesMax: 2 ** 28 },
      reads: "thread",
    });
    expect(structuredClone(descriptor)).toEqual(descriptor);
    expect(createStore(descriptor.options).place).toBe(join(process.cwd(), "app.db"));
  });

  test("refuses what is no path, and a database that ends with its connection", () => {
    for (const file of ["", ":memory:", "file:app.db?mode=memory", "a\0b", undefined, 7]) {
      expect(() => sqlite({ file: file as string })).toThrow(expect.objectContaining({ code: "CONFIG" }));
    }
    expect(() => createStore(null)).toThrow(expect.objectContaining({ code: "CONFIG" }));
  });

  test("a file name may hold anything", async () => {
    const strange = join(folder, "a b?mode=ro#%20é'.db");
    const writer = await writerOn(strange);
    await writer.commit([[key, alice]]);
    expect(existsSync(strange)).toBe(true);
  });
});

test("createTables: false makes neither file nor table, says what to run, and works once that was run", async () => {
  const { options } = sqlite({ file, createTables: false });
  const store = createStore(options);
  open.push(store);
  await expect(store.open({ logId: logA })).rejects.toMatchObject({ kind: "broken" });
  expect(existsSync(file)).toBe(false);
  const database = new DatabaseSync(file);
  open.push(database);
  const error = await store.open({ logId: logA }).catch((thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({ name: "StoreError", kind: "broken" });
  expect((error as Error).message).toContain(`this makes them:\n${ownTablesSql()}`);
  expect(database.prepare("SELECT name FROM sqlite_master").all()).toEqual([]);
  database.exec(ownTablesSql());
  expect(await store.open({ logId: logA })).toMatchObject({ position: null });
});
