/** Typed collections over real SQLite tables: every kind of value, schemas, transactions, and what is refused. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { collection, type WriteBehind } from "../src/index.js";
import type { AnyCollection } from "../src/library/collection.js";
import { orders, strict, untyped, users, wrongUses, type Order, type User } from "./collection-types.js";
import { engineKit } from "./engine-kit.js";
import { refusalOf, routesLab } from "./routes-kit.js";

const kit = engineKit();

const tables = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT DEFAULT 'none', visits INTEGER NOT NULL
    DEFAULT 7, big BIGINT, active BOOLEAN, born DATETIME, meta JSON, photo BLOB, score REAL);
  CREATE TABLE orders (customer INTEGER, no INTEGER, total NUMERIC, made TEXT, PRIMARY KEY (customer, no))
    WITHOUT ROWID;
  CREATE TABLE paths (path TEXT PRIMARY KEY, hits INTEGER, loud TEXT AS (upper(path)));`;

const paths = collection("path:{path}", { table: "paths" }).typed<{ path: string; hits: number | null }>();

/** An engine whose routes are these collections. */
async function opened(...given: AnyCollection[]) {
  const lab = routesLab(kit, tables);
  const of = given.length === 0 ? [users, orders, paths] : given;
  const start = (): Promise<WriteBehind> => lab.start({ data: lab.data, routes: of.map(({ route }) => route) });
  return { db: lab.db, start, wb: await start() };
}

const ada = {
  name: "Ada",
  email: "a@b",
  visits: 1,
  big: 2n ** 62n + 1n,
  active: true,
  meta: { tags: ["x", "ü"] },
  photo: new Uint8Array([0, 255, 10]),
  score: 0.1,
};

describe("values", () => {
  test("come back as they were given: from memory, after the commit, and after a restart", async () => {
    const { db, start, wb } = await opened(strict);
    const expected = { id: 1, ...ada, born: null, photo: Buffer.from(ada.photo) };
    await wb.pause();
    await wb.collection(strict).set({ id: 1 }, ada);
    expect(await wb.collection(strict).get({ id: 1 })).toEqual(expected);
    await wb.resume();
    await wb.flush();
    expect(await wb.collection(strict).get({ id: 1 })).toEqual(expected);
    await wb.close();
    const again = await start();
    expect(await again.collection(strict).get({ id: 1 })).toEqual(expected);
    expect(await again.collection(strict).get({ id: 2 })).toBeNull();
    expect(
      db.one("SELECT typeof(big) AS big, active, meta, typeof(photo) AS photo, typeof(score) AS score FROM users"),
    ).toEqual({ big: "integer", active: 1, meta: '{"tags":["x","ü"]}', photo: "blob", score: "real" });
  });

  test("NULL is null both ways, and undefined is nothing", async () => {
    const { db, wb } = await opened();
    const of = wb.collection(users);
    await of.set({ id: 1 }, { name: "Ada", big: null });
    await of.update({ id: 1 }, { big: 5n });
    await wb.flush();
    await of.update({ id: 1 }, { big: null, email: null, name: undefined as never });
    expect(await of.get({ id: 1 })).toMatchObject({ name: "Ada", email: null, big: null });
    await wb.flush();
    expect(db.one("SELECT name, email, big FROM users")).toEqual({ name: "Ada", email: null, big: null });
    // A new row without a value gets the default, so NULL cannot be had there.
    expect(await refusalOf(of.set({ id: 1 }, { name: "A", email: null }))).toMatchObject({
      code: "BAD_VALUE",
      message: expect.stringContaining("the column email has a default") as string,
    });
  });

  test("JSON keeps every shape, with NULL for null", async () => {
    const { wb } = await opened();
    const of = wb.collection(
      collection("user:{id}", { table: "users" }).typed<{ id: number; name: string; meta: unknown }>(),
    );
    for (const meta of ["text", 5, true, [], {}, [null], "7"]) {
      await of.set({ id: 1 }, { name: "A", meta });
      expect((await of.get({ id: 1 }))?.meta).toEqual(meta);
    }
    await of.update({ id: 1 }, { meta: null });
    expect((await of.get({ id: 1 }))?.meta).toBeNull();
  });

  test("moments are what the column holds: here text, since SQLite has no type for them", async () => {
    const { wb } = await opened();
    const of = wb.collection(orders);
    await of.set({ customer: 1, no: 2n }, { customer: 1, total: "1.50", made: new Date(0) });
    const order: unknown = await of.get({ customer: 1, no: 2n });
    expect(order).toEqual({ customer: 1, no: 2, total: "1.5", made: "1970-01-01T00:00:00.000Z" });
  });

  test("that no column takes are refused before they are queued", async () => {
    const { wb } = await opened();
    const of = wb.collection(users);
    const wrong: readonly object[] = [
      { name: "A", visits: 1.5 },
      { name: "A", big: 2n ** 63n },
      { name: "A", visits: {} },
      { name: "A", born: new Date(Number.NaN) },
      { name: "A", meta: () => 1 },
      { name: Symbol("s") },
      { name: "A", nope: 1 },
      { name: null },
      {},
    ];
    for (const row of wrong) expect((await refusalOf(of.set({ id: 1 }, row as never))).code).toBe("BAD_VALUE");
    expect((await refusalOf(of.update({ id: 1 }, { visits: null } as never))).message).toContain("takes no NULL");
    expect(wb.heart.accepted).toBe(0);
  });
});

describe("a whole row", () => {
  test("gives columns that it does not name their default, or NULL, also where the row was there", async () => {
    const { db, wb } = await opened();
    const of = wb.collection(users);
    for (const _ of [1, 2]) {
      await of.set({ id: 1 }, { name: "Ada", email: "a", visits: 3, big: 1n });
      await wb.flush();
      await of.set({ id: 1 }, { name: "Bea" });
      await wb.flush();
      expect(db.one("SELECT name, email, visits, big FROM users")).toEqual({
        name: "Bea",
        email: "none",
        visits: 7,
        big: null,
      });
      expect(await of.get({ id: 1 })).toMatchObject({ name: "Bea", email: "none", visits: 7, big: null });
      await of.delete({ id: 1 });
    }
  });

  test("that was read can be written again, changed", async () => {
    const { wb } = await opened();
    await wb.collection(orders).set({ customer: 1, no: 2n }, { customer: 1, no: 2n, total: "1", made: new Date(0) });
    const read = await wb.collection(orders).get({ customer: 1, no: 2n });
    await wb.collection(orders).set({ customer: 1, no: 2n }, { ...(read as Order), total: "2" });
    expect((await wb.collection(orders).get({ customer: 1, no: 2n }))?.total).toBe("2");
    const other = wb.collection(orders).set({ customer: 1, no: 2n }, { customer: 2 });
    expect(await refusalOf(other)).toMatchObject({
      code: "BAD_VALUE",
      message: '"order:1:2": the row has another customer than its key',
    });
    const none = wb.collection(orders).set({ customer: 1, no: 2n }, { customer: null } as never);
    expect((await refusalOf(none)).code).toBe("BAD_VALUE");
  });
});

describe("keys", () => {
  test("that cannot name a row of this table are refused, and no other record is written", async () => {
    const { db, wb } = await opened();
    for (const path of ["a:b", "", ":", "x:hits"]) {
      const of = wb.collection(paths);
      const verbs = [
        of.get({ path }),
        of.set({ path }, { hits: 1 }),
        of.update({ path }, { hits: 1 }),
        of.delete({ path }),
      ];
      for (const verb of verbs) expect((await refusalOf(verb)).code).toBe("BAD_VALUE");
    }
    for (const key of [{}, { id: null }, { id: undefined }, { id: "01" }, { id: 1.5 }, { id: "x" }, { id: {} }])
      expect((await refusalOf(wb.collection(users).get(key as never))).code).toBe("BAD_VALUE");
    await wb.flush();
    expect(db.all("SELECT * FROM write_behind_field")).toEqual([]);
    await wb.collection(paths).set({ path: "{path} ü/%" }, { hits: 1 });
    await wb.flush();
    expect(db.all("SELECT path FROM paths")).toEqual([{ path: "{path} ü/%" }]);
  });

  test("of a collection that is not among the routes, or that names no whole rows, are CONFIG", async () => {
    const column = collection("user:{id}:{column}", { table: "users" });
    const { wb } = await opened(strict, column);
    const same = collection("u:{id}", { table: "users" });
    for (const wrong of [same, column as never, orders as never])
      expect(await refusalOf(wb.collection(wrong).get({ id: 1 }))).toMatchObject({
        code: "CONFIG",
        message: expect.stringContaining("is not among the routes") as string,
      });
    // Another object with the same key is the same route.
    expect(await wb.collection(untyped).get({ id: 1 })).toBeNull();
  });

  test("wrong use does not compile", () => {
    expect(wrongUses).toBeTypeOf("function");
  });
});

describe("increment", () => {
  test("adds to what is there; NULL is 0", async () => {
    const { db, wb } = await opened();
    const of = wb.collection(users);
    await of.set({ id: 1 }, { name: "Ada", visits: 1 });
    expect(await of.increment({ id: 1 }, "visits")).toBe(2);
    expect(await of.increment({ id: 1 }, "visits", -5)).toBe(-3);
    expect(await of.increment({ id: 1 }, "big", 4)).toBe(4);
    await wb.flush();
    expect(db.one("SELECT visits, big FROM users")).toEqual({ visits: -3, big: 4 });
    expect(await wb.collection(paths).increment({ path: "/" }, "hits")).toBe(1);
    await of.update({ id: 1 }, { big: 2n ** 60n });
    expect((await refusalOf(of.increment({ id: 1 }, "big"))).message).toContain("2^53");
  });

  test("of a row that is not there and needs other columns is refused with their names", async () => {
    const { wb } = await opened();
    const error = await refusalOf(wb.collection(users).increment({ id: 9 }, "visits"));
    expect(error).toMatchObject({ code: "BAD_VALUE", message: expect.stringContaining("name (TEXT)") as string });
    expect(wb.heart.accepted).toBe(0);
  });
});

describe("transactions", () => {
  test("see their own writes, and reach the database whole or not at all", async () => {
    const { db, wb } = await opened();
    await wb.transaction(async (tx) => {
      const of = tx.collection(users);
      await of.set({ id: 1 }, { name: "Ada", email: "a", visits: 1 });
      of.update({ id: 1 }, { email: "b", big: null });
      expect(await of.increment({ id: 1 }, "visits")).toBe(2);
      expect(await of.get({ id: 1 })).toMatchObject({ id: 1, name: "Ada", email: "b", visits: 2 });
      tx.collection(orders).update({ customer: 1, no: 1n }, { total: "5" });
    });
    await expect(
      wb.transaction(async (tx) => {
        tx.collection(users).delete({ id: 1 });
        await tx.collection(users).set({ id: 2 }, { name: "B" });
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await wb.flush();
    expect(db.all("SELECT id, name, email, visits FROM users")).toEqual([
      { id: 1, name: "Ada", email: "b", visits: 2 },
    ]);
    expect(db.all("SELECT customer, no, total FROM orders")).toEqual([{ customer: 1, no: 1, total: 5 }]);
    let tries = 0;
    await wb.transaction(async (tx) => {
      const row = (await tx.collection(users).get({ id: 1 })) as User;
      if (tries++ === 0) await wb.collection(users).update({ id: 1 }, { visits: 50 });
      tx.collection(users).update({ id: 1 }, { visits: row.visits + 1 });
    });
    expect((await wb.collection(users).get({ id: 1 }))?.visits).toBe(51);
  });
});

describe("a schema", () => {
  const User = z.object({
    id: z.int(),
    name: z.string().trim().min(1),
    visits: z.int().min(0).default(3),
    meta: z.object({ tags: z.array(z.string()) }).nullable(),
  });
  const checked = collection("user:{id}", { table: "users", schema: User });

  test("says the type, checks a whole row, and what it makes of it is written", async () => {
    const { wb } = await opened(checked);
    const of = wb.collection(checked);
    await of.set({ id: 1 }, { name: "  Ada ", visits: undefined as never, meta: null });
    const row = await of.get({ id: 1 });
    // By the schema these have their types.
    const [name, visits]: [string | undefined, number | undefined] = [row?.name, row?.visits];
    expect([name, visits]).toEqual(["Ada", 3]);
    const wrong = of.set({ id: 1 }, { name: " ", visits: -1, meta: { tags: [5 as never] } });
    const error = await refusalOf(wrong);
    expect(error.code).toBe("BAD_VALUE");
    for (const part of ["user:{id}", "name: ", "visits: ", "meta.tags.0: "]) expect(error.message).toContain(part);
    await expect(
      wb.transaction((tx) => tx.collection(checked).set({ id: 1 }, { name: "", visits: 1, meta: null })),
    ).rejects.toMatchObject({ code: "BAD_VALUE" });
    expect((await of.get({ id: 1 }))?.name).toBe("Ada");
  });

  test("may answer later, and may know nothing of the key", async () => {
    const late = collection("user:{id}", {
      table: "users",
      schema: z.object({ name: z.string() }).refine(async ({ name }) => Promise.resolve(name !== "no"), "not this one"),
    });
    const { wb } = await opened(late);
    await wb.collection(late).set({ id: 5 }, { name: "yes" });
    expect((await refusalOf(wb.collection(late).set({ id: 5 }, { name: "no" }))).message).toContain(": not this one");
    expect((await wb.collection(late).get({ id: 5 }))?.name).toBe("yes");
  });
});
