/** Records that are rows of a user's tables, on the whole engine over a real SQLite: what is read and what is there. */
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { WriteBehind } from "../src/index.js";
import { engineKit } from "./engine-kit.js";
import { refusalOf, routes, routesLab, shiftedHost } from "./routes-kit.js";

const kit = engineKit();
const eventually = { timeout: 15_000, interval: 5 };

/** Reads until what was in memory has been pushed out of a cache of one megabyte. */
async function pushOut(wb: WriteBehind): Promise<void> {
  const before = wb.status().cache.evictions;
  for (let n = 0; n < 40; n++) {
    const many = Array.from({ length: 200 }, (_, at) => [`filler:${n}:${at}`, "x".repeat(500)] as const);
    await wb.setMany(many);
  }
  await wb.flush();
  expect(wb.status().cache.evictions).toBeGreaterThan(before);
}

describe("two keys of one row", () => {
  /** What all keys of the row show. */
  async function seen(wb: WriteBehind): Promise<unknown[]> {
    return [await wb.hash("user:1").getAll(), ...(await wb.getMany(["user:1:name", "user:1:age", "user:1:email"]))];
  }

  test("are one record: before the commit, after it, evicted, and after a restart", async () => {
    const { data, db, start } = routesLab(kit);
    const wb = await start({ cacheBytes: 1024 * 1024 });
    await wb.pause();
    await wb.hash("user:1").set({ name: "Ada", age: "007" });
    await wb.set("user:1:name", "Ada L.");
    await wb.set("user:1:email", "a@b");
    await wb.delete("user:1:email");
    await wb.increment("user:1:age");
    const pending = { age: "8", name: "Ada L." };
    expect(await seen(wb)).toEqual([pending, "Ada L.", "8", null]);
    expect(wb.status().queue).toMatchObject({ pendingRecords: 1, pendingChanges: 5 });
    await wb.resume();
    await wb.flush();
    const stored = { ...pending, visits: "0", loud: "ADA L." };
    expect(await seen(wb)).toEqual([stored, "Ada L.", "8", null]);
    expect(db.one("SELECT name, email, age, visits, unmapped FROM users")).toEqual({
      name: "Ada L.",
      email: null,
      age: 8,
      visits: 0,
      unmapped: "kept",
    });
    await pushOut(wb);
    expect((await wb.inspect("user:1")).cache.state).toBe("unknown");
    expect(await seen(wb)).toEqual([stored, "Ada L.", "8", null]);
    await wb.set("user:1:age", 9);
    await wb.close();
    const again = await start({ data });
    expect(await seen(again)).toEqual([{ ...stored, age: "9" }, "Ada L.", "9", null]);
    await again.delete("user:1");
    expect(await seen(again)).toEqual([null, null, null, null]);
    await again.flush();
    expect(db.one("SELECT * FROM users")).toBeNull();
  });

  test("a column that is a string of its own is the field of the row, too", async () => {
    const { db, start } = routesLab(kit);
    const wb = await start();
    expect(await wb.increment("views:/a")).toBe(1);
    await wb.hash("page:/a").set("kind", "post");
    expect(await wb.increment("views:/a", 2)).toBe(3);
    expect(await wb.hash("page:/a").getAll()).toEqual({ kind: "post", views: "3" });
    await wb.flush();
    expect(db.all("SELECT * FROM pages")).toEqual([{ path: "/a", views: 3, kind: "post" }]);
  });

  test("a transaction over rows and own records is one frame", async () => {
    const { db, start } = routesLab(kit);
    const wb = await start();
    await wb.transaction(async (tx) => {
      tx.setHash("user:1", { name: "Ada" });
      tx.set("user:1:age", 5);
      tx.set("own", "x");
      expect(await tx.getHash("user:1")).toEqual({ name: "Ada", age: "5" });
    });
    const lacking = wb.transaction(async (tx) => {
      tx.set("own", "y");
      tx.setHash("user:2", { age: 1 });
      await Promise.resolve();
    });
    expect(await refusalOf(lacking)).toMatchObject({ code: "BAD_VALUE", message: expect.stringContaining("name") });
    await wb.flush();
    expect(db.all("SELECT id, name, age FROM users")).toEqual([{ id: 1, name: "Ada", age: 5 }]);
    expect(await wb.get("own")).toBe("x");
  });
});

describe("what the database adds to a row", () => {
  test("defaults and generated columns are seen after the commit", async () => {
    const { start } = routesLab(kit);
    const wb = await start();
    await wb.pause();
    await wb.hash("page:/a").set("views", 1);
    await wb.hash("user:1").set("name", "Ada");
    expect(await wb.hash("page:/a").getAll()).toEqual({ views: "1" });
    await wb.resume();
    await wb.flush();
    expect(await wb.hash("page:/a").getAll()).toEqual({ views: "1", kind: "page" });
    expect(await wb.hash("user:1").getAll()).toEqual({ loud: "ADA", name: "Ada", visits: "0" });
    await wb.set("user:1:name", "Bea");
    await wb.flush();
    expect(await wb.get("user:1:loud")).toBe("BEA");
  });

  test("also where the change was pending at the start", async () => {
    const { data, start } = routesLab(kit);
    const first = await start();
    await first.pause();
    await first.hash("page:/a").set("views", 1);
    await first.hash("user:1").set("name", "Ada");
    await first.close({ deadlineMs: 0 });
    const wb = await start({ data });
    expect(await wb.hash("page:/a").getAll()).toEqual({ views: "1" });
    await wb.resume();
    await wb.flush();
    expect(await wb.hash("page:/a").getAll()).toEqual({ views: "1", kind: "page" });
    expect(await wb.hash("user:1").getAll()).toEqual({ loud: "ADA", name: "Ada", visits: "0" });
  });

  test("what a trigger makes of it is seen after the commit with `reload`, and without it is not", async () => {
    const trigger = `
      CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT);
      CREATE TRIGGER ta AFTER UPDATE ON a WHEN NEW.v = 'x' BEGIN UPDATE a SET v = 'made' WHERE id = NEW.id; END;
      CREATE TRIGGER ia AFTER INSERT ON a WHEN NEW.v = 'x' BEGIN UPDATE a SET v = 'made' WHERE id = NEW.id; END;`;
    const { start } = routesLab(kit, `${trigger}${trigger.replaceAll(/\b([ti]?)a\b/g, "$1b")}`);
    const wb = await start({
      routes: [
        { key: "a:{id}", table: "a", reload: true },
        { key: "b:{id}", table: "b" },
      ],
    });
    for (const key of ["a:1", "b:1"]) await wb.hash(key).set("v", "x");
    await wb.flush();
    expect([await wb.hash("a:1").get("v"), await wb.hash("b:1").get("v")]).toEqual(["made", "x"]);
    await wb.hash("a:1").set("v", "x");
    expect(await wb.hash("a:1").get("v")).toBe("x");
    await wb.flush();
    expect(await wb.hash("a:1").get("v")).toBe("made");
  });
});

describe("rows that others change", () => {
  test("are read again after cacheTtl, and not before", async () => {
    const { db, start } = routesLab(kit);
    const { host, shift } = shiftedHost();
    const timed = routes.map((route) => (route.key === "plain:{id}" ? { ...route, cacheTtl: "60s" } : route));
    const wb = await start({ routes: timed }, host);
    await wb.hash("plain:1").set({ a: "mine", b: 1 });
    await wb.hash("page:/a").set({ views: 1, kind: "x" });
    await wb.flush();
    db.run("UPDATE plain SET a = 'theirs'; UPDATE pages SET views = 2;");
    expect(await wb.hash("plain:1").get("a")).toBe("mine");
    shift(59_000);
    expect(await wb.hash("plain:1").get("a")).toBe("mine");
    shift(61_000);
    expect(await wb.hash("plain:1").get("a")).toBe("theirs");
    expect(await wb.get("views:/a")).toBe("1");
    // What is pending is true however old.
    await wb.pause();
    await wb.hash("plain:1").set("a", "pending");
    shift(200_000);
    expect(await wb.hash("plain:1").get("a")).toBe("pending");
  });
});

describe("records with `store: none`", () => {
  test("make no frame, are in no database, end in time, and are gone after a restart", async () => {
    const { data, db, start } = routesLab(kit);
    const { host, shift } = shiftedHost();
    const wb = await start({}, host);
    const accepted = wb.heart.accepted;
    await wb.set("tmp:a", "1");
    await wb.increment("tmp:a", 4);
    await wb.hash("tmp:h").set({ f: "1", g: "2" });
    await wb.set("tmp:short", "x", { ttlMs: 1000 });
    expect(await wb.getMany(["tmp:a", "tmp:short", "tmp:none"])).toEqual(["5", "x", null]);
    expect(await wb.hash("tmp:h").getAll()).toEqual({ f: "1", g: "2" });
    expect(wb.heart.accepted).toBe(accepted);
    shift(1001);
    expect(await wb.get("tmp:short")).toBeNull();
    await wb.transaction(async (tx) => {
      tx.set("tmp:a", "in");
      tx.set("own", "1");
      expect(await tx.get("tmp:a")).toBe("in");
    });
    const failed = wb.transaction((tx) => {
      tx.set("tmp:a", "never");
      return Promise.reject(new Error("no"));
    });
    await expect(failed).rejects.toThrow("no");
    expect(wb.heart.accepted).toBe(accepted + 1);
    expect(await wb.get("tmp:a")).toBe("in");
    expect(await wb.inspect("tmp:a")).toMatchObject({
      route: "tmp:{name}",
      cache: { state: "present", value: { type: "string", value: "in" } },
      queue: [],
      database: { value: null, error: null },
    });
    await wb.delete("tmp:h");
    expect(await wb.hash("tmp:h").getAll()).toBeNull();
    await wb.flush();
    expect(db.all("SELECT key FROM write_behind_kv")).toEqual([{ key: "own" }]);
    await wb.close();
    const again = await start({ data });
    expect(await again.getMany(["tmp:a", "own"])).toEqual([null, "1"]);
  });

  test("their watchers see that they change", async () => {
    const { start } = routesLab(kit);
    const wb = await start();
    let tries = 0;
    await wb.transaction(async (tx) => {
      const before = Number(await tx.get("tmp:n"));
      if (tries++ === 0) await wb.increment("tmp:n", 10);
      tx.set("tmp:n", before + 1);
    });
    expect([tries, await wb.get("tmp:n")]).toEqual([2, "11"]);
  });
});

describe("what is refused", () => {
  test("keys of no route with `unrouted: refuse`, by every verb", async () => {
    const { start } = routesLab(kit);
    const wb = await start({ unrouted: "refuse" });
    const verbs: (() => Promise<unknown>)[] = [
      () => wb.get("other"),
      () => wb.set("other", 1),
      () => wb.delete("other"),
      () => wb.increment("other"),
      () => wb.hash("other").getAll(),
      () => wb.inspect("other"),
      () => wb.flush({ keys: ["other"] }),
      () => wb.transaction((tx) => tx.get("other")),
    ];
    for (const verb of verbs)
      expect(await refusalOf(verb())).toMatchObject({ code: "BAD_VALUE", message: '"other" matches no route' });
    await wb.set("tmp:a", 1);
    await wb.hash("user:1").set("name", "A");
    await wb.flush();
  });

  test("FLUSHALL: nothing is gone", async () => {
    const { start } = routesLab(kit);
    const wb = await start();
    await wb.hash("user:1").set("name", "A");
    await wb.set("own", 1);
    expect(await refusalOf(wb.run((workspace) => workspace.clear()))).toMatchObject({ code: "BAD_VALUE" });
    expect([await wb.get("user:1:name"), await wb.get("own")]).toEqual(["A", "1"]);
    await wb.flush();
  });

  test("is said once what a value is for, and the queue stays empty", async () => {
    const { start } = routesLab(kit);
    const wb = await start();
    const error = await refusalOf(wb.set("user:1:age", "abc"));
    expect(error.code).toBe("BAD_VALUE");
    for (const part of ["user:1:age", "age (INTEGER) of users", '"abc"']) expect(error.message).toContain(part);
    expect(wb.status().queue.pendingChanges).toBe(0);
  });
});

describe("rows that are marked as deleted", () => {
  test("are not there, and come back unmarked and whole", async () => {
    const { data, db, start } = routesLab(kit);
    const wb = await start();
    await wb.hash("note:1").set("body", "b");
    await wb.flush();
    await wb.delete("note:1");
    expect(await wb.hash("note:1").getAll()).toBeNull();
    await wb.flush();
    expect(db.one("SELECT body, deleted_at > 0 AS deleted FROM notes")).toEqual({ body: "b", deleted: 1 });
    await wb.close();
    const again = await start({ data });
    expect(await again.hash("note:1").getAll()).toBeNull();
    await again.hash("note:1").set({});
    await again.write((workspace) => workspace.replaceFields("note:1" as Bytes, new Map()));
    expect(await again.hash("note:1").getAll()).toEqual({});
    await again.flush();
    expect(db.one("SELECT * FROM notes")).toEqual({ id: 1, body: null, deleted_at: null });
    expect((await refusalOf(again.hash("note:1").set("deleted_at", 1))).message).toContain("deleted_at");
  });
});

describe("rows that end", () => {
  test("by the column that the route names: set, taken away, over, swept", async () => {
    const { data, db, start } = routesLab(kit);
    const { host, shift } = shiftedHost();
    const wb = await start({}, host);
    await wb.hash("session:a").set("who", "Ada");
    await wb.hash("session:b").set("who", "Bea");
    expect(await wb.expire("session:a", 60_000)).toBe(true);
    expect(await wb.expire("session:b", 60_000)).toBe(true);
    await wb.flush();
    const until = () => db.all("SELECT token, until FROM sessions ORDER BY token").map((row) => Number(row["until"]));
    const [first = 0] = until();
    expect(first).toBeGreaterThan(Date.now() + 30_000);
    expect(await wb.expire("session:b", null)).toBe(true);
    await wb.flush();
    expect(until()).toEqual([first, 0]);
    await wb.close();
    const again = await start({ data }, host);
    const ends = await again.read((workspace) => workspace.expiryOf("session:a" as Bytes));
    expect(ends).toBe(first);
    shift(61_000);
    expect(await again.hash("session:a").getAll()).toBeNull();
    expect(await again.hash("session:b").getAll()).toEqual({ who: "Bea" });
    await again.set("moves the log's time on", 1);
    await again.flush();
    await expect.poll(() => db.all("SELECT token FROM sessions"), eventually).toEqual([{ token: "b" }]);
    // The row of before is gone, with all that is no field.
    await again.hash("session:a").set("who", "New");
    await again.flush();
    expect(db.one("SELECT * FROM sessions WHERE token = 'a'")).toEqual({ token: "a", who: "New", until: null });
  });
});

describe("changes of columns of a row that is not in memory", () => {
  const keyed = [...routes, { key: "session:{token}:{column}", table: "sessions" }];

  test("a row that has ended is one that is not there: the new one is whole and has no end", async () => {
    const { db, start } = routesLab(kit);
    db.run("INSERT INTO sessions VALUES ('a', 'old', 1000), ('b', 'old', 1000), ('c', 'old', 1000)");
    const wb = await start({ routes: keyed });
    await wb.set("session:a:who", "new");
    expect(await wb.hash("session:a").getAll()).toEqual({ who: "new" });
    await wb.write((workspace) => workspace.mergeFields("session:b" as Bytes, new Map([["who", "new"]] as never)));
    await wb.delete("session:c:who");
    await wb.flush();
    expect(db.all("SELECT * FROM sessions WHERE who = 'new' ORDER BY token")).toEqual([
      { token: "a", who: "new", until: null },
      { token: "b", who: "new", until: null },
    ]);
  });

  test("taking a column away makes no row", async () => {
    const { db, start } = routesLab(kit);
    const wb = await start({ routes: [...keyed, { key: "plain:{id}:{column}", table: "plain" }] });
    await wb.delete("plain:none:a");
    await wb.delete("user:1:name");
    await wb.write((workspace) => workspace.mergeFields("plain:none" as Bytes, new Map(), ["a" as Bytes]));
    expect(wb.heart.accepted).toBe(0);
    expect(await wb.hash("plain:none").getAll()).toBeNull();
    db.run("INSERT INTO plain VALUES ('there', 'x', 1)");
    await wb.delete("plain:there:a");
    await wb.flush();
    expect(db.all("SELECT * FROM plain")).toEqual([{ id: "there", a: null, b: 1 }]);
  });

  test("setting one needs no database, and reaches the row or makes it", async () => {
    const { db, start } = routesLab(kit);
    db.run("INSERT INTO plain VALUES ('there', 'x', 1)");
    const wb = await start({ routes: [...keyed, { key: "plain:{id}:{column}", table: "plain" }] });
    await wb.set("plain:there:b", "02");
    await wb.set("plain:new:b", "+3");
    expect(wb.status().cache.misses).toBe(0);
    expect(await wb.hash("plain:there").getAll()).toEqual({ a: "x", b: "2" });
    await wb.flush();
    expect(db.all("SELECT * FROM plain ORDER BY id")).toEqual([
      { id: "new", a: null, b: 3 },
      { id: "there", a: "x", b: 2 },
    ]);
  });
});

test("inspect shows the route, the record and the row", async () => {
  const { start } = routesLab(kit);
  const wb = await start();
  await wb.hash("user:1").set("name", "Ada");
  await wb.flush();
  await wb.pause();
  await wb.set("user:1:age", "07");
  expect(await wb.inspect("user:1:age")).toMatchObject({
    key: "user:1:age",
    record: "user:1",
    field: "age",
    route: "user:{id}:{column}",
    queue: [{ key: "user:1", kind: "merge", value: { fields: [["age", "7"]] } }],
    database: {
      value: {
        fields: [
          ["loud", "ADA"],
          ["name", "Ada"],
          ["visits", "0"],
        ],
      },
      error: null,
    },
  });
  expect(await wb.inspect("own")).toMatchObject({ record: "own", field: null, route: null });
});
