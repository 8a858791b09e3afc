import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hash, logA, merge, rejectsAs, replace, value, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { remove } from "../src/change.js";
import { canonical } from "../src/routes/canonical.js";
import { readRoutes, type Route } from "../src/routes/route.js";
import type { TableSchema } from "../src/routes/table.js";
import { createStore, lookAtTables, sqlOfOwnTables } from "../src/store/sqlite/index.js";
import type { SqliteConnection, Statement } from "../src/store/sqlite/sqlite-connection.js";
import { StatementCache } from "../src/store/sqlite/sqlite-statement-cache.js";
import type { Page } from "../src/store/store.js";

const text = bytesOfText;
const one = text("user:1");
const two = text("user:2");

let folder = "";
let file = "";
let shell: DatabaseSyncInstance;
let open: { close(): unknown }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "write-behind-tables-"));
  file = join(folder, "app.db");
  shell = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  open = [{ close: () => shell.isOpen && shell.close() }];
});

afterEach(async () => {
  for (const each of open) await each.close();
  rmSync(folder, { recursive: true });
});

async function writerWith(...routes: readonly Route[]): Promise<WriterLike> {
  const store = createStore({ file }, readRoutes(routes));
  open.push(store);
  return WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} }, logA);
}

async function schemaOf(table: string, key: string): Promise<TableSchema> {
  const [schema] = await lookAtTables({ file }, readRoutes([{ key, table }]));
  return schema as TableSchema;
}

function cells(sql: string): unknown[][] {
  return (shell.prepare(sql).all() as Record<string, unknown>[]).map((row) => Object.values(row));
}

describe("what is found of a table", () => {
  test("the type of a column is told by its declared name, then by SQLite's rules of affinity", async () => {
    const kinds: Record<string, string> = {
      INTEGER: "integer",
      "UNSIGNED BIG INT": "integer",
      "VARCHAR(255)": "text",
      "NATIVE CHARACTER(70)": "text",
      CLOB: "text",
      "DOUBLE PRECISION": "float",
      FLOAT: "float",
      BLOB: "bytes",
      "": "bytes",
      "DECIMAL(10,5)": "affinity",
      DATE: "affinity",
      DATETIME: "affinity",
      timestamp: "affinity",
      boolean: "boolean",
      BOOL: "boolean",
      json: "json",
      JSONB: "json",
      Uuid: "uuid",
      "FLOATING POINT": "integer",
    };
    const columns = Object.keys(kinds).map((declared, n) => `c${n} ${declared}`);
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns.join(", ")})`);
    const schema = await schemaOf("t", "t:{id}");
    expect(schema.columns.slice(1).map(({ type }) => type.kind)).toEqual(Object.values(kinds));
    expect(schema.columns[1]?.typeName).toBe("INTEGER");
  });

  test("NULLs, defaults, generated columns and triggers", async () => {
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, a text NOT NULL, b text DEFAULT 'x',
      c int AS (id + 1) STORED, d int AS (id + 2))`);
    expect((await schemaOf("t", "t:{id}")).hasTriggers).toBe(false);
    shell.exec("CREATE TRIGGER tr AFTER INSERT ON T BEGIN SELECT 1; END");
    const schema = await schemaOf("t", "t:{id}");
    expect(schema.hasTriggers).toBe(true);
    expect(
      schema.columns.map(({ name, nullable, hasDefault, generated }) => [name, nullable, hasDefault, generated]),
    ).toEqual([
      ["id", false, true, false],
      ["a", false, false, false],
      ["b", true, true, false],
      ["c", true, false, true],
      ["d", true, false, true],
    ]);
  });

  test("keys: the primary key first, then unique indexes of plain columns that take no NULL, over all rows", async () => {
    shell.exec(`CREATE TABLE t (a int NOT NULL, b text NOT NULL, c text UNIQUE, d text NOT NULL, e text NOT NULL UNIQUE,
      UNIQUE (d, e), PRIMARY KEY (b, a)) WITHOUT ROWID`);
    shell.exec("CREATE UNIQUE INDEX part ON t (d) WHERE a > 0; CREATE UNIQUE INDEX expression ON t (lower(d))");
    const schema = await schemaOf("t", "t:{a}:{b}");
    expect(schema.uniqueKeys[0]).toEqual(["b", "a"]);
    expect(new Set(schema.uniqueKeys.slice(1))).toEqual(new Set([["d", "e"], ["e"]]));
    expect(schema.problems).toEqual([]);
  });

  test("references, with the tables named as the routes do", async () => {
    shell.exec(`CREATE TABLE users (id INTEGER PRIMARY KEY);
      CREATE TABLE others (a int, b int, PRIMARY KEY (a, b));
      CREATE TABLE t (id INTEGER PRIMARY KEY, u int REFERENCES USERS ON DELETE CASCADE, x int, y int,
        v int REFERENCES users (id) ON DELETE SET DEFAULT,
        FOREIGN KEY (x, y) REFERENCES others (a, b) ON DELETE RESTRICT)`);
    const routes = readRoutes([
      { key: "t:{id}", table: "t" },
      { key: "u:{id}", table: "main.Users" },
    ]);
    const [t, users] = await lookAtTables({ file }, routes);
    expect(users?.name).toBe("main.Users");
    expect(t?.references.toSorted((a, b) => ((a.columns[0] as string) < (b.columns[0] as string) ? -1 : 1))).toEqual([
      { columns: ["u"], table: "main.Users", onDelete: "cascade", waits: true },
      { columns: ["v"], table: "main.Users", onDelete: "set", waits: true },
      { columns: ["x", "y"], table: "others", onDelete: "refuse", waits: true },
    ]);
  });

  test("a key that does not compare its bytes, and what is no table, are problems", async () => {
    shell.exec(`CREATE TABLE declared (name text COLLATE NOCASE PRIMARY KEY, v int);
      CREATE TABLE indexed (name text NOT NULL, v int); CREATE UNIQUE INDEX i ON indexed (name COLLATE RTRIM);
      CREATE TABLE mixed (name text NOT NULL COLLATE NOCASE, v int);
      CREATE UNIQUE INDEX j ON mixed (name COLLATE BINARY);
      CREATE TABLE beside (name text PRIMARY KEY, other text COLLATE NOCASE UNIQUE);
      CREATE VIEW view AS SELECT * FROM declared;
      CREATE VIRTUAL TABLE virtual USING fts5(name)`);
    for (const table of ["declared", "indexed", "mixed"])
      expect((await schemaOf(table, "t:{name}")).problems, table).toEqual([expect.stringContaining("COLLATE BINARY")]);
    expect((await schemaOf("beside", "t:{name}")).problems).toEqual([]);
    expect((await schemaOf("view", "t:{name}")).problems).toEqual([expect.stringContaining("is a view")]);
    expect((await schemaOf("virtual", "t:{name}")).problems).toEqual([expect.stringContaining("is a virtual")]);
  });

  test("looking changes nothing; tables that are not there are left out, and the own tables too", async () => {
    shell.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    shell.exec(sqlOfOwnTables());
    shell.close();
    const before = readFileSync(file);
    const routes = readRoutes(["t", "gone", "write_behind_kv"].map((table) => ({ key: `${table}:{id}`, table })));
    expect((await lookAtTables({ file }, routes)).map(({ name }) => name)).toEqual(["t"]);
    expect(readFileSync(file)).toEqual(before);
    await rejectsAs("broken", lookAtTables({ file: join(folder, "no.db") }, routes));
  });

  test("own tables that were made by hand are the store's", async () => {
    shell.exec(sqlOfOwnTables());
    const writer = await writerWith();
    await writer.commit([[one, replace(text("x"))]]);
    expect(cells("SELECT key, value FROM write_behind_kv")).toEqual([["user:1", "x"]]);
  });
});

describe("what others have written", () => {
  test("a value that is not of its column's type is given as it is", async () => {
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT, b BOOLEAN, j JSON, u UUID,
        d DATETIME);
      INSERT INTO t VALUES (1, 'many', 'much', x'ff00', 2, '{broken', 5, 1795000000);
      INSERT INTO t VALUES (2, 9007199254740993, 3, 'x', 1, '[1]', '01234567-89AB-CDEF-0123-456789ABCDEF',
        '2026-11-24')`);
    const writer = await writerWith({ key: "user:{id}", table: "t" });
    expect(await writer.value(one)).toEqual(
      value(
        new Map(
          Object.entries({ n: "many", r: "much", s: "\xff\0", b: "2", j: "{broken", u: "5", d: "1795000000" }) as [
            Bytes,
            Bytes,
          ][],
        ),
      ),
    );
    const read = (await writer.value(two))?.content as ReadonlyMap<Bytes, Bytes>;
    expect([read.get(text("n")), read.get(text("r")), read.get(text("b"))]).toEqual(["9007199254740993", "3", "true"]);
    expect(read.get(text("u"))?.toLowerCase()).toBe("01234567-89ab-cdef-0123-456789abcdef");
    await writer.commit([[one, merge({ n: "1" })]]);
    expect(cells("SELECT typeof(n) FROM t WHERE id = 1")).toEqual([["integer"]]);
  });

  test("rows that no key leads to are in no page: NULL, another type, another spelling", async () => {
    shell.exec(`CREATE TABLE t (k TEXT PRIMARY KEY, v int);
      INSERT INTO t VALUES (NULL, 1), (NULL, 2), (NULL, 3), ('a', 1), (x'62', 1), ('c', 1);
      CREATE TABLE n (k INTEGER NOT NULL, v int, UNIQUE (k)); INSERT INTO n VALUES (1, 1), ('x', 1), (2.5, 1), (3, 1)`);
    const writer = await writerWith({ key: "t:{k}", table: "t" }, { key: "n:{k}", table: "n" });
    const pages = async (table: string): Promise<Bytes[]> => {
      const records: Bytes[] = [];
      for (let page: Page | null = null; page === null || page.next !== null; records.push(...page.records))
        page = await writer.store.scan(page?.next ?? null, 1, 0, table);
      return records;
    };
    expect(await pages("t")).toEqual(["t:a", "t:c"]);
    expect(await pages("n")).toEqual(["n:1", "n:3"]);
  });

  test("moments: numbers in a column of integers, texts of SQLite and of ISO 8601 elsewhere", async () => {
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, ends INTEGER); INSERT INTO t VALUES (1, 5000), (2, 'soon');
      CREATE TABLE d (id INTEGER PRIMARY KEY, ends DATETIME);
      INSERT INTO d VALUES (1, '2026-11-24 21:43:18'), (2, '2026-11-24T21:43:18.120Z'),
        (3, '2026-11-24T22:43:18+01:00'),
        (4, '2026-11-24'), (5, 7000), (6, 'soon')`);
    const writer = await writerWith(
      { key: "t:{id}", table: "t", expiresAt: "ends" },
      { key: "d:{id}", table: "d", expiresAt: "ends" },
    );
    const endsOf = async (records: string[]): Promise<unknown[]> =>
      (await writer.store.read(records.map(text))).map((read) => read?.expiresAt);
    expect(await endsOf(["t:1", "t:2"])).toEqual([5000, null]);
    const [at, day] = [Date.UTC(2026, 10, 24, 21, 43, 18), Date.UTC(2026, 10, 24)];
    expect(await endsOf([1, 2, 3, 4, 5, 6].map((id) => `d:${id}`))).toEqual([at, at + 120, at, day, 7000, null]);
    await writer.commit([
      [text("t:7"), replace(hash({}), 1234)],
      [text("d:7"), replace(hash({}), at + 7 + 172_800_000)],
    ]);
    expect(cells("SELECT ends, typeof(ends) FROM t WHERE id = 7")).toEqual([[1234, "integer"]]);
    expect(cells("SELECT ends FROM d WHERE id = 7")).toEqual([["2026-11-26 21:43:18.007"]]);
    // A text with a T in it is gone for reads at once, and for good a day later.
    await writer.commit([], { sweepUpTo: at + 86_400_000 });
    expect(cells("SELECT id FROM t")).toEqual([[2]]);
    expect(cells("SELECT id FROM d")).toEqual([[6], [7]]);
  });
});

describe("what SQLite does in its own way", () => {
  test("a unique index that was declared to replace overwrites nobody's row", async () => {
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, mail text UNIQUE ON CONFLICT REPLACE, n int NOT NULL ON CONFLICT
      REPLACE DEFAULT 5); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)`);
    const writer = await writerWith({ key: "user:{id}", table: "t" });
    for (const change of [merge({ mail: "a" }), replace(hash({ mail: "a" })), merge({}, ["n"])])
      await rejectsAs("refused", writer.store.commit(writer.batch([[two, change]])));
    await rejectsAs("refused", writer.store.commit(writer.batch([[text("user:3"), replace(hash({ mail: "a" }))]])));
    expect(cells("SELECT * FROM t")).toEqual([
      [1, "a", 1],
      [2, "b", 2],
    ]);
  });

  test("rows that refer to each other go in one batch: what may wait is checked at its end", async () => {
    shell.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, next int REFERENCES t)");
    const writer = await writerWith({ key: "user:{id}", table: "t" });
    await writer.commit([
      [one, merge({ next: "2" })],
      [two, replace(hash({ next: "1" }))],
    ]);
    expect(cells("SELECT * FROM t")).toEqual([
      [1, 2],
      [2, 1],
    ]);
    await rejectsAs("refused", writer.store.commit(writer.batch([[one, remove]])));
    await writer.commit([
      [one, remove],
      [two, remove],
    ]);
  });

  test("a default in double quotes, or an expression, is what a replace sets", async () => {
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, a text DEFAULT "b", b text DEFAULT 'it''s',
        c int DEFAULT (1 + 2));
      INSERT INTO t VALUES (1, 'x', 'y', 9)`);
    const writer = await writerWith({ key: "user:{id}", table: "t" });
    await writer.commit([[one, replace(hash({}))]]);
    expect(cells("SELECT * FROM t")).toEqual([[1, "b", "it's", 3]]);
  });

  test("STRICT and WITHOUT ROWID tables", async () => {
    shell.exec(`CREATE TABLE t (a TEXT, b INTEGER, n REAL, x ANY, y BLOB, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID`);
    const writer = await writerWith({ key: "t:{a}:{b}", table: "t" });
    const record = text("t:k:5");
    await writer.commit([[record, replace(hash({ n: "1.5", x: "5", y: "z" }))]]);
    expect(await writer.value(record)).toEqual(value(hash({ n: "1.5", x: "5", y: "z" })));
    expect(cells("SELECT a, b, n, typeof(x), typeof(y) FROM t")).toEqual([["k", 5, 1.5, "text", "blob"]]);
    await writer.commit([[record, remove]]);
    expect(cells("SELECT * FROM t")).toEqual([]);
  });

  test("the last number of a column that holds it alone is not counted on: a key is always given", async () => {
    shell.exec("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v text)");
    const writer = await writerWith({ key: "user:{id}", table: "t" });
    await writer.commit([[text("user:9223372036854775807"), merge({ v: "x" })]]);
    expect(cells("SELECT CAST(id AS TEXT), v FROM t")).toEqual([["9223372036854775807", "x"]]);
  });

  test("a trigger that rolls everything back when a row is swept loses nothing of the batch", async () => {
    shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v text, ends INTEGER);
      CREATE TRIGGER keep BEFORE DELETE ON t WHEN old.v = 'kept' BEGIN SELECT RAISE(ROLLBACK, 'no'); END`);
    const writer = await writerWith({ key: "user:{id}", table: "t", expiresAt: "ends" });
    await writer.commit([
      [one, replace(hash({ v: "x" }), 1000)],
      [two, replace(hash({ v: "kept" }), 1001)],
    ]);
    await writer.commit([[text("user:3"), replace(hash({ v: "y" }))]], { sweepUpTo: 5000 });
    expect(cells("SELECT id FROM t")).toEqual([[1], [2], [3]]);
    expect((await writer.store.open({ logId: logA })).position).toEqual(writer.position);
  });

  test("a table whose ends no index finds is looked through once a minute of log time", async () => {
    shell.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v text, ends INTEGER)");
    const writer = await writerWith({ key: "user:{id}", table: "t", expiresAt: "ends" });
    const sweep = async (upTo: number): Promise<unknown> => {
      await writer.commit([[one, replace(hash({}), 1)]], { sweepUpTo: upTo });
      return cells("SELECT count(*) FROM t")[0]?.[0];
    };
    expect([await sweep(1000), await sweep(60_999), await sweep(61_000), await sweep(61_001)]).toEqual([0, 1, 0, 1]);
    shell.exec("CREATE INDEX i ON t (ends)");
    writer.generation = (await writer.store.open({ logId: logA })).generation;
    expect([await sweep(61_002), await sweep(61_003)]).toEqual([0, 0]);
  });
});

test("prepared statements are bounded, and the ones in use stay", () => {
  const prepared: string[] = [];
  const connection = { prepare: (sql: string) => (prepared.push(sql), { sql } as unknown as Statement) };
  const cache = new StatementCache(connection as unknown as SqliteConnection);
  for (let n = 0; n < 1000; n++) {
    cache.get("often", () => "often");
    cache.get(`rare ${n}`, () => `rare ${n}`);
  }
  expect(prepared.filter((sql) => sql === "often")).toHaveLength(1);
  prepared.length = 0;
  for (let n = 999; n >= 0; n--) cache.get(`rare ${n}`, () => `rare ${n}`);
  expect(prepared).toHaveLength(745);
});

/** Texts that look like numbers, also such as are written oddly or lie at the end of a range. */
const numbers = fc.oneof(
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.stringMatching(/^[ \t]?[+-]?[0-9]{0,22}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?[ \n]?$/),
  fc.stringMatching(/^-?[01]\.(?:9{10,20}|0{10,20}1)$/),
  fc.constantFrom("0x10", "-0.0", "1.", "+.5", "1e", "9223372036854775807", "9223372036854775808", "Infinity", "NaN"),
);

const anyText = fc.oneof(
  numbers.map(bytesOfText),
  fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.uuid(), fc.constantFrom("true", "f", "0")).map(bytesOfText),
  fc.uint8Array().map((made) => Buffer.from(made).toString("latin1") as Bytes),
);

test("every value that a column takes is read again as the same text", async () => {
  const declared = ["BIGINT", "TEXT", "REAL", "NUMERIC", "DATETIME", "BOOLEAN", "JSON", "UUID", "BLOB", "", "CHAR(3)"];
  shell.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, ${declared.map((type, n) => `c${n} ${type}`).join(", ")})`);
  const writer = await writerWith({ key: "t:{id}", table: "t" });
  const columns = (await schemaOf("t", "t:{id}")).columns.slice(1);
  await fc.assert(
    fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 40 }), async (raws) => {
      const contents = raws.map((raw) => {
        const taken = columns.map(({ name, type }) => [text(name), canonical(type, raw)] as const);
        return new Map(taken.filter((each): each is readonly [Bytes, Bytes] => typeof each[1] === "string"));
      });
      const records = contents.map((_, n) => text(`t:${n}`));
      await writer.commit(records.map((record, n) => [record, replace(contents[n] as Map<Bytes, Bytes>)]));
      expect(await writer.store.read(records)).toEqual(contents.map((content) => value(content)));
    }),
    { numRuns: 60 },
  );
});
