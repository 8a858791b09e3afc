/** Keys, names and values of mapped tables: composite keys, odd names, every type, what others have written. */
import assert from "node:assert/strict";
import { remove } from "../../src/change.js";
import type { Bytes } from "../../src/bytes.js";
import { everyRecord, openMapped, reopenMapped, text, type MappedCaseBody } from "./mapped-world.js";
import { bytes, hash, merge, rejectsAs, replace, value } from "./writer-like.js";

/** A name in a statement of the case. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const oddNames = [
  'a "quoted" name',
  "it's",
  "select",
  "two words",
  "semi; DROP TABLE other; --",
  "emoji 😀",
  "UPPER and lower",
  "dot.ted",
  "$1 ?1 :x @y",
  "back\\slash",
  "%s %% _",
  "newline\nin it",
];

/** Texts that a statement must not take for more than text. */
const oddValues = [
  "",
  " ",
  "'",
  '"',
  "'; DROP TABLE other; --",
  "\\",
  "\\'",
  "😀",
  "é\u0301",
  "$1",
  "NULL",
  "%",
  "\n\r\t",
];

const keys: readonly MappedCaseBody[] = [
  {
    name: "a key of several columns, in a key as in the table in whatever order",
    run: async (world) => {
      const table =
        "CREATE TABLE scores (game text NOT NULL, player bigint NOT NULL, points bigint, PRIMARY KEY (player, game))";
      const writer = await openMapped(world, [table], [{ key: "score:{game}:of:{player}", table: "scores" }]);
      const records = ["score:go:of:2", "score:chess:of:1", "score:go:of:1", "score:chess:of:10"].map(text);
      await writer.commit(records.map((record, n) => [record, replace(hash({ points: `${n}` }))]));
      assert.deepEqual(await world.query("SELECT player, game, points FROM scores ORDER BY player, game"), [
        ["1", "chess", "1"],
        ["1", "go", "2"],
        ["2", "go", "0"],
        ["10", "chess", "3"],
      ]);
      assert.deepEqual(
        await writer.store.read(records),
        records.map((_, n) => value(hash({ points: `${n}` }))),
      );
      for (const limit of [1, 2, 3, 100]) {
        assert.deepEqual(
          await everyRecord(writer.store, "scores", limit),
          ["score:chess:of:1", "score:go:of:1", "score:go:of:2", "score:chess:of:10"].map(text),
        );
      }
      await writer.commit([[records[0] as Bytes, remove]]);
      assert.equal(await writer.value(records[0] as Bytes), null);
      await writer.store.close();
    },
  },
  {
    name: "a key that is not the primary key: the row is found and written by it",
    run: async (world) => {
      const table = "CREATE TABLE users (id bigint DEFAULT 8 PRIMARY KEY, email text NOT NULL UNIQUE, name text)";
      const writer = await openMapped(world, [table], [{ key: "mail:{email}", table: "users", columns: ["name"] }]);
      await world.run("INSERT INTO users VALUES (7, 'a@x', 'Alice')");
      await writer.commit([[text("mail:a@x"), replace(hash({ name: "Bob" }))]]);
      assert.deepEqual(await world.query("SELECT id, email, name FROM users"), [["7", "a@x", "Bob"]]);
      await writer.store.close();
    },
  },
  {
    name: "rows that are named by one column only, fixed or in the key",
    run: async (world) => {
      const tables = [
        "CREATE TABLE counters (id bigint NOT NULL PRIMARY KEY, views bigint)",
        "CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, name text)",
      ];
      const writer = await openMapped(world, tables, [
        { key: "views:{id}", table: "counters", column: "views" },
        { key: "user:{id}:{column}", table: "users" },
      ]);
      await writer.commit([
        [text("views:1"), merge({ views: "3" })],
        [text("user:1:{column}"), merge({ name: "Alice" })],
      ]);
      assert.deepEqual(await world.query("SELECT id, views FROM counters"), [["1", "3"]]);
      assert.deepEqual(await world.query("SELECT id, name FROM users"), [["1", "Alice"]]);
      assert.deepEqual(await everyRecord(writer.store, "users"), ["user:1:{column}"]);
      assert.deepEqual(await writer.value(text("user:1:{column}")), value(hash({ name: "Alice" })));
      await writer.store.close();
    },
  },
  {
    name: "a scan leaves out rows that no key leads to, and comes to its end all the same",
    run: async (world) => {
      const table = "CREATE TABLE users (name text NOT NULL PRIMARY KEY, visits bigint)";
      const writer = await openMapped(world, [table], [{ key: "user:{name}", table: "users" }]);
      for (const name of ["a", "b:1", "b:2", "b:3", "b:4", "", "c", "d:", "e"])
        await world.run(`INSERT INTO users VALUES ('${name}', 1)`);
      for (const limit of [1, 2, 3, 100])
        assert.deepEqual(await everyRecord(writer.store, "users", limit), ["user:a", "user:c", "user:e"]);
      await writer.store.close();
    },
  },
];

const names: readonly MappedCaseBody[] = [
  {
    name: "names of tables and columns may hold anything",
    run: async (world) => {
      await world.run("CREATE TABLE other (id bigint)");
      for (const [n, name] of oddNames.entries()) {
        const [key, first, second] = [`${name} key`, `${name} 1`, `${name} 2`].map(quoted);
        const table = `CREATE TABLE ${quoted(name)} (${key} bigint NOT NULL PRIMARY KEY, ${first} text, ${second} text, ${quoted("end")} ${world.momentType})`;
        const routed = name.includes('"') || name.includes(".") ? quoted(name) : name;
        const route = { key: `odd${n}:{${name} key}`, table: routed, expiresAt: "end" };
        const writer = await openMapped(world, [table], [route]);
        const record = text(`odd${n}:5`);
        await writer.commit([[record, merge({ [`${name} 1`]: "x" })]]);
        await writer.commit([[record, merge({ [`${name} 2`]: "y" }, [], 9000)]]);
        const both = hash({ [`${name} 1`]: "x", [`${name} 2`]: "y" });
        assert.deepEqual(await writer.value(record), value(both, 9000), name);
        assert.deepEqual(await everyRecord(writer.store, routed), [record], name);
        await writer.commit([[record, replace(both, null, true)]], { sweepUpTo: 100_000 });
        await writer.commit([[record, remove]]);
        assert.deepEqual(await world.query(`SELECT * FROM ${quoted(name)}`), [], name);
        await writer.store.close();
      }
      assert.deepEqual(await world.query("SELECT * FROM other"), []);
    },
  },
  {
    name: "a route with a name that the database does not have is broken, and everything that is wrong is said at once",
    run: async (world) => {
      await world.run("CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, name text)");
      const opening = reopenMapped(world, [
        { key: "user:{id}", table: "users", columns: ["nmae"], expiresAt: "ends" },
        { key: "pet:{id}", table: "pets" },
      ]);
      await assert.rejects(opening, (error: Error) => {
        for (const word of ["nmae", "ends", "pets"]) assert.ok(error.message.includes(word), error.message);
        return true;
      });
      await rejectsAs("broken", opening);
    },
  },
];

const values: readonly MappedCaseBody[] = [
  {
    name: "what is written of any type is read again as the same text",
    run: async (world) => {
      const common = [
        { declared: "text", values: oddValues.map(text) },
        { declared: "bigint", values: ["0", "-1", "9007199254740993", "-9223372036854775808"].map(text) },
        { declared: world.bytesType, values: [...oddValues.map(text), bytes(0), bytes(0xff, 0, 0xfe), bytes(0x61, 0)] },
      ];
      for (const [n, { declared, values: samples }] of [...common, ...world.samples].entries()) {
        const table = `CREATE TABLE t${n} (id bigint NOT NULL PRIMARY KEY, v ${declared}, w ${declared})`;
        const writer = await openMapped(world, [table], [{ key: `t${n}:{id}`, table: `t${n}` }]);
        const records = samples.map((_, at) => text(`t${n}:${at}`));
        const rows = samples.map((sample) => new Map([[text("v"), sample]]));
        await writer.commit(records.map((record, at) => [record, replace(rows[at] as Map<Bytes, Bytes>)]));
        const read = await writer.store.read(records);
        for (const [at, found] of read.entries())
          assert.deepEqual(found, value(rows[at] as Map<Bytes, Bytes>), declared);
        await writer.commit(
          records.map((record, at) => {
            const set = new Map([[text("w"), samples[at] as Bytes]]);
            return [record, { kind: "merge", fields: { set, unset: new Set([text("v")]) }, expiresAt: undefined }];
          }),
        );
        const again = await writer.store.read(records);
        for (const [at, found] of again.entries())
          assert.deepEqual(found, value(new Map([[text("w"), samples[at] as Bytes]])), declared);
        await writer.store.close();
      }
    },
  },
  {
    name: "odd texts in keys find their rows",
    run: async (world) => {
      const table = "CREATE TABLE users (name text NOT NULL PRIMARY KEY, n bigint)";
      const writer = await openMapped(
        world,
        [table, "CREATE TABLE other (id bigint)"],
        [{ key: "u/{name}", table: "users" }],
      );
      const records = oddValues.filter((name) => name !== "").map((name) => text(`u/${name}`));
      await writer.commit(records.map((record, n) => [record, merge({ n: `${n}` })]));
      await writer.commit(records.map((record, n) => [record, merge({ n: `${n + 1}` })]));
      assert.deepEqual(
        await writer.store.read(records),
        records.map((_, n) => value(hash({ n: `${n + 1}` }))),
      );
      assert.deepEqual((await everyRecord(writer.store, "users", 3)).toSorted(), records.toSorted());
      await writer.commit(records.map((record) => [record, remove]));
      assert.deepEqual(await world.query("SELECT * FROM users"), []);
      assert.deepEqual(await world.query("SELECT * FROM other"), []);
      await writer.store.close();
    },
  },
  {
    name: "values of ten megabytes",
    run: async (world) => {
      const table = `CREATE TABLE files (id bigint NOT NULL PRIMARY KEY, words text, data ${world.bytesType})`;
      const writer = await openMapped(world, [table], [{ key: "file:{id}", table: "files" }]);
      const everyByte = bytes(...Array.from({ length: 256 }, (_, code) => code));
      const content = new Map([
        [text("words"), text("é").repeat(5_242_880) as Bytes],
        [text("data"), everyByte.repeat(40_960) as Bytes],
      ]);
      await writer.commit([[text("file:1"), replace(content)]]);
      const read = (await writer.value(text("file:1")))?.content;
      assert.ok(read instanceof Map);
      for (const [field, sample] of content) assert.ok(read.get(field) === sample, field);
      await writer.store.close();
    },
  },
];

/** Keys, names and values. */
export const mappedNameCases: readonly MappedCaseBody[] = [...keys, ...names, ...values];
