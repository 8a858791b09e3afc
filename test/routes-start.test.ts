/** Routes and the tables behind them when they change: other routes, a database that is away, migrations, refusals. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Events } from "../src/events.js";
import { memoryStore, sqlite, type Status, type WriteBehind } from "../src/index.js";
import { createStore } from "../src/store/sqlite/index.js";
import { engineKit } from "./engine-kit.js";
import { Database, refusalOf, routes, routesLab, tables } from "./routes-kit.js";

const kit = engineKit();
const eventually = { timeout: 15_000, interval: 5 };
const text = (part: string): string => expect.stringContaining(part) as string;
const without = (key: string) => routes.filter((route) => route.key !== key);

function once<Name extends keyof Events>(wb: WriteBehind, name: Name): Promise<Events[Name]> {
  return new Promise((resolve) => {
    const off = wb.on(name, (event) => {
      off();
      resolve(event);
    });
  });
}

async function untilStore(wb: WriteBehind, state: Status["store"]["state"]): Promise<void> {
  await expect.poll(() => wb.status().store.state, eventually).toBe(state);
}

describe("other routes than before", () => {
  test("are refused while changes are pending, and taken once these are stored", async () => {
    const { data, db, start } = routesLab(kit);
    const first = await start();
    await first.pause();
    await first.hash("user:1").set("name", "Ada");
    await first.close({ deadlineMs: 0 });
    const others = [
      { routes: [] },
      { routes: without("tmp:{name}") },
      { unrouted: "refuse" },
      { routes: routes.map((route) => (route.key === "plain:{id}" ? { ...route, columns: ["a"] } : route)) },
    ];
    for (const other of others) {
      const error = await refusalOf(start({ data, ...other }));
      expect(error).toMatchObject({ code: "ROUTE_MISMATCH", message: text("1 changes and 0 dead letters") });
      expect(error.hint).toContain("the routes of before");
    }
    // How rows are cached means nothing to what is pending.
    const cached = routes.map((route) =>
      route.key === "plain:{id}" ? { ...route, cacheTtl: 5000, warm: true } : route,
    );
    const same = await start({ data, routes: cached });
    await same.resume();
    await same.flush();
    expect(db.one("SELECT name FROM users")).toEqual({ name: "Ada" });
    await same.close();
    const none = await start({ data, routes: [] });
    await none.set("user:1", "a string now");
    await none.close();
    const back = await start({ data });
    expect(await back.hash("user:1").getAll()).toMatchObject({ name: "Ada" });
  });

  test("are refused while dead letters are parked", async () => {
    const { data, db, start } = routesLab(kit);
    db.run("INSERT INTO users (id, name, email) VALUES (9, 'Z', 'taken')");
    const first = await start();
    const letter = once(first, "deadLetter");
    await first.hash("user:1").set({ name: "Ada", email: "taken" });
    const { id } = await letter;
    await first.close();
    const error = await refusalOf(start({ data, routes: without("tmp:{name}") }));
    expect(error).toMatchObject({ code: "ROUTE_MISMATCH", message: text("0 changes and 1 dead letters") });
    const again = await start({ data });
    await again.discardDeadLetters([id]);
    await again.close();
    await start({ data, routes: without("tmp:{name}") });
  });

  test("a wrong one ends the first start with all that does not fit", async () => {
    const { data, start } = routesLab(kit);
    const wrong = [
      { key: "a:{id}", table: "user" },
      { key: "b:{nope}", table: "pages" },
    ];
    const error = await refusalOf(start({ data, routes: wrong }));
    expect(error.message).toContain("no table user");
    expect(error.message).toContain("b:{nope}");
    expect(existsSync(join(data, "routes.json"))).toBe(false);
    await start({ data });
  });
});

describe("a store without routes", () => {
  test("is CONFIG where a route maps a table, and takes `store: none`", async () => {
    const db = new Database(join(kit.folder(), "app.db"));
    for (const store of [memoryStore(), createStore({ file: db.file })])
      expect(await refusalOf(kit.start(store, { routes }))).toMatchObject({
        code: "CONFIG",
        message: "this store takes no routes to tables",
      });
    const wb = await kit.start(memoryStore(), { routes: [{ key: "tmp:{x}", store: "none" }] });
    await wb.set("tmp:a", 1);
    expect([await wb.get("tmp:a"), wb.heart.accepted]).toEqual(["1", 0]);
  });
});

/** A queue with a pending change of a row, whose database is away. */
async function away() {
  const data = kit.folder();
  mkdirSync(join(data, "db"));
  const db = new Database(join(data, "db", "app.db"));
  db.run(tables);
  const start = (options: Record<string, unknown> = {}) =>
    kit.start(sqlite({ file: db.file }), { data, routes, retryMinMs: 1, retryMaxMs: 20, ...options });
  const first = await start();
  await first.hash("user:1").set("name", "Ada");
  await first.flush();
  await first.pause();
  await first.hash("user:1").set({ name: "Bea", age: "07" });
  await first.hash("plain:1").set({ a: "x" });
  await first.close({ deadlineMs: 0 });
  renameSync(join(data, "db"), join(data, "away"));
  return {
    data,
    db,
    start,
    file: join(data, "routes.json"),
    bringBack: () => renameSync(join(data, "away"), join(data, "db")),
  };
}

describe("a start while the database is away", () => {
  test("the tables are remembered: pending rows are read, values and keys are checked, and all is stored later", async () => {
    const { db, start, bringBack } = await away();
    const wb = await start();
    await wb.resume();
    expect(await wb.hash("plain:1").getAll()).toEqual({ a: "x" });
    await wb.set("user:1:age", "+8");
    await wb.set("views:/a", "007");
    await wb.hash("plain:1").set("b", "007");
    expect(await wb.hash("plain:1").getAll()).toEqual({ a: "x", b: "7" });
    expect(await refusalOf(wb.set("user:1:age", "abc"))).toMatchObject({ code: "BAD_VALUE" });
    expect(await refusalOf(wb.set("user:01:age", 1))).toMatchObject({ code: "BAD_VALUE" });
    expect(await refusalOf(wb.get("user:2:name"))).toMatchObject({ code: "STORE_DOWN" });
    bringBack();
    await wb.flush();
    expect(db.one("SELECT name, age FROM users")).toEqual({ name: "Bea", age: 8 });
    expect(db.one("SELECT path, views FROM pages")).toEqual({ path: "/a", views: 7 });
  });

  test("other routes are refused: nobody knows what is pending", async () => {
    const { start } = await away();
    expect(await refusalOf(start({ routes: without("tmp:{name}") }))).toMatchObject({
      code: "ROUTE_MISMATCH",
      message: text("the database does not answer"),
    });
  });

  test("a table that changed meanwhile is remembered from then on", async () => {
    const { data, db, start, bringBack, file } = await away();
    const wb = await start();
    bringBack();
    db.run("ALTER TABLE plain ADD COLUMN fresh TEXT");
    await wb.resume();
    await wb.flush();
    await expect.poll(() => readFileSync(file, "utf8"), eventually).toContain('"fresh"');
    await wb.pause();
    await wb.hash("plain:1").set("fresh", "1");
    await wb.close({ deadlineMs: 0 });
    renameSync(join(data, "db"), join(data, "away"));
    const again = await start();
    await again.hash("plain:1").set("fresh", "2");
    expect(await again.hash("plain:1").get("fresh")).toBe("2");
  });
});

describe("routes.json", () => {
  test("damaged with nothing pending: made anew", async () => {
    const { data, start } = routesLab(kit);
    await (await start()).close();
    for (const content of ["", "\0".repeat(50), '{"version":1,"fingerprint":', '{"version":1}', "[]"]) {
      writeFileSync(join(data, "routes.json"), content);
      await (await start({ data })).close();
      expect(JSON.parse(readFileSync(join(data, "routes.json"), "utf8"))).toMatchObject({ version: 1 });
    }
  });

  test("damaged with changes pending: refused, until a person says that the routes are those of before", async () => {
    const { start, file, bringBack, db } = await away();
    const before = readFileSync(file, "utf8");
    writeFileSync(file, before.slice(0, 100));
    const damaged = { code: "ROUTE_MISMATCH", message: text("is damaged"), hint: text("make {} the content") };
    expect(await refusalOf(start())).toMatchObject(damaged);
    writeFileSync(file, "{}\n");
    expect(await refusalOf(start())).toMatchObject({ code: "STORE_DOWN", message: text("what its tables are") });
    bringBack();
    writeFileSync(file, before.slice(0, 100));
    expect(await refusalOf(start())).toMatchObject(damaged);
    writeFileSync(file, "{}\n");
    const wb = await start();
    await wb.resume();
    await wb.flush();
    expect(db.one("SELECT name, age FROM users")).toEqual({ name: "Bea", age: 7 });
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject(JSON.parse(before) as object);
  });

  test("of a newer version: refused, and left as it is", async () => {
    const { data, start } = routesLab(kit);
    await (await start()).close();
    const newer = JSON.stringify({ version: 2, whatever: true });
    writeFileSync(join(data, "routes.json"), newer);
    for (const options of [{ data }, { data, routes: [] }])
      expect(await refusalOf(start(options))).toMatchObject({ code: "JOURNAL_VERSION", message: text("routes.json") });
    expect(readFileSync(join(data, "routes.json"), "utf8")).toBe(newer);
  });

  test("is not made where there are no routes", async () => {
    const { data, start } = routesLab(kit);
    await (await start({ routes: [] })).set("a", 1);
    expect(existsSync(join(data, "routes.json"))).toBe(false);
  });
});

describe("a migration", () => {
  test("paused, a column added, resumed: it is a field, without a restart", async () => {
    const { db, start } = routesLab(kit);
    const wb = await start();
    await wb.hash("plain:1").set({ a: "1" });
    await wb.flush();
    expect(await refusalOf(wb.hash("plain:1").set("fresh", 1))).toMatchObject({ code: "BAD_VALUE" });
    await wb.pause();
    await wb.hash("plain:2").set({ a: "2" });
    db.run("ALTER TABLE plain ADD COLUMN fresh INTEGER DEFAULT 5");
    await wb.resume();
    await wb.flush();
    expect(await wb.hash("plain:1").getAll()).toEqual({ a: "1", fresh: "5" });
    expect(await wb.hash("plain:2").getAll()).toEqual({ a: "2", fresh: "5" });
    await wb.hash("plain:1").set("fresh", "007");
    expect(await wb.hash("plain:1").get("fresh")).toBe("7");
    await wb.flush();
    expect(db.all("SELECT fresh FROM plain ORDER BY id")).toEqual([{ fresh: 7 }, { fresh: 5 }]);
  });

  test("a column that is gone: broken, named, and it goes on once it is mended", async () => {
    const { db, start } = routesLab(kit);
    const wb = await start();
    await wb.hash("plain:1").set({ a: "1", b: 1 });
    await wb.flush();
    db.run("ALTER TABLE plain RENAME COLUMN b TO c");
    await wb.hash("plain:1").set("b", 2);
    await untilStore(wb, "broken");
    expect(wb.status().store.error).toMatch(/\bb\b/);
    await wb.hash("plain:1").set("a", "still taken");
    expect(await wb.hash("plain:1").getAll()).toEqual({ a: "still taken", b: "2" });
    db.run("ALTER TABLE plain RENAME COLUMN c TO b");
    await wb.flush();
    await untilStore(wb, "up");
    expect(db.one("SELECT a, b FROM plain")).toEqual({ a: "still taken", b: 2 });
  });

  test("a table that is gone: broken, and it goes on once it is there again", async () => {
    const { db, start } = routesLab(kit);
    const wb = await start();
    db.run("ALTER TABLE plain RENAME TO elsewhere");
    await wb.write((workspace) => workspace.replaceFields("plain:1" as never, new Map()));
    await untilStore(wb, "broken");
    expect(wb.status().store.error).toContain("plain");
    expect(await refusalOf(wb.hash("plain:2").getAll())).toMatchObject({ code: "STORE_DOWN" });
    db.run("ALTER TABLE elsewhere RENAME TO plain");
    await wb.flush();
    expect(db.all("SELECT id FROM plain")).toEqual([{ id: "1" }]);
  });
});

describe("rows that the database refuses", () => {
  test("are dead letters: read all the same, retried after mending, and what the database adds is seen", async () => {
    const { db, start } = routesLab(kit);
    db.run("INSERT INTO users (id, name, email) VALUES (9, 'Z', 'taken')");
    const wb = await start({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 });
    const receipt = await wb.hash("user:1").set({ name: "Ada", email: "taken" });
    expect(await refusalOf(receipt.stored())).toMatchObject({ code: "REFUSED", message: text("users.email") });
    await wb.set("user:1:age", 5);
    await wb.flush();
    expect(await wb.hash("user:1").getAll()).toEqual({ name: "Ada", email: "taken", age: "5" });
    const { items } = await wb.deadLetters();
    expect(items).toMatchObject([{ changes: [{ key: "user:1" }], behind: [{ key: "user:1" }] }]);
    expect(db.all("SELECT id FROM users")).toEqual([{ id: 9 }]);
    // Everything else goes on.
    await wb.hash("user:2").set({ name: "Bea" });
    await wb.flush();
    db.run("UPDATE users SET email = 'free' WHERE id = 9");
    expect((await wb.retryDeadLetters("all")).items).toMatchObject([{ became: "stored" }]);
    expect(db.one("SELECT name, email, age, visits FROM users WHERE id = 1")).toEqual({
      name: "Ada",
      email: "taken",
      age: 5,
      visits: 0,
    });
    expect(await wb.hash("user:1").getAll()).toMatchObject({ visits: "0", loud: "ADA", age: "5" });
  });

  test("a discarded one shows the row as it is", async () => {
    const { db, start } = routesLab(kit);
    db.run("INSERT INTO users (id, name, email) VALUES (1, 'A', 'a'), (2, 'B', 'b')");
    const wb = await start();
    expect(await wb.get("user:1:email")).toBe("a");
    const receipt = await wb.set("user:1:email", "b");
    expect((await refusalOf(receipt.stored())).code).toBe("REFUSED");
    expect(await wb.get("user:1:email")).toBe("b");
    await wb.discardDeadLetters("all");
    expect(await wb.get("user:1:email")).toBe("a");
  });
});
