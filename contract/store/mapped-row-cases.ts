/** Rows of mapped tables: what each change makes of a row, and of the columns that no route knows. */
import assert from "node:assert/strict";
import { remove, type Change } from "../../src/change.js";
import type { Route } from "../../src/routes/route.js";
import { openMapped, text, type MappedCaseBody } from "./mapped-world.js";
import { hash, merge, rejectsAs, replace, value } from "./writer-like.js";

const users = `CREATE TABLE users (
  id bigint NOT NULL PRIMARY KEY, name text, visits bigint DEFAULT 7, email text UNIQUE, secret text)`;
const routes: readonly Route[] = [
  { key: "user:{id}", table: "users", columns: ["name", "visits", "email"] },
  { key: "user:{id}:{column}", table: "users" },
];
const one = text("user:1");
const two = text("user:2");
const all = "SELECT id, name, visits, email, secret FROM users ORDER BY id";
const touch: Change = { kind: "merge", fields: null, expiresAt: undefined };

const simple: readonly MappedCaseBody[] = [
  {
    name: "a replace makes a row, and the database fills in what is not given",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await writer.commit([[one, replace(hash({ name: "Alice" }))]]);
      assert.deepEqual(await world.query(all), [["1", "Alice", "7", null, null]]);
      assert.deepEqual(await writer.value(one), value(hash({ name: "Alice", visits: "7" })));
      await writer.store.close();
    },
  },
  {
    name: "a replace of a row that is there sets every field, and leaves what no route maps",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 3, 'a@x', 'kept')");
      await writer.commit([[one, replace(hash({ name: "Bob" }))]]);
      assert.deepEqual(await world.query(all), [["1", "Bob", "7", null, "kept"]]);
      await writer.commit([[one, replace(hash({}))]]);
      assert.deepEqual(await world.query(all), [["1", null, "7", null, "kept"]]);
      await writer.store.close();
    },
  },
  {
    name: "a replace after a remove is a new row: nothing of the old one stays",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 3, 'a@x', 'old')");
      await writer.commit([[one, replace(hash({ name: "Bob" }), null, true)]]);
      assert.deepEqual(await world.query(all), [["1", "Bob", "7", null, null]]);
      await writer.store.close();
    },
  },
  {
    name: "a merge changes the columns that it names, to NULL too, and makes the row where there is none",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 3, 'a@x', 'kept')");
      await writer.commit([
        [one, merge({ name: "Bob" }, ["visits"])],
        [two, merge({ visits: "-9" }, ["name"])],
      ]);
      assert.deepEqual(await world.query(all), [
        ["1", "Bob", null, "a@x", "kept"],
        ["2", null, "-9", null, null],
      ]);
      assert.deepEqual(await writer.value(one), value(hash({ name: "Bob", email: "a@x" })));
      await writer.store.close();
    },
  },
  {
    name: "a merge of nothing leaves a row as it is, and makes one of defaults where there is none",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 3, 'a@x', 'kept')");
      await writer.commit([
        [one, touch],
        [two, merge({})],
      ]);
      assert.deepEqual(await world.query(all), [
        ["1", "Alice", "3", "a@x", "kept"],
        ["2", null, "7", null, null],
      ]);
      await writer.store.close();
    },
  },
  {
    name: "a remove deletes the row, and one that is not there is none",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 3, 'a@x', 'gone')");
      await writer.commit([
        [one, remove],
        [two, remove],
      ]);
      assert.deepEqual(await world.query(all), []);
      assert.equal(await writer.value(one), null);
      await writer.store.close();
    },
  },
  {
    name: "a row whose fields are all NULL is a hash of no fields that exists",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, NULL, NULL, NULL, 'x')");
      assert.deepEqual(await writer.store.read([one, two]), [value(hash({})), null]);
      await writer.store.close();
    },
  },
  {
    name: "clear empties the own tables and leaves mapped ones alone",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await writer.commit([
        [one, replace(hash({ name: "Alice" }))],
        [text("own"), replace(text("x"))],
      ]);
      await writer.commit([], { clear: true });
      assert.deepEqual(await writer.store.read([one, text("own")]), [
        value(hash({ name: "Alice", visits: "7" })),
        null,
      ]);
      await writer.store.close();
    },
  },
  {
    name: "records of mapped tables and of the own tables go side by side in one batch",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await writer.commit([
        [text("own"), replace(text("x"))],
        [one, merge({ name: "Alice" })],
        [text("own:hash"), replace(hash({ a: "1" }))],
        [text("user:1:x:y"), replace(text("no row"))],
      ]);
      assert.deepEqual(await writer.store.read([text("own"), one, text("own:hash"), text("user:1:x:y")]), [
        value(text("x")),
        value(hash({ name: "Alice", visits: "7" })),
        value(hash({ a: "1" })),
        value(text("no row")),
      ]);
      await writer.store.close();
    },
  },
];

const constraints: readonly MappedCaseBody[] = [
  {
    name: "a merge of some columns needs none of the others, also where they are NOT NULL",
    run: async (world) => {
      const table = "CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, name text NOT NULL, visits bigint)";
      const writer = await openMapped(world, [table], [{ key: "user:{id}", table: "users" }]);
      await writer.commit([[one, replace(hash({ name: "Alice" }))]]);
      await writer.commit([[one, merge({ visits: "2" })]]);
      assert.deepEqual(await world.query("SELECT id, name, visits FROM users"), [["1", "Alice", "2"]]);
      await rejectsAs("refused", writer.store.commit(writer.batch([[two, merge({ visits: "2" })]])));
      await rejectsAs("refused", writer.store.commit(writer.batch([[one, merge({}, ["name"])]])));
      await writer.store.close();
    },
  },
  {
    name: "a merge finds its row whatever came before it in the batch: new rows, rows that are there",
    run: async (world) => {
      const table =
        "CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, name text NOT NULL, visits bigint, code bigint DEFAULT 5 UNIQUE)";
      const writer = await openMapped(world, [table], [{ key: "user:{id}", table: "users" }]);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 1, 5), (2, 'Bob', 1, 6)");
      const user = (id: number): ReturnType<typeof text> => text(`user:${id}`);
      await writer.commit([
        [user(10), merge({ name: "J", code: "10" })],
        [user(11), merge({ name: "K", code: "11" })],
        [user(1), merge({ visits: "2" })],
        [user(12), merge({ name: "L", code: "12" })],
        [user(2), merge({ name: "Eve" }, ["visits"])],
        [user(13), merge({ name: "M", code: "13" })],
        [user(14), merge({ name: "N", code: "14" })],
      ]);
      assert.deepEqual(await world.query("SELECT id, name, visits, code FROM users ORDER BY id"), [
        ["1", "Alice", "2", "5"],
        ["2", "Eve", null, "6"],
        ["10", "J", null, "10"],
        ["11", "K", null, "11"],
        ["12", "L", null, "12"],
        ["13", "M", null, "13"],
        ["14", "N", null, "14"],
      ]);
      for (const bad of [merge({ visits: "1" }), merge({ name: "no code" })]) {
        const rows = [[user(20), merge({ name: "O", code: "20" })] as const, [user(21), bad] as const];
        await rejectsAs("refused", writer.store.commit(writer.batch(rows)));
      }
      await writer.store.close();
    },
  },
  {
    name: "another unique index never overwrites somebody else's row",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await writer.commit([[one, replace(hash({ name: "Alice", email: "a@x" }))]]);
      for (const change of [replace(hash({ email: "a@x" })), merge({ email: "a@x" })])
        await rejectsAs("refused", writer.store.commit(writer.batch([[two, change]])));
      await writer.commit([[two, replace(hash({ email: "b@x" }))]]);
      for (const change of [replace(hash({ email: "a@x" })), merge({ email: "a@x" })])
        await rejectsAs("refused", writer.store.commit(writer.batch([[two, change]])));
      assert.deepEqual(await world.query("SELECT id, email FROM users ORDER BY id"), [
        ["1", "a@x"],
        ["2", "b@x"],
      ]);
      await writer.store.close();
    },
  },
  {
    name: "a batch that is refused has changed nothing, neither rows nor the position",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await writer.commit([[one, replace(hash({ name: "Alice", email: "a@x" }))]]);
      const bad = writer.batch([
        [text("own"), replace(text("x"))],
        [one, merge({ name: "Bob" })],
        [two, merge({ email: "a@x" })],
      ]);
      await rejectsAs("refused", writer.store.commit(bad));
      assert.deepEqual(await writer.store.read([text("own"), one, two]), [
        null,
        value(hash({ name: "Alice", visits: "7", email: "a@x" })),
        null,
      ]);
      assert.deepEqual((await writer.store.open({ logId: writer.logId })).position, writer.position);
      await writer.store.close();
    },
  },
  {
    name: "a batch of a writer that has lost the position writes no mapped row",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      const late = writer.batch([[one, merge({ name: "late" })]]);
      await writer.commit([[one, merge({ name: "Alice" })]]);
      await rejectsAs("moved", writer.store.commit(late));
      assert.deepEqual(await world.query("SELECT name FROM users"), [["Alice"]]);
      await writer.store.close();
    },
  },
  {
    name: "what the database works out is read and never written",
    run: async (world) => {
      const table =
        "CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, visits bigint, twice bigint GENERATED ALWAYS AS (visits * 2) STORED)";
      const writer = await openMapped(world, [table], [{ key: "user:{id}", table: "users" }]);
      await writer.commit([[one, replace(hash({ visits: "4" }))]]);
      await writer.commit([[two, merge({ visits: "5" })]]);
      await writer.commit([[two, replace(hash({ visits: "6" }))]]);
      assert.deepEqual(await writer.store.read([one, two]), [
        value(hash({ visits: "4", twice: "8" })),
        value(hash({ visits: "6", twice: "12" })),
      ]);
      await writer.store.close();
    },
  },
  {
    name: "a row cannot be a string, nor expire where no column says when",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      for (const change of [replace(text("x")), replace(hash({}), 1000), merge({ name: "x" }, [], 1000)])
        await rejectsAs("refused", writer.store.commit(writer.batch([[one, change]])));
      await writer.commit([[one, merge({ name: "x" }, [], null)]]);
      assert.deepEqual(await writer.value(one), value(hash({ name: "x", visits: "7" })));
      await writer.store.close();
    },
  },
];

/** What each change makes of a row, and what constraints make of changes. */
export const mappedRowCases: readonly MappedCaseBody[] = [...simple, ...constraints];
