/** Rows of mapped tables in PostgreSQL: what is particular to it, beyond the suite that all stores pass. */
import fc from "fast-check";
import { Client } from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hash, logA, merge, rejectsAs, replace, value, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { remove } from "../src/change.js";
import { canonical, WrongValue } from "../src/routes/canonical.js";
import type { ColumnType } from "../src/routes/column.js";
import { readRoutes, type Route } from "../src/routes/route.js";
import { createStore } from "../src/store/postgres/index.js";
import { PreparedNames } from "../src/store/postgres/postgres-prepared.js";
import type { Store } from "../src/store/store.js";
import { kindsOfColumns, labels } from "./canonical-values.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const text = bytesOfText;
const one = text("user:1");
const two = text("user:2");
const three = text("user:3");

/** A kind of column as a table is made with it. */
interface Declared {
  readonly type: ColumnType;
  readonly values: fc.Arbitrary<string>;
  readonly declared: string;
}

/** As unlike what the store needs as a database can be made. */
const oddSettings = [
  "DateStyle = 'German'",
  "TimeZone = 'America/St_Johns'",
  "bytea_output = 'escape'",
  "extra_float_digits = -15",
  "standard_conforming_strings = off",
  "backslash_quote = off",
  "escape_string_warning = off",
  "default_transaction_isolation = 'serializable'",
];

for (const programs of postgresVersions()) {
  describePostgres("rows of users' tables", [programs], (server) => {
    let database = "";
    let count = 0;
    let open: Store[] = [];

    beforeEach(async () => {
      database = `rows_${count++}`;
      open = [];
      await server().sql(`CREATE DATABASE ${database}`);
    });

    afterEach(async () => {
      for (const store of open) await store.close();
    });

    const sql = (statements: string): Promise<string[]> => server().sql(statements, database);

    async function writerWith(routes: readonly Route[], query = ""): Promise<WriterLike> {
      const store = createStore({ url: `${server().url(database)}${query}` }, readRoutes(routes));
      open.push(store);
      return WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} }, logA);
    }

    async function reopen(writer: WriterLike): Promise<void> {
      writer.generation = (await writer.store.open({ logId: logA })).generation;
    }

    for (const query of ["", "?prepare=false"])
      test(`any value of any type is read again as its canonical text, whatever the settings are${query}`, async () => {
        await sql(`CREATE TYPE wb_label AS ENUM (${labels.map((label) => `'${label}'`).join(", ")})`);
        for (const setting of oddSettings) await sql(`ALTER DATABASE ${database} SET ${setting}`);
        const kinds = kindsOfColumns.flatMap(({ type, values, postgres }): Declared[] => {
          const declared = type.kind === "bytes" ? "bytea" : postgres;
          return declared === null ? [] : [{ type, values, declared }];
        });
        const columns = kinds.map(({ declared }, n) => `v${n} ${declared}, w${n} ${declared}`);
        await sql(`CREATE TABLE t (id bigint PRIMARY KEY, ${columns.join(", ")})`);
        const writer = await writerWith([{ key: "t:{id}", table: "t" }], query);
        const samples = kinds.map(({ type, values }) =>
          fc
            .sample(values, 400)
            .map((sample) => canonical(type, text(sample)))
            .filter((sample) => !(sample instanceof WrongValue)),
        );
        const rows = Array.from({ length: 150 }, (_, at) => {
          const fields = (name: string, from: number): [Bytes, Bytes][] =>
            samples.map((of, n) => [text(`${name}${n}`), of[(at + from) % of.length] as Bytes]);
          return { record: text(`t:${at}`), first: fields("v", 0), second: fields("w", 150) };
        });
        await writer.commit(rows.map(({ record, first }) => [record, replace(new Map(first))]));
        await writer.commit(
          rows.map(({ record, second }) => [
            record,
            { kind: "merge", fields: { set: new Map(second), unset: new Set() }, expiresAt: undefined },
          ]),
        );
        const read = await writer.store.read(rows.map(({ record }) => record));
        for (const [at, { first, second }] of rows.entries())
          expect(Object.fromEntries((read[at]?.content ?? new Map()) as Map<Bytes, Bytes>)).toEqual(
            Object.fromEntries([...first, ...second]),
          );
      });

    test("what is refused by its type is refused, and never cut off", async () => {
      await sql("CREATE DOMAIN code AS varchar(3) CHECK (value <> 'no'); CREATE TYPE mood AS ENUM ('ok')");
      await sql("CREATE TABLE t (id int PRIMARY KEY, a varchar(3), b code, c mood, d smallint, e text, f char(2))");
      const writer = await writerWith([{ key: "user:{id}", table: "t" }]);
      const bad = { a: "four", b: "four", c: "bad", d: "40000", e: "a\0b", f: "abc" };
      for (const [field, content] of [...Object.entries(bad), ["b", "no"] as const])
        for (const change of [replace(hash({ [field]: content })), merge({ [field]: content })])
          await rejectsAs("refused", writer.store.commit(writer.batch([[one, change]])));
      const broken = new Map([[text("e"), "\xff" as Bytes]]);
      await rejectsAs("refused", writer.store.commit(writer.batch([[one, replace(broken)]])));
      await rejectsAs("refused", writer.store.commit(writer.batch([[text("user:x"), replace(hash({}))]])));
      expect(await writer.store.read([one, text("user:x"), text("user:99999999999")])).toEqual([null, null, null]);
      await writer.commit([[one, replace(hash({ a: "abc", b: "ok", c: "ok", d: "4", e: "x", f: "ab" }))]]);
      expect(await sql("SELECT * FROM t")).toEqual(["1|abc|ok|ok|4|x|ab"]);
    });

    test("no value is ever in a statement's text, and names end where they should", async () => {
      const name = `"; DROP TABLE seen; --'\\ 😀 ${"n".repeat(33)}`;
      expect(Buffer.byteLength(name)).toBe(63);
      const quoted = `"${name.replaceAll('"', '""')}"`;
      await sql(`CREATE TABLE ${quoted} (id text PRIMARY KEY, ${quoted} text, ends timestamptz, "select" text)`);
      await sql(`CREATE TABLE seen (text text); CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO seen VALUES (current_query()); RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END; END $$;
        CREATE TRIGGER look BEFORE INSERT OR UPDATE OR DELETE ON ${quoted} FOR EACH ROW EXECUTE FUNCTION look()`);
      for (const query of ["", "?prepare=false"]) {
        const marked = { set: { select: "it's \\ gone" } };
        const writer = await writerWith([{ key: "o:{id}", table: quoted, expiresAt: "ends", onDelete: marked }], query);
        const secret = "SECRET'; DROP TABLE seen; --\\";
        const [record, plain] = [text("o:SECRET'\"\\;--"), text("o:SECRET")];
        const set = { [name]: secret };
        await writer.commit([[record, replace(hash(set), 1_000)]]);
        await writer.commit([[record, merge(set, [], 2_000)]]);
        await writer.commit([[plain, merge(set, [], 3_000)]], { frames: 2 });
        expect(await writer.store.read([record, plain])).toEqual([value(hash(set), 2_000), value(hash(set), 3_000)]);
        expect((await writer.store.scan(record, 5, 0, quoted)).records).toEqual([]);
        expect((await writer.store.scan(plain, 5, 0, quoted)).records).toEqual([record]);
        await writer.commit([[record, remove]]);
        await writer.commit([], { sweepUpTo: 5_000 });
        expect(await sql(`SELECT "select" FROM ${quoted}`)).toEqual(["it's \\ gone", "it's \\ gone"]);
        expect(Number((await sql("SELECT count(*) FROM seen "))[0])).toBe(5);
        expect(await sql("SELECT text FROM seen WHERE text ~ 'SECRET'")).toEqual([]);
        await sql(`DELETE FROM seen; TRUNCATE ${quoted}`);
        await sql("UPDATE write_behind_position SET owner = NULL, log_id = NULL, sequence = NULL, tag = NULL");
      }
    });

    test("identity and serial columns: a key's number is given, another one's is left to the database", async () => {
      await sql(`CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, twice text
          GENERATED ALWAYS AS (v || v) STORED);
        CREATE TABLE o (k text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v text)`);
      const writer = await writerWith([
        { key: "user:{id}", table: "t" },
        { key: "o:{k}", table: "o" },
      ]);
      const other = text("o:x");
      await writer.commit([
        [one, merge({ v: "a" })],
        [two, replace(hash({ v: "b" }))],
        [other, merge({ v: "c" })],
      ]);
      await writer.commit([
        [one, replace(hash({ v: "d" }))],
        [other, replace(hash({ v: "e" }))],
      ]);
      expect(await writer.store.read([one, two, other])).toEqual([
        value(hash({ v: "d", twice: "dd" })),
        value(hash({ v: "b", twice: "bb" })),
        value(hash({ n: "1", v: "e" })),
      ]);
    });

    test("partitioned tables: written, read, listed, swept", async () => {
      await sql(`CREATE TABLE t (id int PRIMARY KEY, v text, ends timestamp(3)) PARTITION BY RANGE (id);
        CREATE TABLE t0 PARTITION OF t FOR VALUES FROM (0) TO (2); CREATE TABLE t1 PARTITION OF t DEFAULT`);
      const writer = await writerWith([{ key: "user:{id}", table: "t", expiresAt: "ends" }]);
      await writer.commit([one, two, three].map((record) => [record, merge({ v: "a" }, [], 1_000)]));
      await writer.commit([
        [one, replace(hash({ v: "b" }), null, true)],
        [two, merge({ v: "c" })],
      ]);
      expect((await writer.store.scan(null, 5, 0, "t")).records).toEqual([one, two, three]);
      await writer.commit([], { sweepUpTo: 2_000 });
      expect(await sql("SELECT id, v FROM t")).toEqual(["1|b"]);
    });

    test("one frame does what it does in its order; of several the writer finds the order by halving", async () => {
      await sql("CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE, up int REFERENCES t)");
      const writer = await writerWith([{ key: "user:{id}", table: "t" }]);
      await writer.commit([
        [one, replace(hash({ mail: "a" }))],
        [two, replace(hash({ mail: "b" }))],
      ]);
      // The mail goes round, and shapes take turns.
      const rows = [
        [one, replace(hash({ mail: "c" }))] as const,
        [two, merge({ mail: "a" })] as const,
        [three, replace(hash({ mail: "b" }))] as const,
        [text("user:4"), merge({ up: "3" })] as const,
        [text("user:5"), replace(hash({ mail: "e" }))] as const,
      ];
      await rejectsAs("refused", writer.store.commit(writer.batch(rows, { frames: 5 })));
      await writer.commit(rows);
      expect(await sql("SELECT id, mail, up FROM t ORDER BY id")).toEqual(["1|c|", "2|a|", "3|b|", "4||3", "5|e|"]);
    });

    test("a constraint that is checked at the end refuses the batch, and one that may wait does", async () => {
      await sql(`CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE DEFERRABLE INITIALLY DEFERRED,
        up int REFERENCES t DEFERRABLE INITIALLY IMMEDIATE)`);
      const writer = await writerWith([{ key: "user:{id}", table: "t" }]);
      await writer.commit([
        [one, replace(hash({ n: "1", up: "2" }))],
        [two, merge({ n: "2" })],
      ]);
      await writer.commit([
        [one, merge({ n: "2" })],
        [two, merge({ n: "1" })],
      ]);
      const [late, lost] = [merge({ n: "1" }), merge({ up: "9" })];
      for (const change of [late, lost])
        for (const sweepUpTo of [null, 5])
          await rejectsAs("refused", writer.store.commit(writer.batch([[three, change]], { sweepUpTo })));
      expect(await sql("SELECT id, n, up FROM t ORDER BY id")).toEqual(["1|2|2", "2|1|"]);
    });

    test("a session that is lent keeps its settings, and defaults and triggers see the user's time zone", async () => {
      await sql("CREATE TABLE t (id int PRIMARY KEY, v text, zone text DEFAULT current_setting('TimeZone'))");
      for (const setting of oddSettings) await sql(`ALTER DATABASE ${database} SET ${setting}`);
      const writer = await writerWith([{ key: "user:{id}", table: "t", columns: ["v"] }], "?prepare=false");
      await writer.commit([[one, merge({ v: "x" })]], { sweepUpTo: 5 });
      expect(await writer.value(one)).toEqual(value(hash({ v: "x" })));
      expect(await sql("SELECT zone FROM t")).toEqual(["America/St_Johns"]);
    });

    test("moments: exact in every type, others' infinities, and now as each column has it", async () => {
      await sql(`CREATE TABLE a (id int PRIMARY KEY, ends timestamptz);
        CREATE TABLE b (id int PRIMARY KEY, ends timestamp);
        CREATE TABLE c (id int PRIMARY KEY, ends bigint, gone bigint, day date, at timestamp)`);
      const writer = await writerWith([
        { key: "a:{id}", table: "a", expiresAt: "ends" },
        { key: "b:{id}", table: "b", expiresAt: "ends" },
        { key: "c:{id}", table: "c", expiresAt: "ends", onDelete: { set: { gone: "now", day: "now", at: "now" } } },
      ]);
      const moments = [0, 1, 1_795_000_000_123, 4_102_444_800_001, 568_971_820_799_999];
      const tables = ["a", "b", "c"];
      const rows = tables.flatMap((table) =>
        moments.map((at, n) => [text(`${table}:${n}`), replace(hash({}), at)] as const),
      );
      await writer.commit(rows);
      const read = await writer.store.read(rows.map(([record]) => record));
      expect(read.map((each) => each?.expiresAt)).toEqual([...moments, ...moments, ...moments]);
      expect(await sql("SELECT ends FROM b WHERE id = 2")).toEqual(['"2026-11-18T11:06:40.123Z"']);
      await sql("INSERT INTO a VALUES (7, 'infinity'), (8, '-infinity'), (9, '2026-11-24 12:00:00.0009+02')");
      const others = await writer.store.read(["a:7", "a:8", "a:9"].map(text));
      expect(others.map((each) => each?.expiresAt)).toEqual([null, 0, Date.UTC(2026, 10, 24, 10)]);
      await writer.commit([[text("c:0"), remove]]);
      const [ms, day, at] = (
        (await sql("SELECT gone, day::text, extract(epoch FROM at) FROM c WHERE id = 0"))[0] ?? ""
      ).split("|");
      expect(Math.abs(Number(ms) - Date.now())).toBeLessThan(60_000);
      expect(Math.abs(Number(at) * 1000 - Number(ms))).toBeLessThan(60_000);
      expect(day).toBe(new Date(Number(ms)).toISOString().slice(0, 10));
    });

    test("expired rows that may not go are found one by one, and the others go", async () => {
      await sql(`CREATE TABLE t (id int PRIMARY KEY, ends timestamptz); CREATE INDEX i ON t (ends);
        CREATE TABLE pets (owner int REFERENCES t)`);
      const writer = await writerWith([{ key: "user:{id}", table: "t", expiresAt: "ends" }]);
      await writer.commit(Array.from({ length: 100 }, (_, n) => [text(`user:${n}`), replace(hash({}), 1_000 + n)]));
      await sql("INSERT INTO pets VALUES (0), (40), (99)");
      for (let sweep = 0; sweep < 60; sweep++)
        await writer.commit([[text("own"), replace(text(`${sweep}`))]], { sweepUpTo: 5_000 + sweep });
      expect(await sql("SELECT id FROM t ORDER BY id")).toEqual(["0", "40", "99"]);
      expect(await writer.value(text("own"))).toEqual(value(text("59")));
      await sql("DELETE FROM pets");
      for (let sweep = 0; sweep < 5; sweep++) await writer.commit([], { sweepUpTo: 500_000 + sweep });
      expect(await sql("SELECT id FROM t")).toEqual([]);
    });

    test("a sweep leaves alone what is parked, whatever its key is made of, and what somebody holds", async () => {
      await sql(`CREATE TYPE mood AS ENUM ('ok');
        CREATE TABLE t (a text, b bytea, c date, d numeric(5,2), e uuid, f mood, g boolean, ends timestamptz,
          PRIMARY KEY (g, f, e, d, c, b, a))`);
      const key = "t/{a}:{b}:{c}:{d}:{e}:{f}:{g}/é";
      const writer = await writerWith([{ key, table: "t", expiresAt: "ends" }]);
      const uuid = "01234567-89ab-cdef-0123-456789abcdef";
      const names = ["é'\\", "b", "c"].map(
        (a) => `${text(`t/${a}:`)}\xff\x01:2026-11-24:1.50:${uuid}:ok:true${text("/é")}` as Bytes,
      );
      await writer.commit(names.map((record) => [record, replace(hash({}), 1_000)]));
      const { to } = writer.batch([]);
      const changes = [{ record: names[0] as Bytes, change: merge({}, [], null) }];
      const letters = [{ position: to, changes, reason: "no", refusedAt: 1, tries: 1 }];
      const put = [{ id: to.sequence, letters, behind: new Map() }];
      const holder = new Client({ connectionString: server().url(database) });
      await holder.connect();
      await holder.query("BEGIN; SELECT FROM t WHERE a = 'b' FOR UPDATE");
      await writer.commit([], { parking: { drop: [], put }, sweepUpTo: 2_000 });
      const expired = value(hash({}), 1_000);
      expect(await writer.store.read(names)).toEqual([expired, expired, null]);
      await holder.end();
      await writer.commit([], { sweepUpTo: 100_000 });
      expect(await writer.store.read(names)).toEqual([expired, null, null]);
      expect((await writer.store.scan(null, 5, 0, "t")).records).toEqual([names[0]]);
    });

    test("a table whose ends no index finds is looked through once a minute of log time", async () => {
      await sql("CREATE TABLE t (id int PRIMARY KEY, v text, ends timestamptz)");
      const writer = await writerWith([{ key: "user:{id}", table: "t", expiresAt: "ends" }]);
      const sweep = async (upTo: number): Promise<unknown> => {
        await writer.commit([[one, replace(hash({}), 1)]], { sweepUpTo: upTo });
        return Number((await sql("SELECT count(*) FROM t"))[0]);
      };
      expect([await sweep(1000), await sweep(60_999), await sweep(61_000), await sweep(61_001)]).toEqual([0, 1, 0, 1]);
      await sql("CREATE INDEX i ON t (ends)");
      await reopen(writer);
      expect([await sweep(61_002), await sweep(61_003)]).toEqual([0, 0]);
    });

    test("a column of another type than before is read at once, and written after the next open", async () => {
      await sql("CREATE TABLE t (id int PRIMARY KEY, v bytea, n text)");
      const writer = await writerWith([{ key: "user:{id}", table: "t" }]);
      await writer.commit([[one, replace(hash({ v: "x", n: "5" }))]]);
      await writer.commit([[one, merge({ n: "5" })]]);
      expect(await writer.value(one)).toEqual(value(hash({ v: "x", n: "5" })));
      await sql("ALTER TABLE t ALTER v TYPE text USING encode(v, 'escape'), ALTER n TYPE int USING n::int");
      expect(await writer.value(one)).toEqual(value(hash({ v: "x", n: "5" })));
      await rejectsAs("broken", writer.store.commit(writer.batch([[one, merge({ n: "6" })]])));
      await reopen(writer);
      await writer.commit([[one, merge({ v: "é", n: "6" })]]);
      expect(await writer.value(one)).toEqual(value(hash({ v: "é", n: "6" })));
    });

    test("prepared statements are bounded, however many shapes there are", async () => {
      const columns = Array.from({ length: 10 }, (_, n) => `c${n}`);
      await sql(`CREATE TABLE t (id int PRIMARY KEY, ${columns.map((name) => `${name} text`).join(", ")});
        CREATE TABLE seen (n int); CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO seen SELECT count(*) FROM pg_prepared_statements; RETURN null; END $$;
        CREATE TRIGGER look AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION look()`);
      const writer = await writerWith([{ key: "user:{id}", table: "t" }]);
      await writer.commit([[one, replace(hash({}))]]);
      for (let shape = 1; shape < 600; shape++) {
        const set = columns.filter((_, n) => (shape & (1 << n)) !== 0);
        await writer.commit([[one, merge(Object.fromEntries(set.map((name) => [name, `${shape}`])))]]);
      }
      const [most, last] = ((await sql("SELECT max(n), count(*) FROM seen"))[0] ?? "").split("|").map(Number);
      expect([most, last]).toEqual([500, 600]);
      expect(await sql("SELECT c0, c9 FROM t")).toEqual(["599|599"]);
    });
  });
}

test("of prepared statements the one that was not used for the longest time goes first", () => {
  const names = new PreparedNames(3);
  const use = (...used: string[]): string[] => {
    const gone = names.makeRoom(used.map((name) => ({ name, text: "" })));
    for (const name of used) names.add(name);
    return gone;
  };
  expect(use("a", "b", "c")).toEqual([]);
  expect(use("a", "a")).toEqual([]);
  expect(use("d")).toEqual(["b"]);
  expect(use("d", "b", "a", "e", "f")).toEqual(["c"]);
  expect(use("a")).toEqual(["d", "b"]);
  expect(["a", "e", "f", "b"].map((name) => names.has(name))).toEqual([true, true, true, false]);
});
