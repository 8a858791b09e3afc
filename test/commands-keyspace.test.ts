/** SCAN, KEYS, DBSIZE and RANDOMKEY, true for records in memory, in the database only, on their way, and parked. */
import { join } from "node:path";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { sqlite } from "../src/store/sqlite/index.js";
import { inFolder } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";
import { allKeys, scanned } from "./keyspace-kit.js";
import { Database, routes, tables } from "./routes-kit.js";
import { serveEngine, serveOver, testFolder, type Engine } from "./server-setup.js";
import { startRedis, type RunningServer } from "./servers.js";
import { describeWith } from "./with-programs.js";

/** A client of this port that ends with the test. */
function clientOf(port: number): Redis {
  const client = new Redis({ port, host: "127.0.0.1" });
  onTestFinished(() => client.disconnect());
  return client;
}

async function served(engine: Readonly<Record<string, unknown>> = {}, data = testFolder()): Promise<[Engine, Redis]> {
  const running = await serveEngine(data, { durability: "os", ...engine });
  onTestFinished(() => running.stop());
  return [running, clientOf(running.port)];
}

describe("over all keys", () => {
  test("nothing", async () => {
    const [, client] = await served();
    expect(await allKeys(client)).toEqual([]);
  });

  test("what is pending, removed and expired, before the database has it", async () => {
    const [{ heart }, client] = await served();
    await client.mset("a", "1", "b", "1", "c", "1", "d", "1");
    await client.hset("h", "f", "1");
    await heart.flush();
    await heart.pause();
    await client.del("b");
    await client.set("c", "2", "PX", 1);
    await client.persist("d");
    await client.set("e", "1");
    await expect.poll(() => client.exists("c")).toBe(0);
    expect(await allKeys(client)).toEqual(["a", "d", "e", "h"]);
    await heart.resume();
    await heart.flush();
    expect(await allKeys(client)).toEqual(["a", "d", "e", "h"]);
  });

  test("a row with an end that was taken away before it came", async () => {
    const [{ heart }, client] = await served();
    await client.set("a", "1", "PX", 300);
    const endsAt = Date.now() + 300;
    await heart.flush();
    await heart.pause();
    expect(await client.persist("a")).toBe(1);
    await expect.poll(() => Date.now() > endsAt).toBe(true);
    expect(await allKeys(client)).toEqual(["a"]);
  });

  test("what only the database has, after a start, with other writes beside it", async () => {
    const data = testFolder();
    const first = await serveEngine(data, { durability: "os" });
    const before = clientOf(first.port);
    const names = Array.from({ length: 500 }, (_, at) => `key:${at}`);
    for (const name of names) void before.set(name, "x");
    await before.set("ends", "x", "PX", 1);
    before.disconnect();
    await first.stop();
    const [, client] = await served({}, data);
    await client.set("new", "1");
    await client.del("key:7");
    const expected = [...names.filter((name) => name !== "key:7"), "new"].toSorted();
    expect(await allKeys(client)).toEqual(expected);
    expect((await client.keys("key:1?")).toSorted()).toEqual(expected.filter((name) => /^key:1.$/.test(name)));
    expect(await client.get("key:3")).toBe("x");
  });

  test("a FLUSHALL that the database has not seen", async () => {
    const [{ heart }, client] = await served();
    await client.mset("a", "1", "b", "1");
    await heart.flush();
    await heart.pause();
    await client.flushall();
    await client.set("b", "2");
    expect(await allKeys(client)).toEqual(["b"]);
    await heart.resume();
    await heart.flush();
    expect(await allKeys(client)).toEqual(["b"]);
  });

  test("a walk goes on over removals and FLUSHALL", async () => {
    const [, client] = await served();
    for (let at = 0; at < 100; at++) void client.set(`k${at}`, "x");
    const [cursor, some] = (await client.call("SCAN", "0", "COUNT", "10")) as [string, string[]];
    expect(some).toHaveLength(10);
    await client.flushall();
    expect(await client.call("SCAN", cursor, "COUNT", "1000")).toEqual(["0", []]);
  });

  test("TYPE, also of what is in the database only", async () => {
    const data = testFolder();
    const first = await serveEngine(data, { durability: "os" });
    const before = clientOf(first.port);
    await before.mset("s1", "1", "s2", "1");
    await before.hset("h1", "f", "1");
    before.disconnect();
    await first.stop();
    const [, client] = await served({}, data);
    expect((await scanned(client, "TYPE", "string")).toSorted()).toEqual(["s1", "s2"]);
    expect(await scanned(client, "TYPE", "HASH")).toEqual(["h1"]);
    expect(await scanned(client, "TYPE", "zset")).toEqual([]);
  });

  test("the same cursor twice, and one that nobody has given", async () => {
    const [, client] = await served();
    await client.mset("a", "1", "b", "1", "c", "1");
    const [cursor] = (await client.call("SCAN", "0", "COUNT", "1")) as [string, string[]];
    const rest = await client.call("SCAN", cursor, "COUNT", "1");
    expect(((await client.call("SCAN", cursor, "COUNT", "1")) as unknown[])[1]).toEqual((rest as unknown[])[1]);
    await expect(client.call("SCAN", "77")).rejects.toThrow("ERR unknown cursor 77");
    await expect(client.call("SCAN", "77")).rejects.toThrow("begin again with 0");
  });

  test("refused in a transaction, which then is none", async () => {
    const [, client] = await served();
    await client.call("MULTI");
    await expect(client.call("DBSIZE")).rejects.toThrow("inside a transaction");
    await expect(client.call("EXEC")).rejects.toThrow("EXECABORT");
  });
});

test("over all keys of a server that was killed and started again", () =>
  inFolder(async (data) => {
    const flags = ["--data", data, "--durability", "os"];
    const names = Array.from({ length: 300 }, (_, at) => `key:${at}`).toSorted();
    const killed = new ServerProcess(flags);
    expect(await killed.ready()).toBe(true);
    const before = clientOf(killed.port);
    for (const name of names) void before.set(name, "x");
    await before.call("WAIT", 1, 0);
    await before.set("last", "1");
    before.disconnect();
    await killed.end("SIGKILL");
    const again = new ServerProcess(flags);
    try {
      expect(await again.ready()).toBe(true);
      const client = clientOf(again.port);
      expect(await allKeys(client)).toEqual([...names, "last"]);
      expect(await client.get("key:7")).toBe("x");
    } finally {
      await again.end("SIGKILL");
    }
  }));

describe("over all keys of routes", () => {
  const file = (data: string): string => join(data, "app.db");

  async function routed(engine: Readonly<Record<string, unknown>> = {}): Promise<[Engine, Redis, Database]> {
    const data = testFolder();
    const db = new Database(file(data));
    db.run(tables);
    db.run("INSERT INTO users (id, name) VALUES (10, 'Ada'), (9, 'Bob'); INSERT INTO plain VALUES ('p', 'a', 1)");
    db.run("INSERT INTO notes VALUES (1, 'here', NULL), (2, 'gone', 1); INSERT INTO sessions VALUES ('s', 'ada', 1)");
    const running = await serveOver(
      { store: sqlite({ file: db.file }) },
      { data, routes, durability: "os", ...engine },
    );
    onTestFinished(() => running.stop());
    return [running, clientOf(running.port), db];
  }

  test("a row is one key, that of the whole row, wherever it is", async () => {
    const [{ heart }, client] = await routed();
    expect(await allKeys(client)).toEqual(["note:1", "plain:p", "user:10", "user:9"]);
    await heart.pause();
    await client.del("user:9");
    await client.hset("user:7", "name", "Eve");
    await client.set("user:10:age", "7");
    await client.set("own", "1");
    await client.set("tmp:x", "1");
    const now = ["note:1", "own", "plain:p", "tmp:x", "user:10", "user:7"];
    expect(await allKeys(client)).toEqual(now);
    await heart.resume();
    await heart.flush();
    expect(await allKeys(client)).toEqual(now);
    await client.del("tmp:x");
    expect(await allKeys(client)).toEqual(now.filter((key) => key !== "tmp:x"));
    expect((await scanned(client, "MATCH", "user:*", "TYPE", "hash")).toSorted()).toEqual(["user:10", "user:7"]);
  });

  test("rows of the own tables whose keys lead elsewhere by now are left out", async () => {
    const [, client, db] = await routed();
    await client.set("own", "1");
    const row = (key: string): void =>
      db.run(`INSERT INTO write_behind_kv (key, type, value) VALUES ('${key}', 'string', 'x')`);
    for (const key of ["tmp:old", "user:77", "user:x", "fine"]) row(key);
    expect(await allKeys(client)).toEqual(["fine", "note:1", "own", "plain:p", "user:10", "user:9"]);
  });

  test("where only columns have keys, a row is the one with {column} in it", async () => {
    const only = [{ key: "user:{id}:{column}", table: "users" }];
    const [, client] = await routed({ routes: only, unrouted: "refuse" });
    expect(await allKeys(client)).toEqual(["user:10:{column}", "user:9:{column}"]);
    expect(await client.type("user:9:{column}")).toBe("hash");
  });
});

describe("over all keys, some of them dead letters", () => {
  test("what was refused is there for those who read it, and what could not be removed is not", async () => {
    const data = testFolder();
    const [{ heart }, client] = await served({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000, delayMs: 0 }, data);
    await client.mset("kept", "1", "stays", "1");
    await heart.flush();
    const db = new Database(join(data, "write-behind.db"));
    db.run(`CREATE TRIGGER no_bad BEFORE INSERT ON write_behind_kv WHEN NEW.value = 'bad'
        BEGIN SELECT RAISE(ABORT, 'bad'); END;
      CREATE TRIGGER stays BEFORE DELETE ON write_behind_kv WHEN OLD.key = 'stays'
        BEGIN SELECT RAISE(ABORT, 'stays'); END`);
    await client.set("refused", "bad");
    await client.del("stays");
    expect((await heart.flush()).parked).toHaveLength(2);
    expect(await allKeys(client)).toEqual(["kept", "refused"]);
    const { items } = await heart.deadLetters.discard("all");
    expect(items).toHaveLength(2);
    expect(await allKeys(client)).toEqual(["kept", "stays"]);
  });
});

describeWith(["redis-server"], "the same keys as redis-server", () => {
  let redis: RunningServer;
  beforeAll(async () => {
    redis = await startRedis(["--databases", "1"]);
  });
  afterAll(() => redis.stop());

  const byte = fc.constantFrom("a", "b", "c", "é", "\r", "*", "0", "");
  const key = fc.tuple(byte, byte, byte).map((parts) => parts.join(""));
  const write = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constantFrom("SET"), key, fc.constant("1")) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom("HSET"), key, fc.constant("f"), fc.constant("1")) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom("DEL", "PERSIST"), key) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom("EXPIRE"), key, fc.constantFrom("1000", "-1")) },
    { weight: 1, arbitrary: fc.constantFrom(["FLUSHALL"], ["forget"], ["pause"], ["resume"]) },
  );
  const pattern = fc.constantFrom("*", "a*", "?b?", "[^a]*", "*\\**", "é*", "", "[", "a");
  const type = fc.constantFrom("string", "hash", "list", "STRING");

  test("however far the database has come", { timeout: 120_000 }, async () => {
    const data = testFolder();
    let engine: Engine | null = null;
    const theirs = clientOf(redis.port);
    const check = fc.asyncProperty(
      fc.array(write, { maxLength: 30 }),
      fc.array(fc.tuple(pattern, type, fc.integer({ min: 1, max: 12 })), { maxLength: 3 }),
      async (writes, questions) => {
        engine ??= await serveEngine(data, { durability: "os", delayMs: 2 });
        let ours = new Redis({ port: engine.port, host: "127.0.0.1" });
        try {
          for (const client of [ours, theirs]) await client.flushall();
          for (const [name, ...args] of writes) {
            if (name === "pause" || name === "resume") await engine.heart[name]();
            else if (name === "forget") {
              ours.disconnect();
              await engine.heart.resume();
              await engine.stop();
              engine = await serveEngine(data, { durability: "os", delayMs: 2 });
              ours = new Redis({ port: engine.port, host: "127.0.0.1" });
            } else for (const client of [ours, theirs]) await client.call(name as string, ...args).catch(() => {});
          }
          expect(await ours.dbsize()).toBe(await theirs.dbsize());
          expect((await ours.keys("*")).toSorted()).toEqual((await theirs.keys("*")).toSorted());
          for (const [match, kind, count] of questions) {
            expect((await ours.keys(match)).toSorted()).toEqual((await theirs.keys(match)).toSorted());
            const options = ["MATCH", match, "TYPE", kind, "COUNT", count] as const;
            const [here, there] = await Promise.all([ours, theirs].map((client) => scanned(client, ...options)));
            expect(here?.toSorted()).toEqual(there?.toSorted());
          }
          const any = await ours.randomkey();
          if ((await theirs.dbsize()) === 0) expect(any).toBeNull();
          else expect(await theirs.exists(any as string)).toBe(1);
        } finally {
          ours.disconnect();
          await engine.heart.resume();
        }
      },
    );
    try {
      await fc.assert(check, { numRuns: Number(process.env["DIFFERENTIAL_RUNS"] ?? 1500) / 50 });
    } finally {
      await (engine as Engine | null)?.stop();
    }
  });
});
