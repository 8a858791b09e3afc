/** What is particular to the PostgreSQL store, beyond the suite that all stores pass. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import fc from "fast-check";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hash, logA, logB, merge, replace, value, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { WriteBehindError } from "../src/errors.js";
import { createStore, ownTablesSql, postgres } from "../src/store/postgres/index.js";
import { byteaArray, bytesOfCell, int8Array, textArray } from "../src/store/postgres/postgres-cell.js";
import { lookAtPosition } from "../src/store/postgres/postgres-look.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf, type PostgresOptions } from "../src/store/postgres/postgres-url.js";
import { ownTablesSql as sqliteTablesSql } from "../src/store/sqlite/index.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const eventually = { timeout: 20_000, interval: 5 };
const key = bytesOfText("user:1:name");
const alice = replace(bytesOfText("Alice"));

describePostgres("the PostgreSQL store by itself", postgresVersions(), (server) => {
  let open: { close(): unknown }[] = [];
  let database = "";
  let count = 0;

  beforeEach(async () => {
    open = [];
    database = `store_${count++}`;
    await server().sql(`CREATE DATABASE ${database}`);
  });

  afterEach(async () => {
    for (const each of open) await each.close();
  });

  function storeOn(options: PostgresOptions = {}, url = server().url(database)): PostgresStore {
    const store = new PostgresStore(placeOf({ url, ...options }));
    open.push(store);
    return store;
  }

  async function writerOn(options: PostgresOptions = {}, logId = logA, url?: string): Promise<WriterLike> {
    const store = storeOn(options, url);
    return WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} }, logId);
  }

  const sql = (text: string): Promise<string[]> => server().sql(text, database);

  async function failure(promise: Promise<unknown>): Promise<Error> {
    return promise.then(
      () => new Error("it did not fail"),
      (thrown: unknown) => thrown as Error,
    );
  }

  test("the view shows text where bytes are text, and the fields of a hash", async () => {
    const writer = await writerOn();
    await writer.commit([
      [key, alice],
      [bytesOfText("café"), replace(bytesOfText("Zoë 😀"), 1500)],
      [bytesOfText("user:2"), merge({ name: "Bob", city: "Köln" })],
      ["\xff\0" as Bytes, replace("\xc3\x28" as Bytes)],
      ["" as Bytes, replace("a\0b" as Bytes)],
    ]);
    const view = "SELECT key, type, value, extract(epoch FROM expires_at)::float FROM write_behind_kv_text";
    expect(await sql(`${view} ORDER BY type, value COLLATE "C", key`)).toEqual([
      'user:2|hash|{"city": "Köln", "name": "Bob"}|',
      "user:1:name|string|Alice|",
      "café|string|Zoë 😀|1.5",
      "|string|\\x610062|",
      "\\xff00|string|\\xc328|",
    ]);
    expect(await sql("SELECT value FROM write_behind_kv WHERE key = 'user:1:name'")).toEqual(["Alice"]);
  });

  test("a commit is durable, bounded in time and planned for indexes, whatever the database's settings are", async () => {
    for (const setting of ["synchronous_commit = off", "statement_timeout = 0", "lock_timeout = 0", "jit = on"])
      await sql(`ALTER DATABASE ${database} SET ${setting}`);
    const url = `${server().url(database)}?statement_timeout=41000&lock_timeout=7000`;
    const writer = await writerOn({}, logA, url);
    const names = [
      "synchronous_commit",
      "statement_timeout",
      "lock_timeout",
      "idle_in_transaction_session_timeout",
      "jit",
    ];
    await sql(
      "CREATE TABLE seen (name text, setting text); " +
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " +
        `INSERT INTO seen SELECT n, current_setting(n) FROM unnest(ARRAY['${names.join("','")}']) n; RETURN new; END $$; ` +
        "CREATE TRIGGER look AFTER INSERT ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION look()",
    );
    await writer.commit([[key, alice]]);
    expect(await sql("SELECT * FROM seen")).toEqual([
      "synchronous_commit|on",
      "statement_timeout|41s",
      "lock_timeout|7s",
      "idle_in_transaction_session_timeout|10s",
      "jit|off",
    ]);
    await sql(`DELETE FROM seen; ALTER DATABASE ${database} SET synchronous_commit = remote_apply`);
    await (await writerOn()).commit([[bytesOfText("b"), alice]], { expected: writer.position });
    expect(await sql("SELECT setting FROM seen LIMIT 1")).toEqual(["remote_apply"]);
  });

  test("a replace after a remove deletes and inserts; a replace alone updates", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    await sql(
      "CREATE TABLE seen (n serial, what text); " +
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen (what) VALUES (tg_op); RETURN null; END $$; " +
        "CREATE TRIGGER look AFTER INSERT OR UPDATE OR DELETE ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION look()",
    );
    await writer.commit([[key, replace(bytesOfText("Bob"))]]);
    await writer.commit([[key, replace(bytesOfText("Carol"), null, true)]]);
    expect(await sql("SELECT what FROM seen ORDER BY n")).toEqual(["UPDATE", "DELETE", "INSERT"]);
  });

  test("no field is left behind when a hash goes", async () => {
    const writer = await writerOn();
    const records = ["removed", "replaced", "string", "swept", "removed and anew"].map(bytesOfText) as [
      Bytes,
      Bytes,
      Bytes,
      Bytes,
      Bytes,
    ];
    await writer.commit(records.map((record) => [record, replace(hash({ a: "1", b: "2" }), 1000)]));
    await writer.commit(
      [
        [records[0], { kind: "remove" }],
        [records[1], replace(hash({ c: "3" }))],
        [records[2], alice],
        [records[4], replace(bytesOfText("x"), null, true)],
      ],
      { sweepUpTo: 1000 },
    );
    expect(await sql("SELECT convert_from(key, 'UTF8'), convert_from(field, 'UTF8') FROM write_behind_field")).toEqual([
      "replaced|c",
    ]);
  });

  test("the own tables in a schema of their own, whatever its name; each schema has a queue of its own", async () => {
    const writer = await writerOn({ ownSchema: 'My "own" schema' });
    const other = await writerOn({ ownSchema: "other" }, logB);
    await writer.commit([[key, alice]]);
    await other.commit([[key, replace(bytesOfText("Bob"))]]);
    expect(await writer.value(key)).toEqual(value(bytesOfText("Alice")));
    expect(await sql('SELECT value FROM "My ""own"" schema".write_behind_kv_text')).toEqual(["Alice"]);
    expect(await sql("SELECT value FROM other.write_behind_kv_text")).toEqual(["Bob"]);
    expect(await sql("SELECT to_regclass('write_behind_kv')")).toEqual([""]);
    expect(writer.store.place).toContain('(schema My "own" schema)');
  });

  test("the URL says where the own tables are, too, and whether they are made", async () => {
    const url = new URL(server().url(database));
    url.searchParams.set("own_schema", "by url");
    url.searchParams.set("create_tables", "false");
    const error = await failure(storeOn({}, url.href).open({ logId: logA }));
    expect(error.message).toContain(`this makes them:\n${ownTablesSql("by url")}`);
    url.searchParams.set("create_tables", "perhaps");
    expect(() => postgres(url.href)).toThrow("`create_tables` in the URL is true or false");
  });

  test("createTables: false makes nothing, says what to run, and works for a user without rights once that was run", async () => {
    await sql("DO $$ BEGIN CREATE ROLE modest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    const url = server().url(database).replace("postgres@", "modest@");
    const store = storeOn({ ownSchema: "wb", createTables: false }, url);
    const error = await failure(store.open({ logId: logA }));
    expect(error).toMatchObject({ name: "StoreError", kind: "broken" });
    expect(error.message).toContain(`this makes them:\n${ownTablesSql("wb")}`);
    expect(await sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'wb'")).toEqual(["0"]);
    await sql(
      `${ownTablesSql("wb")}; GRANT USAGE ON SCHEMA wb TO modest; ` +
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA wb TO modest",
    );
    expect((await store.open({ logId: logA })).position).toBe(null);
    const writer = await writerOn({ ownSchema: "wb" }, logA, url);
    await writer.commit(
      [
        [key, alice],
        [bytesOfText("h"), merge({ a: "1" }, ["b"])],
      ],
      { sweepUpTo: 1 },
    );
    await writer.commit([], { clear: true });
  });

  test("many that start at once on an empty database: all open, each with a generation of its own", async () => {
    const opened = await Promise.all(
      Array.from({ length: 8 }, () => storeOn({ ownSchema: "fresh" }).open({ logId: logA })),
    );
    expect(new Set(opened.map(({ generation }) => generation))).toHaveProperty("size", 8);
  });

  test("where the database went back a claim still has a number that none had before", async () => {
    const { store, generation } = await writerOn();
    await sql("UPDATE write_behind_position SET generation = 0");
    expect((await store.open({ logId: logA })).generation).toBeGreaterThan(generation);
  });

  test("a read does not wait for a commit, and a commit not for a read", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    const other = new Client({ connectionString: server().url(database) });
    await other.connect();
    await other.query("BEGIN; SELECT * FROM write_behind_position FOR UPDATE");
    const commit = writer.commit([[key, replace(bytesOfText("Bob"))]]);
    await expect.poll(() => sql("SELECT count(*) FROM pg_locks WHERE NOT granted"), eventually).toEqual(["1"]);
    expect(await writer.value(key)).toEqual(value(bytesOfText("Alice")));
    await other.query("ROLLBACK");
    await other.end();
    await commit;
    expect(await writer.value(key)).toEqual(value(bytesOfText("Bob")));
  });

  test("a value of 64 MB comes back", async () => {
    const writer = await writerOn();
    const all = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");
    const large = all.repeat(2 ** 18) as Bytes;
    await writer.commit([[key, replace(large)]]);
    expect((await writer.value(key))?.content === large).toBe(true);
  });

  test("the longest key and field that are let in at the door fit into an index, however little they compress", async () => {
    const writer = await writerOn();
    let state = 7;
    const next = (): number => (state = (state * 48_271) % 2_147_483_647);
    const random = (length: number): Bytes =>
      Array.from({ length }, () => String.fromCharCode(next() % 256)).join("") as Bytes;
    const { keyBytesMax } = writer.store.limits;
    const [long, half, field] = [random(keyBytesMax), random(keyBytesMax / 2), random(keyBytesMax / 2)];
    await writer.commit([
      [long, alice],
      [half, replace(new Map([[field, key]]))],
    ]);
    await writer.commit([], {
      parking: {
        drop: [],
        put: [
          {
            id: 1,
            letters: [],
            behind: new Map([[long, { position: writer.position as never, change: alice, frames: 1 }]]),
          },
        ],
      },
    });
    expect(await writer.store.read([long, half])).toEqual([
      value(bytesOfText("Alice")),
      value(new Map([[field, key]])),
    ]);
  });

  test("FLUSHALL may take longer than a statement may", async () => {
    const writer = await writerOn({}, logA, `${server().url(database)}?statement_timeout=1000`);
    await writer.commit([[key, alice]]);
    await sql(
      "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN old; END $$; " +
        "CREATE TRIGGER slow BEFORE DELETE ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    expect(await failure(writer.commit([[key, { kind: "remove" }]]))).toMatchObject({ blamesBatch: true });
    await writer.commit([], { clear: true });
    expect(await writer.value(key)).toBe(null);
  });

  test("a table of rows is gone: broken, and not made anew without its rows; the position alone is", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    await sql("DROP TABLE write_behind_field CASCADE");
    for (const _ of ["it stays so", "however often it is opened"]) {
      const error = await failure(writer.store.open({ logId: logA }));
      expect(error).toMatchObject({
        kind: "broken",
        message: expect.stringContaining("write_behind_field in the database") as string,
      });
    }
    await sql(ownTablesSql());
    await writer.store.open({ logId: logA });
    await sql("DROP TABLE write_behind_position");
    expect((await writer.store.open({ logId: logA })).position).toBe(null);
    expect(await writer.value(key)).toEqual(value(bytesOfText("Alice")));
  });

  test("a database in another encoding is refused", async () => {
    await server().sql(`CREATE DATABASE ${database}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII'`);
    const error = await failure(storeOn({}, server().url(`${database}_ascii`)).open({ logId: logA }));
    expect(error).toMatchObject({ kind: "broken", message: expect.stringContaining("is in SQL_ASCII") as string });
  });

  test("a look tells position and owner and changes nothing; before any queue it says so", async () => {
    const described = { url: server().url(database) };
    expect(await failure(lookAtPosition(described))).toMatchObject({
      message: expect.stringContaining("no queue has ever written") as string,
    });
    expect(await sql("SELECT to_regclass('write_behind_position')")).toEqual([""]);
    const writer = await writerOn();
    const { to } = await writer.commit([[key, alice]]);
    expect(await lookAtPosition(described)).toMatchObject({ position: to, owner: logA });
    await writer.commit([]);
  });

  test("arrays travel as they are", async () => {
    const client = new Client({ connectionString: server().url(database) });
    await client.connect();
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString("latin1") as Bytes);
    const columns = fc.record({
      bytes: fc.array(fc.option(bytes), { maxLength: 20 }),
      numbers: fc.array(fc.option(fc.maxSafeInteger()), { maxLength: 20 }),
      texts: fc.array(fc.option(fc.string({ unit: "grapheme" })), { maxLength: 20 }),
    });
    const text =
      "SELECT ARRAY(SELECT x::text FROM unnest($1::bytea[]) x), ARRAY(SELECT x::text FROM unnest($2::bigint[]) x), $3::text[]";
    await fc.assert(
      fc.asyncProperty(columns, async ({ bytes, numbers, texts }) => {
        const values = [byteaArray(bytes), int8Array(numbers), textArray(texts)];
        const { rows } = await client.query<(string | null)[][]>({ text, values, rowMode: "array" });
        const [b, n, t] = rows[0] as [(string | null)[], (string | null)[], (string | null)[]];
        expect(b.map((cell) => (cell === null ? null : bytesOfCell(cell)))).toEqual(bytes);
        expect(n.map((cell) => (cell === null ? null : Number(cell) + 0))).toEqual(
          numbers.map((each) => (each === null ? null : each + 0)),
        );
        expect(t).toEqual(texts.map((each) => each?.replaceAll("\0", "\ufffd") ?? null));
      }),
      { numRuns: 200 },
    );
    await client.end();
  });
});

describe("postgres(…)", () => {
  const secret = "s3cret-word";

  test("describes a store, and shows no password", () => {
    const described = postgres(`postgresql://me:${secret}@db.example:6000/app?sslmode=verify-full&password=${secret}`);
    expect(described).toMatchObject({ kind: "postgres", reads: "caller", limits: { keyBytesMax: 2600 } });
    const store = createStore(described.options);
    expect(store.place).toBe("postgres://db.example:6000/app");
    expect(structuredClone(described)).toEqual(described);
  });

  test("what is wrong is CONFIG, and repeats no password", () => {
    const wrong: (() => unknown)[] = [
      () => postgres(`mysql://me:${secret}@h/d`),
      () => postgres(`postgres://me:${secret}@h:port/d`),
      () => postgres(`me:${secret}`),
      () => postgres(undefined as never),
      () => postgres(`postgres://me:${secret}@h/d?prepare=maybe`),
      () => postgres(`postgres://me:${secret}@h/d?statement_timeout=1s`),
      () => postgres(`postgres://me:${secret}@h/d`, { ownSchema: "" }),
      () => postgres(`postgres://me:${secret}@h/d`, { createTables: "no" as never }),
    ];
    for (const make of wrong) {
      const error = thrown(make);
      expect(error).toMatchObject({ code: "CONFIG" });
      expect(`${error.stack} ${String(error.cause)} ${error.hint}`).not.toContain(secret);
    }
  });

  function thrown(make: () => unknown): WriteBehindError {
    try {
      make();
    } catch (error) {
      if (error instanceof WriteBehindError) return error;
    }
    throw new Error("it did not fail so");
  }

  test("without the driver: DRIVER_MISSING, and how to install it", () => {
    const folder = mkdtempSync(join(tmpdir(), "write-behind-driver-"));
    try {
      const compiled = join(dirname(fileURLToPath(import.meta.url)), "..", "src");
      cpSync(compiled, join(folder, "src"), { recursive: true });
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
      // Routes are read with it: it is there wherever this package is.
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(
        dirname(createRequire(import.meta.url).resolve("zod/package.json")),
        join(folder, "node_modules", "zod"),
      );
      // A process of its own: the test runner finds packages beside itself for everybody.
      const script = `
        import { createStore } from "./src/store/postgres/index.js";
        const store = createStore({ url: "postgres://h/d" });
        const say = ({ code, hint }) => console.log(code, hint);
        await store.open({ logId: "a" }).catch(say);
        await store.read([]).catch(say);
        await store.close();`;
      writeFileSync(join(folder, "try.mjs"), script);
      const { stdout } = spawnSync(process.execPath, ["try.mjs"], { cwd: folder, encoding: "utf8" });
      expect(stdout).toBe("DRIVER_MISSING npm install pg\nDRIVER_MISSING npm install pg\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test("the SQL of the own tables makes them, in SQLite as well", () => {
  const database = new DatabaseSync(":memory:");
  database.exec(sqliteTablesSql());
  expect(database.prepare("SELECT count(*) AS n FROM write_behind_position").get()).toEqual({ n: 0 });
  database.close();
});
