/** Rows of a user's tables through the Redis protocol: what clients see, and the errors on the wire. */
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Route } from "../src/routes/route.js";
import { Database, routes, tables } from "./routes-kit.js";
import { serveEngine, testFolder } from "./server-setup.js";

/** A server over tables, and a client of it. */
async function served(options: Readonly<Record<string, unknown>> = {}, made = tables) {
  const folder = testFolder();
  const db = new Database(join(folder, "write-behind.db"));
  db.run(made);
  const { port, stop, heart } = await serveEngine(folder, { routes, ...options });
  onTestFinished(stop);
  const redis = new Redis({ port, host: "127.0.0.1", retryStrategy: () => null });
  onTestFinished(() => redis.disconnect());
  return { db, redis, heart };
}

/** The error that a command meets, as it is on the wire. */
async function errorOf(reply: Promise<unknown>): Promise<string> {
  return reply.then(
    (value) => `no error: ${JSON.stringify(value)}`,
    (error: unknown) => (error as Error).message,
  );
}

describe("commands on rows", () => {
  test("hashes are rows, strings are columns", async () => {
    const { db, redis } = await served();
    expect(await redis.hset("user:1", { name: "Ada", age: "007" })).toBe(2);
    expect(await redis.hget("user:1", "age")).toBe("7");
    expect(await redis.get("user:1:age")).toBe("7");
    expect(await redis.set("user:1:age", "+8")).toBe("OK");
    expect(await redis.incr("user:1:age")).toBe(9);
    expect(await redis.hincrby("user:1", "visits", 2)).toBe(2);
    expect(await redis.hmget("user:1", "name", "email", "visits")).toEqual(["Ada", null, "2"]);
    expect(await redis.set("user:1:name", "Bea", "GET")).toBe("Ada");
    expect(await redis.append("user:1:name", "!")).toBe(4);
    expect(await redis.set("user:1:name", "never", "NX")).toBeNull();
    await redis.set("user:1:email", "a@b");
    expect(await redis.hdel("user:1", "email", "email", "nope")).toBe(1);
    expect(await redis.del("user:1:email", "user:2:email", "user:2")).toBe(0);
    expect(await redis.mget("user:1:name", "user:1:email", "views:/a")).toEqual(["Bea!", null, null]);
    expect(await redis.incrby("views:/a", 5)).toBe(5);
    expect([await redis.type("user:1"), await redis.type("user:1:name"), await redis.type("user:1:email")]).toEqual([
      "hash",
      "string",
      "none",
    ]);
    expect(await redis.wait(1, 0)).toBe(1);
    expect(await redis.hgetall("user:1")).toEqual({ name: "Bea!", age: "9", visits: "2", loud: "BEA!" });
    expect(db.one("SELECT name, email, age, visits FROM users")).toEqual({
      name: "Bea!",
      email: null,
      age: 9,
      visits: 2,
    });
    expect(db.one("SELECT * FROM pages")).toEqual({ path: "/a", views: 5, kind: "page" });
    expect(await redis.del("user:1", "views:/a".replace("views", "page"))).toBe(2);
    expect(await redis.wait(1, 0)).toBe(1);
    expect([db.all("SELECT * FROM users"), db.all("SELECT * FROM pages")]).toEqual([[], []]);
  });

  test("floats and parts of columns: what is answered is what the column holds", async () => {
    const made = "CREATE TABLE prices (id INTEGER PRIMARY KEY, price REAL, name TEXT NOT NULL, until INTEGER)";
    const own: readonly Route[] = [
      { key: "price:{id}", table: "prices", columns: ["price", "name"], expiresAt: "until" },
      { key: "price:{id}:{column}", table: "prices" },
    ];
    const { db, redis } = await served({ routes: own }, made);
    await redis.set("price:1:name", "abc");
    expect(await redis.incrbyfloat("price:1:price", "0.1")).toBe("0.1");
    expect(await redis.incrbyfloat("price:1:price", "0.2")).toBe("0.3");
    expect(await redis.hincrbyfloat("price:1", "price", "1e25")).toBe("1e+25");
    expect(await redis.getset("price:1:price", "2")).toBe("1e+25");
    expect(await redis.getdel("price:1:price")).toBe("2");
    expect(await redis.getdel("price:1:price")).toBeNull();
    expect(await redis.setnx("price:1:price", "5")).toBe(1);
    expect(await redis.setnx("price:1:price", "6")).toBe(0);
    expect(await redis.msetnx("price:1:name", "x", "price:2:price", "1")).toBe(0);
    expect(await redis.setrange("price:1:name", 1, "xyz")).toBe(4);
    expect(await redis.getrange("price:1:name", 1, -2)).toBe("xy");
    expect(await redis.setbit("price:1:name", 6, 1)).toBe(0);
    expect(await redis.expire("price:1", 100)).toBe(1);
    expect(await errorOf(redis.getex("price:1:name", "EX", 10))).toMatch(/^WBVALUE /);
    expect(await errorOf(redis.setex("price:1:name", 10, "x"))).toMatch(/^WBVALUE /);
    expect(await errorOf(redis.getdel("price:1:name"))).toMatch(/^WBVALUE .*takes no NULL/);
    expect(await redis.wait(1, 0)).toBe(1);
    expect(db.all("SELECT id, price, name FROM prices")).toEqual([{ id: 1, price: 5, name: "cxyz" }]);
  });

  test("a row whose fields are all NULL exists and is a hash without fields", async () => {
    const { db, redis } = await served();
    db.run("INSERT INTO plain (id) VALUES ('db')");
    await redis.hset("plain:own", "a", "1");
    expect(await redis.hdel("plain:own", "a")).toBe(1);
    for (const key of ["plain:db", "plain:own"]) {
      expect(await redis.exists(key)).toBe(1);
      expect(await redis.type(key)).toBe("hash");
      expect(await redis.hgetall(key)).toEqual({});
      expect(await redis.hlen(key)).toBe(0);
      expect(await redis.ttl(key)).toBe(-1);
    }
    expect(await redis.wait(1, 0)).toBe(1);
    expect(db.all("SELECT id, a FROM plain ORDER BY id")).toEqual([
      { id: "db", a: null },
      { id: "own", a: null },
    ]);
    expect(await redis.del("plain:own")).toBe(1);
    expect(await redis.exists("plain:own", "plain:none")).toBe(0);
  });

  test("rows end where the route names a column for it", async () => {
    const { db, redis } = await served();
    await redis.hset("session:a", "who", "Ada");
    expect(await redis.ttl("session:a")).toBe(-1);
    expect(await redis.expire("session:a", 100)).toBe(1);
    expect(await redis.ttl("session:a")).toBe(100);
    expect(await redis.wait(1, 0)).toBe(1);
    expect(Number(db.one("SELECT until FROM sessions")?.["until"])).toBeGreaterThan(Date.now() + 50_000);
    expect(await redis.persist("session:a")).toBe(1);
    expect(await redis.expire("session:a", -1)).toBe(1);
    expect(await redis.exists("session:a")).toBe(0);
    expect(await redis.expire("session:a", 10)).toBe(0);
    expect(await redis.wait(1, 0)).toBe(1);
    expect(db.all("SELECT * FROM sessions")).toEqual([]);
  });

  test("transactions go over keys of one row", async () => {
    const { db, redis } = await served();
    const replies = await redis
      .multi()
      .hset("user:1", "age", 5)
      .set("user:1:name", "Ada")
      .incr("user:1:age")
      .set("user:1:age", "many")
      .hgetall("user:1")
      .set("tmp:a", "1")
      .exec();
    expect(replies?.map(([error, reply]) => error?.message.slice(0, 7) ?? reply)).toEqual([
      1,
      "OK",
      6,
      "WBVALUE",
      { name: "Ada", age: "6" },
      "OK",
    ]);
    expect(await redis.get("tmp:a")).toBe("1");
    expect(await redis.wait(1, 0)).toBe(1);
    expect(db.one("SELECT name, age FROM users")).toEqual({ name: "Ada", age: 6 });
  });

  test("a transaction that makes half a row is refused whole", async () => {
    const { redis, heart } = await served();
    const half = redis.multi().set("own", "1").set("tmp:a", "1").hset("user:1", "age", 5).exec();
    expect(await errorOf(half)).toMatch(/^WBVALUE .*name \(TEXT\) of users has no value and no default/);
    expect(await redis.exists("own", "user:1", "tmp:a")).toBe(0);
    expect(heart.accepted).toBe(0);
  });
});

describe("errors on the wire", () => {
  test("say what is wrong with key, column, type and value", async () => {
    const { redis, heart } = await served();
    await redis.hset("user:1", { name: "Ada" });
    const before = heart.accepted;
    const errors: readonly [command: string, error: RegExp][] = [
      ["set user:1:age abc", /^WBVALUE "user:1:age": "abc" for the column age \(INTEGER\) of users .+/],
      ["hset user:1 age 1.5", /^WBVALUE "user:1": "1.5" for the column age/],
      ["hset user:1 nope 1", /^WBVALUE "user:1": the table users has no column nope \(fields are name, /],
      ["hset user:1 id 1", /^WBVALUE "user:1": the column id of users is its key and no field/],
      ["hset user:1 loud 1", /^WBVALUE .*worked out by the database/],
      ["get user:1:nope", /^WBVALUE "user:1:nope": the table users has no column nope/],
      ["get user:01", /^WBVALUE "user:01": "01" for the column id \(INTEGER\) is written "1"/],
      ["exists user:1 user:x", /^WBVALUE "user:x"/],
      ["hdel user:1 name", /^WBVALUE .*name \(TEXT\) of users takes no NULL/],
      ["del user:1:name", /^WBVALUE .*takes no NULL/],
      ["hset user:2 age 1", /^WBVALUE "user:2": the column name .*no value and no default/],
      ["expire user:1 10", /^WBVALUE "user:1": rows of users do not expire \(name a column for it: expiresAt/],
      ["set user:1:name x EX 10", /^WBVALUE /],
      ["flushall", /^WBVALUE FLUSHALL and FLUSHDB are refused: routes map tables/],
      ["set user:1 x", /^WRONGTYPE /],
      ["get user:1", /^WRONGTYPE /],
      ["hget user:1:name x", /^WRONGTYPE /],
      ["hset user:1:name x 1", /^WRONGTYPE /],
      ["incr user:1:name", /^ERR value is not an integer or out of range/],
    ];
    for (const [command, error] of errors) {
      const [name = "", ...args] = command.split(" ");
      expect(await errorOf(redis.call(name, ...args)), command).toMatch(error);
    }
    expect(heart.accepted).toBe(before);
    expect(await redis.hgetall("user:1")).toMatchObject({ name: "Ada" });
  });

  test("a key of no route, where such are refused", async () => {
    const { redis } = await served({ unrouted: "refuse" });
    expect(await errorOf(redis.get("other"))).toMatch(/^WBVALUE "other" matches no route \(add a route/);
    expect(await errorOf(redis.mset("tmp:a", "1", "other", "1"))).toMatch(/^WBVALUE "other"/);
    expect(await redis.get("tmp:a")).toBeNull();
  });
});
