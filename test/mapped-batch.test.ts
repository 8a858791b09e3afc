import { expect, test } from "vitest";
import { hash, merge, replace } from "../contract/store/writer-like.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { remove, type Change } from "../src/change.js";
import type { Column } from "../src/routes/column.js";
import { MappedTable } from "../src/routes/mapped-table.js";
import { Plan } from "../src/routes/plan.js";
import { readRoutes, type OnDelete, type RouteSpec } from "../src/routes/route.js";
import type { OnDeleteRule } from "../src/routes/table.js";
import { divideBatch, givenColumns } from "../src/store/mapped-batch.js";
import { StoreError } from "../src/store/store.js";

const text = bytesOfText;

function column(name: string, generated = false): Column {
  return { name, type: { kind: "bytes" }, typeName: "", nullable: true, hasDefault: false, generated };
}

/** A table `name` whose keys are `name:{id}`, with references to other tables. */
function tableOf(
  name: string,
  refers: Readonly<Record<string, OnDeleteRule>> = {},
  onDelete?: OnDelete,
  waits = false,
): MappedTable {
  const [id, a, b, worked] = [column("id"), column("a"), column("b"), column("worked", true)];
  const [route] = readRoutes([{ key: `${name}:{id}`, table: name, onDelete }]) as readonly [RouteSpec];
  const references = Object.entries(refers).map(([table, rule]) => ({ columns: ["a"], table, onDelete: rule, waits }));
  const schema = {
    name,
    columns: [id, a, b, worked],
    uniqueKeys: [["id"]],
    references,
    hasTriggers: false,
    problems: [],
  };
  const marks = onDelete === undefined ? null : [{ column: b, value: 1 }];
  const { pattern } = route;
  return new MappedTable({
    schema,
    route,
    keyColumns: [id],
    pattern,
    fields: [a, b, worked],
    expiresAt: null,
    marks,
  });
}

/** What a batch is divided into: `write pages 1 2`, … */
function steps(tables: readonly MappedTable[], rows: readonly (readonly [string, Change])[], frames = 2): string[] {
  const plan = new Plan(
    tables.map(({ route }) => route),
    tables,
    "store",
  );
  const changes = new Map(rows.map(([record, change]) => [text(record), change]));
  return divideBatch(plan, { rows: changes, frames }).steps.map((step) => {
    const keys = step.kind === "write" ? step.rows.map(({ key }) => key) : step.keys;
    return [step.kind, step.table.schema.name, ...keys.flat()].join(" ");
  });
}

const authors = tableOf("authors");
const books = tableOf("books", { authors: "refuse" });
const pages = tableOf("pages", { books: "refuse", elsewhere: "cascade" });
const set = merge({ a: "1" });
const anew = replace(hash({}), null, true);

test("first what is written anew goes, then everything is written, then the rest goes: parents and children in turn", () => {
  const rows = [
    ["pages:1", anew],
    ["authors:1", remove],
    ["books:2", set],
    ["pages:9", remove],
    ["authors:2", anew],
    ["pages:2", replace(hash({}))],
    ["own", set],
    ["books:1", remove],
    ["authors:3", set],
  ] as const;
  const expected = [
    "delete pages 1",
    "delete authors 2",
    "write authors 2 3",
    "write books 2",
    "write pages 1 2",
    "remove pages 9",
    "remove books 1",
    "remove authors 1",
  ];
  expect(steps([authors, books, pages], rows)).toEqual(expected);
  expect(steps([pages, authors, books], rows, 5)).toEqual(expected);
});

test("tables in a circle are written in the order of their first changes, and what they refer to before them", () => {
  const hens = tableOf("hens", { eggs: "refuse", farms: "refuse" });
  const eggs = tableOf("eggs", { hens: "refuse" });
  const tables = [hens, eggs, tableOf("farms")];
  const rows = [["eggs:1", set] as const, ["hens:1", set] as const, ["farms:1", set] as const];
  expect(steps(tables, rows)).toEqual(["write farms 1", "write eggs 1", "write hens 1"]);
  expect(steps(tables, rows.toReversed())).toEqual(["write farms 1", "write hens 1", "write eggs 1"]);
});

test("a delete beside changes of rows that the database may change with it is refused, where there are several frames", () => {
  const gone = [["authors:1", remove] as const, ["books:1", set] as const];
  for (const rule of ["cascade", "set"] as const) {
    const tables = [authors, tableOf("books", { authors: rule })];
    expect(() => steps(tables, gone, 2)).toThrow(StoreError);
    expect(() =>
      steps(
        tables,
        [
          ["authors:1", anew],
          ["books:1", set],
        ],
        2,
      ),
    ).toThrow(StoreError);
    expect(steps(tables, gone, 1)).toHaveLength(2);
    expect(
      steps(
        tables,
        [
          ["authors:1", set],
          ["books:1", remove],
        ],
        2,
      ),
    ).toHaveLength(2);
    expect(steps([tableOf("authors", {}, { set: { b: 1 } }), tables[1] as MappedTable], gone, 2)).toHaveLength(2);
  }
  expect(steps([authors, books], gone, 2)).toHaveLength(2);
});

test("the columns that fields go to are in the order of the table, so equal sets have one shape", () => {
  const fields = (...names: string[]): Map<Bytes, Bytes> =>
    new Map(names.map((name) => [text(name), text(`of ${name}`)]));
  const one = givenColumns(authors, fields("b", "a"));
  expect(one.columns.map(({ name }) => name)).toEqual(["a", "b"]);
  expect(one.values).toEqual(["of a", "of b"]);
  expect(givenColumns(authors, fields("a"), new Set([text("b")]))).toEqual({ ...one, values: ["of a", null] });
  expect(givenColumns(authors, fields("b", "a"), new Set([text("a")]))).toEqual(one);
  expect(givenColumns(authors, fields("a")).shape).toBe("a");
  expect(givenColumns(authors, fields("worked")).columns).toEqual([]);
  for (const unknown of [fields("x"), fields("x", "a"), fields("id")])
    expect(() => givenColumns(authors, unknown)).toThrow(expect.objectContaining({ kind: "broken" }));
});

test("of one frame, writes and removals stay in its order; within a stretch of either, tables are in turn", () => {
  const rows = [
    ["books:1", remove],
    ["authors:1", remove],
    ["books:2", set],
    ["authors:2", set],
    ["books:3", anew],
    ["authors:3", remove],
    ["books:4", remove],
    ["books:5", set],
  ] as const;
  expect(steps([authors, books], rows, 1)).toEqual([
    "remove books 1",
    "remove authors 1",
    "delete books 3",
    "write authors 2",
    "write books 2 3",
    "remove books 4",
    "remove authors 3",
    "write books 5",
  ]);
});

test("in a circle of references those count that are checked at once", () => {
  const teams = tableOf("teams", { players: "refuse" }, undefined, true);
  const players = tableOf("players", { teams: "refuse" });
  const rows = [
    ["players:1", set],
    ["teams:1", set],
  ] as const;
  expect(steps([teams, players], rows)).toEqual(["write teams 1", "write players 1"]);
  expect(steps([teams, players], rows.toReversed())).toEqual(["write teams 1", "write players 1"]);
});
