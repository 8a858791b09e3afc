/** Several tables in one batch: foreign keys hold, whatever came first, and no cascade hides a change. */
import assert from "node:assert/strict";
import { remove } from "../../src/change.js";
import type { Route } from "../../src/routes/route.js";
import { openMapped, text, type MappedCaseBody, type MappedStoreWorld } from "./mapped-world.js";
import { hash, merge, rejectsAs, replace, value, type WriterLike } from "./writer-like.js";

const author = text("author:1");
const book = text("book:1");
const page = text("page:1");
const routes: readonly Route[] = [
  { key: "book:{id}", table: "books" },
  { key: "author:{id}", table: "authors" },
  { key: "page:{id}", table: "pages" },
];

async function library(world: MappedStoreWorld, rule = ""): Promise<WriterLike> {
  const tables = [
    "CREATE TABLE authors (id bigint NOT NULL PRIMARY KEY, name text)",
    `CREATE TABLE books (id bigint NOT NULL PRIMARY KEY, title text, author bigint REFERENCES authors (id) ${rule})`,
    `CREATE TABLE pages (id bigint NOT NULL PRIMARY KEY, words text, book bigint REFERENCES books (id) ${rule})`,
  ];
  return openMapped(world, tables, routes);
}

const theAuthor = [author, replace(hash({ name: "A" }))] as const;
const theBook = [book, merge({ title: "T", author: "1" })] as const;
const thePage = [page, replace(hash({ words: "w", book: "1" }))] as const;

const references: readonly MappedCaseBody[] = [
  ...["", "ON DELETE RESTRICT"].map((rule): MappedCaseBody => ({
    name: `parents and children of one batch are written and removed in whatever order they come (${rule || "no rule"})`,
    run: async (world) => {
      const writer = await library(world, rule);
      for (const rows of [
        [theAuthor, theBook, thePage],
        [thePage, theBook, theAuthor],
        [theBook, thePage, theAuthor],
      ]) {
        await writer.commit(rows);
        assert.deepEqual(await world.query("SELECT book FROM pages"), [["1"]]);
        await writer.commit(rows.map(([record]) => [record, remove]));
        assert.deepEqual(await world.query("SELECT id FROM authors"), []);
      }
      await writer.store.close();
    },
  })),
  {
    name: "a parent that is removed and written anew in one batch takes its place again with its children",
    run: async (world) => {
      const writer = await library(world);
      await writer.commit([theAuthor, theBook]);
      await writer.commit([
        [author, replace(hash({ name: "B" }), null, true)],
        [book, replace(hash({ title: "U", author: "1" }), null, true)],
      ]);
      assert.deepEqual(await writer.store.read([author, book]), [
        value(hash({ name: "B" })),
        value(hash({ title: "U", author: "1" })),
      ]);
      await writer.store.close();
    },
  },
  {
    name: "a child without its parent, and a parent that still has children, are refused",
    run: async (world) => {
      const writer = await library(world);
      await rejectsAs("refused", writer.store.commit(writer.batch([theBook])));
      await writer.commit([theAuthor, theBook]);
      await rejectsAs("refused", writer.store.commit(writer.batch([[author, remove]])));
      assert.deepEqual(await world.query("SELECT title FROM books"), [["T"]]);
      await writer.commit([[book, remove]]);
      await writer.commit([[author, remove]]);
      await writer.store.close();
    },
  },
  {
    name: "rows that refer to each other are written in one batch where the database checks at the end",
    run: async (world) => {
      const late = "DEFERRABLE INITIALLY DEFERRED";
      const table = `CREATE TABLE nodes (id bigint NOT NULL PRIMARY KEY, next bigint REFERENCES nodes (id) ${late})`;
      const writer = await openMapped(world, [table], [{ key: "node:{id}", table: "nodes" }]);
      await writer.commit([
        [text("node:1"), merge({ next: "2" })],
        [text("node:2"), replace(hash({ next: "1" }))],
      ]);
      assert.deepEqual(await world.query("SELECT id, next FROM nodes ORDER BY id"), [
        ["1", "2"],
        ["2", "1"],
      ]);
      await rejectsAs("refused", writer.store.commit(writer.batch([[text("node:3"), merge({ next: "9" })]])));
      await writer.commit([
        [text("node:1"), remove],
        [text("node:2"), remove],
      ]);
      assert.deepEqual(await world.query("SELECT id FROM nodes"), []);
      await writer.store.close();
    },
  },
];

const cascades: readonly MappedCaseBody[] = ["ON DELETE CASCADE", "ON DELETE SET NULL"].flatMap((rule) => [
  {
    name: `a delete that takes rows along is not mixed with changes of those rows (${rule})`,
    run: async (world) => {
      const writer = await library(world, rule);
      await writer.commit([theAuthor, theBook, thePage], { frames: 3 });
      const anew = replace(hash({ name: "B" }), null, true);
      for (const gone of [remove, anew]) {
        const rows = [[author, gone] as const, [book, merge({ title: "U" })] as const];
        await rejectsAs("refused", writer.store.commit(writer.batch(rows, { frames: 2 })));
        await rejectsAs("refused", writer.store.commit(writer.batch(rows.toReversed(), { frames: 2 })));
      }
      assert.deepEqual(await world.query("SELECT title, author FROM books"), [["T", "1"]]);
      // One frame after the other is what the log says.
      await writer.commit([[book, merge({ title: "U" })]]);
      await writer.commit([[author, anew]]);
      assert.deepEqual(
        await world.query("SELECT title, author FROM books"),
        rule.includes("CASCADE") ? [] : [["U", null]],
      );
      await writer.store.close();
    },
  },
  {
    name: `one frame may do both, and a batch without a delete may be of many (${rule})`,
    run: async (world) => {
      const writer = await library(world, rule);
      await writer.commit([theAuthor, theBook, thePage], { frames: 3 });
      await writer.commit([
        [author, remove],
        [book, remove],
        [page, remove],
      ]);
      assert.deepEqual(await writer.store.read([author, book, page]), [null, null, null]);
      await writer.commit([theAuthor, theBook, thePage], { frames: 3 });
      await writer.commit(
        [
          [page, remove],
          [text("author:2"), merge({ name: "C" })],
        ],
        { frames: 2 },
      );
      assert.equal(await writer.value(page), null);
      await writer.store.close();
    },
  },
]);

const further: readonly MappedCaseBody[] = [
  {
    name: "a cascade through a table without changes counts too",
    run: async (world) => {
      const writer = await library(world, "ON DELETE CASCADE");
      await writer.commit([theAuthor, theBook, thePage]);
      const rows = [[author, remove] as const, [page, merge({ words: "v" })] as const];
      await rejectsAs("refused", writer.store.commit(writer.batch(rows, { frames: 2 })));
      assert.deepEqual(await world.query("SELECT words FROM pages"), [["w"]]);
      await writer.store.close();
    },
  },
  {
    name: "a cascade within one table counts too",
    run: async (world) => {
      const table =
        "CREATE TABLE nodes (id bigint NOT NULL PRIMARY KEY, up bigint REFERENCES nodes (id) ON DELETE CASCADE, name text)";
      const writer = await openMapped(world, [table], [{ key: "node:{id}", table: "nodes" }]);
      const [root, leaf] = [text("node:1"), text("node:2")];
      await writer.commit([[root, merge({ name: "root" })]]);
      await writer.commit([[leaf, merge({ up: "1" })]]);
      const rows = [[root, remove] as const, [leaf, merge({ name: "leaf" })] as const];
      await rejectsAs("refused", writer.store.commit(writer.batch(rows, { frames: 2 })));
      await writer.commit([[root, remove]], { frames: 2 });
      assert.deepEqual(await world.query("SELECT id FROM nodes"), []);
      await writer.store.close();
    },
  },
  {
    name: "a soft delete takes nothing along and is never held back",
    run: async (world) => {
      const tables = [
        "CREATE TABLE authors (id bigint NOT NULL PRIMARY KEY, name text, gone bigint)",
        "CREATE TABLE books (id bigint NOT NULL PRIMARY KEY, title text, author bigint REFERENCES authors (id) ON DELETE CASCADE)",
      ];
      const writer = await openMapped(world, tables, [
        { key: "author:{id}", table: "authors", onDelete: { set: { gone: 1 } } },
        { key: "book:{id}", table: "books" },
      ]);
      await writer.commit([theAuthor, theBook]);
      await writer.commit(
        [
          [author, remove],
          [book, merge({ title: "U" })],
        ],
        { frames: 2 },
      );
      assert.deepEqual(await writer.store.read([author, book]), [null, value(hash({ title: "U", author: "1" }))]);
      await writer.store.close();
    },
  },
];

/** Foreign keys and the order of a batch. */
export const mappedOrderCases: readonly MappedCaseBody[] = [...references, ...cascades, ...further];
