/**
 * SQLite under a running engine: locked, full, away, exchanged, emptied, bent. Each fault has its state and says what
 * to do, clients are served meanwhile, nothing is lost, and it goes on without a restart. Real files, real threads.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { sqlite, type Status } from "../src/index.js";
import type { WriteBehind } from "../src/library/library.js";
import { defaultOptions } from "../src/options.js";
import { startLogAt } from "../src/queue/journal/start.js";
import { SqliteConnection } from "../src/store/sqlite/sqlite-connection.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();
const eventually = { timeout: 15_000, interval: 5 };
const quick = { retryMinMs: 1, retryMaxMs: 20 };
const shells: DatabaseSyncInstance[] = [];

afterEach(() => {
  for (const shell of shells.splice(0)) shell.close();
});

/** Another program's connection to a database. */
function shell(file: string): DatabaseSyncInstance {
  const opened = new DatabaseSync(file, { timeout: 10_000 });
  shells.push(opened);
  return opened;
}

function rows(file: string): Record<string, unknown> {
  const opened = new DatabaseSync(file, { readOnly: true });
  try {
    const found = opened.prepare("SELECT key, value FROM write_behind_kv ORDER BY key").all() as {
      key: string;
      value: string;
    }[];
    return Object.fromEntries(found.map(({ key, value }) => [key, value]));
  } finally {
    opened.close();
  }
}

/** A database file is more than one file. */
function move(from: string, to: string): void {
  for (const name of ["", "-wal", "-shm"]) rmSync(to + name, { force: true });
  for (const name of ["-wal", "-shm", ""]) {
    try {
      renameSync(from + name, to + name);
    } catch {
      // A database that was closed has one file only.
    }
  }
}

/** What a person sees who looks at it. */
async function untilStore(wb: WriteBehind, state: Status["store"]["state"], error: RegExp): Promise<void> {
  await expect
    .poll(() => wb.status().store, eventually)
    .toMatchObject({ state, error: expect.stringMatching(error) as string });
}

/** It works again, and everything is in the file: without a restart. */
async function wellAgain(wb: WriteBehind, file: string, expected: Record<string, string>): Promise<void> {
  await wb.flush();
  await expect
    .poll(() => wb.status(), eventually)
    .toMatchObject({
      state: "running",
      reason: null,
      store: { state: "up", error: null, nextTryAt: null },
      queue: { pendingChanges: 0, pendingRecords: 0, pendingBytes: 0, oldestAgeMs: 0 },
    });
  expect(rows(file)).toEqual(expected);
}

interface Place {
  readonly data: string;
  readonly file: string;
}

function place(): Place {
  const data = folder();
  mkdirSync(join(data, "db"));
  return { data, file: join(data, "db", "app.db") };
}

/** A queue and its database with `a` = 1 and `b` = 1 in it, closed: nothing of it is in memory any more. */
async function written(): Promise<Place> {
  const { data, file } = place();
  const wb = await start(sqlite({ file }), { data });
  await wb.set("a", 1);
  await wb.set("b", 1);
  await wb.flush();
  await wb.close();
  return { data, file };
}

describe("the database cannot take a commit", () => {
  test("locked by another program for long: down, reads and writes go on, stored when it is free", async () => {
    const { data, file } = await written();
    const wb = await start(sqlite({ file }), { data, ...quick });
    const other = shell(file);
    other.exec("BEGIN IMMEDIATE");
    await wb.set("a", 2);
    await untilStore(wb, "down", /is locked by another connection/);
    expect(wb.status()).toMatchObject({ state: "running", queue: { pendingChanges: 1, pendingRecords: 1 } });
    expect(wb.status().store.nextTryAt).toBeGreaterThan(0);
    await wb.set("c", 1);
    // A cold read, too: who writes keeps no reader out.
    expect(await wb.getMany(["a", "b", "c"])).toEqual(["2", "1", "1"]);
    other.exec("ROLLBACK");
    await wellAgain(wb, file, { a: "2", b: "1", c: "1" });
  });

  test("slow: nobody waits for a commit, neither who writes nor who reads, warm or cold", async () => {
    const { data, file } = await written();
    const wb = await start(sqlite({ file }), { data, ...quick });
    shell(file).exec(`
      CREATE VIEW counting AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000000)
        SELECT n FROM c;
      CREATE TRIGGER slow AFTER INSERT ON write_behind_kv WHEN NEW.key = 'slow'
        BEGIN SELECT count(*) FROM counting; END;
    `);
    let committed = false;
    wb.on("batch", () => (committed = true));
    await wb.set("slow", 1);
    expect(await wb.getMany(["slow", "a", "b"])).toEqual(["1", "1", "1"]);
    await wb.set("c", 1);
    expect(await wb.get("c")).toBe("1");
    expect(committed).toBe(false);
    await wellAgain(wb, file, { a: "1", b: "1", c: "1", slow: "1" });
  });

  test("full: down, and stored when there is room again", async () => {
    const file = join(folder(), "app.db");
    const connections: SqliteConnection[] = [];
    const { forWriting } = SqliteConnection;
    const spy = vi.spyOn(SqliteConnection, "forWriting").mockImplementation((...args) => {
      const connection = forWriting.apply(SqliteConnection, args);
      connections.push(connection);
      return connection;
    });
    const wb = await start(new SqliteStore(file), quick);
    spy.mockRestore();
    await wb.set("small", 1);
    await wb.flush();
    connections.at(-1)?.exec("PRAGMA max_page_count = 20");
    await wb.set("large", "x".repeat(200_000));
    await untilStore(wb, "down", /cannot grow: the disk is full/);
    await wb.set("small", 2);
    expect(rows(file)).toEqual({ small: "1" });
    connections.at(-1)?.exec("PRAGMA max_page_count = 100000");
    await wellAgain(wb, file, { small: "2", large: "x".repeat(200_000) });
  });

  test("a column is missing: broken, and it goes on when it is there again", async () => {
    const { data, file } = await written();
    const wb = await start(sqlite({ file }), { data, ...quick });
    const reasons: string[] = [];
    wb.on("stalled", ({ reason }) => reasons.push(reason));
    shell(file).exec("ALTER TABLE write_behind_kv RENAME COLUMN value TO renamed");
    await wb.set("a", 2);
    await untilStore(wb, "broken", /a table or column is missing/);
    expect(wb.status()).toMatchObject({ state: "broken", reason: expect.stringContaining("value") as string });
    expect(reasons[0]).toContain("a table or column is missing");
    expect(await wb.get("a")).toBe("2");
    shell(file).exec("ALTER TABLE write_behind_kv RENAME COLUMN renamed TO value");
    await wellAgain(wb, file, { a: "2", b: "1" });
  });

  test("a table was dropped: broken, never made anew without a word; it goes on when a person has made it", async () => {
    const { data, file } = await written();
    const wb = await start(sqlite({ file }), { data, ...quick });
    shell(file).exec("ALTER TABLE write_behind_kv RENAME TO taken_away");
    await wb.set("a", 2);
    await untilStore(
      wb,
      "broken",
      /write_behind_kv in the database .* is gone, and the rows with them: bring them back/,
    );
    // What is in memory is answered, what is not is not said to be absent.
    expect(await wb.get("a")).toBe("2");
    await expect(wb.get("b")).rejects.toMatchObject({ code: "STORE_DOWN" });
    shell(file).exec("ALTER TABLE taken_away RENAME TO write_behind_kv");
    await wellAgain(wb, file, { a: "2", b: "1" });
    expect(await wb.get("b")).toBe("1");
  });

  test("the position was dropped: what the queue has kept is written again", async () => {
    const { data, file } = await written();
    const wb = await start(sqlite({ file }), { data, ...quick });
    const warnings: string[] = [];
    wb.on("warning", ({ text }) => warnings.push(text));
    shell(file).exec("DROP TABLE write_behind_position");
    await wb.set("a", 2);
    await wellAgain(wb, file, { a: "2", b: "1" });
    expect(warnings[0]).toContain("the database went back from");
  });
});

describe("the database is away at the start", () => {
  test("it is served from the journal, and goes on when the folder is there again", async () => {
    const { data, file } = await written();
    const first = await start(sqlite({ file }), { data });
    await first.pause();
    await first.set("a", 2);
    await first.close();
    move(join(data, "db"), join(data, "away"));
    const wb = await start(sqlite({ file }), { data, ...quick });
    await untilStore(wb, "broken", /cannot be opened: its folder does not exist/);
    expect(wb.status()).toMatchObject({
      store: { kind: "sqlite" },
      queue: { durability: "disk", stored: null, exactUpTo: null },
    });
    await wb.resume();
    await wb.set("c", 3);
    expect(await wb.getMany(["a", "c"])).toEqual(["2", "3"]);
    move(join(data, "away"), join(data, "db"));
    await wellAgain(wb, file, { a: "2", b: "1", c: "3" });
  });

  test("a first start with no database to be had ends with what is wrong, and leaves the folder free", async () => {
    const { data } = place();
    const nowhere = sqlite({ file: join(data, "nowhere", "app.db") });
    const opening = start(nowhere, { data });
    await expect(opening).rejects.toMatchObject({
      code: "STORE_DOWN",
      message: expect.stringContaining("its folder does not exist") as string,
    });
    mkdirSync(join(data, "nowhere"));
    const wb = await start(nowhere, { data });
    await wb.set("a", 1);
    await wellAgain(wb, join(data, "nowhere", "app.db"), { a: "1" });
  });
});

describe("the database is exchanged under a running engine", () => {
  /** `a` = 1 is in the backup; the database has `a` = 2 and `c` = 2 when the engine is started anew. */
  async function withBackup(): Promise<Place & { backup: string; wb: WriteBehind }> {
    const { data, file } = await written();
    const backup = join(data, "backup.db");
    const first = await start(sqlite({ file }), { data });
    shell(file).exec(`VACUUM INTO '${backup}'`);
    await first.set("a", 2);
    await first.set("c", 2);
    await first.flush();
    await first.close();
    const wb = await start(sqlite({ file }), { data, ...quick });
    return { data, file, backup, wb };
  }

  test("by a backup, as another file: the next commit finds it, and the queue writes again what it lacks", async () => {
    const { file, backup, wb } = await withBackup();
    const warnings: string[] = [];
    wb.on("warning", ({ text }) => warnings.push(text));
    move(backup, file);
    await wb.set("d", 4);
    await wellAgain(wb, file, { a: "2", b: "1", c: "2", d: "4" });
    expect(warnings).toEqual([expect.stringMatching(/went back .* 2 frames of the queue are written again/)]);
  });

  test("by a backup, into the same file: a cold read finds it, and is never answered with the older value", async () => {
    const { file, backup, wb } = await withBackup();
    const other = shell(file);
    other.exec(`ATTACH '${backup}' AS backup; BEGIN IMMEDIATE`);
    for (const table of ["write_behind_kv", "write_behind_position"]) {
      other.exec(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM backup.${table}`);
    }
    other.exec("COMMIT");
    expect(rows(file)).toEqual({ a: "1", b: "1" });
    // Nothing was written since, and the writer is idle: it is the read that notices.
    expect(await wb.get("a")).toBe("2");
    expect(await wb.get("c")).toBe("2");
    await wellAgain(wb, file, { a: "2", b: "1", c: "2" });
  });

  test("by another queue's database: broken, nothing of it is read, and it goes on with the right one", async () => {
    const foreign = await written();
    const { data, file, wb } = await withBackup();
    move(file, join(data, "right.db"));
    move(foreign.file, file);
    await wb.set("d", 4);
    await untilStore(wb, "broken", /one of them is foreign/);
    await expect(wb.get("b")).rejects.toMatchObject({ code: "STORE_DOWN" });
    expect(rows(file)).toEqual({ a: "1", b: "1" });
    move(join(data, "right.db"), file);
    await wellAgain(wb, file, { a: "2", b: "1", c: "2", d: "4" });
    expect(await wb.get("b")).toBe("1");
  });

  test("by something that is no database: broken, and it goes on with the right one", async () => {
    const { data, file, wb } = await withBackup();
    move(file, join(data, "right.db"));
    writeFileSync(file, "This is a text and not a database.\n".repeat(50));
    await wb.set("d", 4);
    await untilStore(wb, "broken", /is not an SQLite database/);
    move(join(data, "right.db"), file);
    await wellAgain(wb, file, { a: "2", b: "1", c: "2", d: "4" });
  });

  test("deleted: a new file gets everything that the queue has kept", async () => {
    const { data, file, wb } = await withBackup();
    move(file, join(data, "thrown-away.db"));
    // A read finds it first, and is not told that there is no such record.
    expect(await wb.get("a")).toBe("2");
    await wb.set("d", 4);
    await wellAgain(wb, file, { a: "2", b: "1", c: "2", d: "4" });
  });

  test("deleted, and the queue has not kept all: named and not guessed at; it goes on with a backup", async () => {
    const { data, file } = place();
    const backup = join(data, "backup.db");
    const wb = await start(sqlite({ file }), { data, ...quick, segmentBytes: "64kb", retainBytes: 0 });
    for (let n = 0; n < 40; n++) await wb.set(`big${n % 4}`, "x".repeat(10_000));
    await wb.flush();
    shell(file).exec(`VACUUM INTO '${backup}'`);
    move(file, join(data, "thrown-away.db"));
    await wb.set("small", 1);
    await untilStore(wb, "broken", /the journal begins at|is asked for/);
    move(backup, file);
    await wb.flush();
    expect(Object.keys(rows(file))).toEqual(["big0", "big1", "big2", "big3", "small"]);
    expect(wb.status()).toMatchObject({ state: "running", store: { state: "up" } });
  });
});

test("an adopted folder beside an emptied database: what came before its first frame is missing, and that is said", async () => {
  const { file } = await written();
  const data = folder();
  const position = shell(file).prepare("SELECT log_id, sequence, tag FROM write_behind_position").get() as {
    log_id: string;
    sequence: number;
    tag: number;
  };
  const base = { logId: position.log_id, sequence: position.sequence, tag: position.tag };
  const logId = await startLogAt(nodeHost(), join(data, "journal"), base, defaultOptions());
  const store = new SqliteStore(file);
  await store.open({ logId, adopt: { ...base, logId } });
  await store.close();
  const wb = await start(sqlite({ file }), { data });
  await wb.set("c", 3);
  await wellAgain(wb, file, { a: "1", b: "1", c: "3" });
  await wb.close();
  move(file, `${file}.away`);
  await expect(start(sqlite({ file }), { data })).rejects.toMatchObject({
    code: "QUEUE_MISMATCH",
    message: expect.stringContaining(`this queue begins at frame ${base.sequence + 1}`) as string,
  });
});

test("every commit is whole: whoever looks into the file sees transactions entirely or not at all", async () => {
  const { data, file } = await written();
  const wb = await start(sqlite({ file }), { data, batchRecords: 1 });
  const both = shell(file).prepare("SELECT group_concat(value) AS seen FROM write_behind_kv WHERE key IN ('a', 'b')");
  const seen = new Set<unknown>();
  let writing = true;
  const observer = (async () => {
    while (writing) {
      seen.add((both.get() as { seen: unknown }).seen);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let n = 2; n <= 60; n++) {
    await wb.setMany([
      ["a", n],
      ["b", n],
    ]);
    if (n % 10 === 0) await wb.flush();
  }
  writing = false;
  await observer;
  // Whatever moments were seen, each is one of the transactions.
  for (const moment of seen) expect(moment).toMatch(/^(\d+),\1$/);
  expect(seen.size).toBeGreaterThan(1);
  expect(rows(file)).toEqual({ a: "60", b: "60" });
});

describe("clocks", () => {
  test("a jump back: log time stands still, and what was written then ends no earlier than it should", async () => {
    const file = join(folder(), "app.db");
    const { host, shift } = shiftedHost();
    const wb = await start(new SqliteStore(file), quick, host);
    await wb.set("before", 1);
    await wb.flush();
    shift(-3_600_000);
    await wb.set("minute", 1, { ttlMs: 60_000 });
    await wb.set("after", 1);
    await wb.flush();
    expect(await wb.get("minute")).toBe("1");
    expect(rows(file)).toEqual({ after: "1", before: "1", minute: "1" });
    const [row] = shell(file).prepare("SELECT expires_at FROM write_behind_kv WHERE key = 'minute'").all();
    expect(Number((row as { expires_at: unknown }).expires_at)).toBeGreaterThan(Date.now());
    // By the log's time an hour goes by until the clock is where it was; then the row's time comes.
    shift(120_000);
    expect(await wb.get("minute")).toBeNull();
    await wb.set("moves the log's time on", 1);
    await wb.flush();
    await expect.poll(() => Object.keys(rows(file)), eventually).not.toContain("minute");
  });

  function shiftedHost(): { host: Host; shift(ms: number): void } {
    const host = nodeHost();
    let offset = 0;
    const clock: Host["clock"] = { ...host.clock, now: () => host.clock.now() + offset };
    return { host: { ...host, clock }, shift: (ms) => (offset = ms) };
  }

  test("expired rows are swept up to the log's time, and a jump forward stops that and is said", async () => {
    const file = join(folder(), "app.db");
    const { host, shift } = shiftedHost();
    const wb = await start(new SqliteStore(file), quick, host);
    const warnings: string[] = [];
    wb.on("warning", ({ text }) => warnings.push(text));
    await wb.set("minute", 1, { ttlMs: 60_000 });
    await wb.set("days", 1, { ttlMs: 3 * 86_400_000 });
    await wb.flush();
    // Two minutes later by the wall clock, but the log does not say so yet: the row stays, and is not given any more.
    shift(120_000);
    expect(await wb.get("minute")).toBeNull();
    expect(rows(file)).toEqual({ minute: "1", days: "1" });
    await wb.set("moves the log's time on", 1);
    await wb.flush();
    await expect.poll(() => Object.keys(rows(file)), eventually).toEqual(["days", "moves the log's time on"]);
    // Ten days in a moment: no clock does that, and what seems to have ended need not have.
    shift(10 * 86_400_000);
    await wb.set("written in the future", 1);
    await wb.flush();
    expect(warnings).toEqual([expect.stringContaining("a clock has jumped") as string]);
    expect(Object.keys(rows(file))).toContain("days");
  });
});
