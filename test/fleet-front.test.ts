/** Processes of a fleet, as programs use them: the library on a real Redis and a real PostgreSQL. */
import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { collection, writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { redis } from "../src/redis/index.js";
import { postgres } from "../src/store/postgres/index.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

describeRedis("a fleet", (redisServer) =>
  describePostgres("with PostgreSQL", postgresVersions(), (database) => {
    const open: WriteBehind[] = [];
    let [schema, index] = ["", 0];

    afterEach(async () => {
      for (const wb of open.splice(0)) await wb.close();
    });

    /** Another fleet, and another schema. */
    async function another(): Promise<void> {
      schema = `s${randomBytes(4).toString("hex")}`;
      index = (index + 1) % 16;
      await database().sql(`CREATE SCHEMA ${schema}`);
    }

    async function process(options: Partial<WriteBehindOptions> = {}): Promise<WriteBehind> {
      const wb = await writeBehind({
        cache: redis(`redis://127.0.0.1:${redisServer().port}/${index}`),
        store: postgres(database().url(), { ownSchema: schema }),
        durability: "memory",
        delayMs: 20,
        leaseMs: 1000,
        ...options,
      });
      open.push(wb);
      return wb;
    }

    test("what one process writes another one reads, and counts on", async () => {
      await another();
      const [one, two] = [await process(), await process({ worker: false })];
      await one.set("user:1:name", "Alice");
      expect(await two.get("user:1:name")).toBe("Alice");
      const counts = [one, two].flatMap((wb) => Array.from({ length: 200 }, () => wb.increment("n")));
      await Promise.all(counts);
      expect(await one.get("n")).toBe("400");
      await one.flush();
      const rows = await database().sql(`SELECT key || '=' || value FROM ${schema}.write_behind_kv_text ORDER BY key`);
      expect(rows).toEqual(["n=400", "user:1:name=Alice"]);
    });

    test("a transaction runs again where another process has changed what it read", async () => {
      await another();
      const [one, two] = [await process(), await process()];
      await one.set("{a}:from", "10");
      let tries = 0;
      await one.transaction(async (tx) => {
        tries++;
        const before = Number(await tx.get("{a}:from"));
        if (tries === 1) await two.set("{a}:from", "20");
        tx.set("{a}:from", String(before - 1));
        tx.set("{a}:to", "1");
      });
      expect([tries, await two.get("{a}:from"), await two.get("{a}:to")]).toEqual([2, "19", "1"]);
    });

    test("records of several partitions in one transaction are refused, and named with what to do", async () => {
      await another();
      const wb = await process();
      const keys = new Map(Array.from({ length: 20 }, (_, n) => [`k${n}`, "v"]));
      await expect(wb.setMany(keys)).rejects.toMatchObject({
        code: "CROSSSLOT",
        hint: expect.stringContaining("{user:1}"),
      });
      const together = new Map(Array.from({ length: 20 }, (_, n) => [`{k}${n}`, "v"]));
      await wb.setMany(together);
      expect(await wb.getMany([...together.keys()])).toEqual(Array.from({ length: 20 }, () => "v"));
    });

    test("an own key is refused", async () => {
      await another();
      const wb = await process();
      await expect(wb.set("write-behind:0:log", "x")).rejects.toMatchObject({ code: "BAD_VALUE" });
    });

    test("rows of a table: defaults and generated columns are read as the database has them", async () => {
      await another();
      await database().sql(
        `CREATE TABLE ${schema}.users (id bigint PRIMARY KEY, name text NOT NULL, visits int NOT NULL DEFAULT 7,
          shout text GENERATED ALWAYS AS (upper(name)) STORED)`,
      );
      const users = collection("user:{id}", { table: `${schema}.users` });
      const field = { key: "user:{id}:{column}", table: `${schema}.users` };
      const [one, two] = [await process({ routes: [users, field] }), await process({ routes: [users, field] })];
      await one.collection(users).set({ id: 1 }, { name: "Alice" });
      await one.flush();
      expect(await two.collection(users).get({ id: 1 })).toEqual({ id: 1, name: "Alice", visits: 7, shout: "ALICE" });
      // A blind write of one column of a row that is not in the cache.
      await two.set("user:1:name", "Bob");
      expect(await one.get("user:1:name")).toBe("Bob");
      await two.flush();
      expect(await one.get("user:1:shout")).toBe("BOB");
      expect(await database().sql(`SELECT name || visits FROM ${schema}.users`)).toEqual(["Bob7"]);
    });

    test("a refused change is a dead letter: its receipt says so, reads see it, and a discard ends it", async () => {
      await another();
      await database().sql(
        `CREATE TABLE ${schema}.accounts (id bigint PRIMARY KEY, name text UNIQUE NOT NULL);
         INSERT INTO ${schema}.accounts VALUES (1, 'taken')`,
      );
      const accounts = collection("account:{id}", { table: `${schema}.accounts` });
      const [one, two] = [await process({ routes: [accounts] }), await process({ routes: [accounts], worker: false })];
      const refused = await two.collection(accounts).set({ id: 2 }, { name: "taken" });
      await expect(refused.stored()).rejects.toMatchObject({ code: "REFUSED" });
      expect(await one.collection(accounts).get({ id: 2 })).toMatchObject({ name: "taken" });
      const { items } = await one.deadLetters();
      expect(items).toHaveLength(1);
      const [letter] = items;
      expect(letter?.id).toMatch(/^\d+-\d+$/);
      const report = await two.discardDeadLetters([letter?.id ?? ""]);
      expect(report.items[0]?.became).toBe("discarded");
      expect(await one.collection(accounts).get({ id: 2 })).toBeNull();
    });

    test("other routes are refused while changes are pending, and by processes that run", async () => {
      await another();
      await database().sql(`CREATE TABLE ${schema}.users (id bigint PRIMARY KEY, name text NOT NULL)`);
      const users = collection("user:{id}", { table: `${schema}.users` });
      const one = await process({ routes: [users] });
      await one.pause();
      await one.collection(users).set({ id: 1 }, { name: "Alice" });
      await expect(process()).rejects.toMatchObject({ code: "ROUTE_MISMATCH" });
      await one.resume();
      await one.flush();
      await process();
      await expect
        .poll(() => one.set("user:2", "x").catch((error: { code: string }) => error.code), { timeout: 10_000 })
        .toBe("ROUTE_MISMATCH");
    });
  }),
);
