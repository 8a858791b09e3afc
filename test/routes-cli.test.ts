/** `check --store URL --routes FILE` and `sql`: with a store module of the tests, and as a process. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { fittingJson, fittingTables, fittingText } from "../src/cli/check-tables.js";
import { CliError } from "../src/cli/exit.js";
import { sqlOf } from "../src/cli/sql.js";
import { readRoutes, type Route, type Routing } from "../src/routes/route.js";
import type { TableSchema } from "../src/routes/table.js";
import type { StoreDescriptor } from "../src/store/store.js";
import { inFolder, run } from "./cli-process.js";
import { tableOf } from "./found-tables.js";

type NamedModule = { readonly place: string; readonly descriptor: StoreDescriptor };

/** A store module that has found these tables. */
async function moduleWith(folder: string, exported: string, tables: readonly TableSchema[] = []): Promise<NamedModule> {
  const file = join(folder, "store.mjs");
  await writeFile(file, `export function createStore() { throw new Error("not to be opened"); }\n${exported}`);
  const descriptor = { module: pathToFileURL(file).href, options: { tables, name: "x" }, reads: "caller" as const };
  return { place: "the test", descriptor };
}

const looks = `export async function lookAtTables(options, routes) {
  return options.tables.filter(({ name }) => routes.some(({ table }) => table === name));
}`;

const users = tableOf("users", ["id: integer", "name: text", "views: integer=", "up: text*?", "until: timestamptz?"]);
const asked = (routes: readonly Route[], unrouted: Routing["unrouted"] = "store"): Routing => ({
  routes: readRoutes(routes),
  unrouted,
});
const good = asked(
  [
    { key: "user:{id}", table: "users", expiresAt: "until", cacheTtl: "5s" },
    { key: "user:{id}:{column}", table: "users" },
    { key: "views:{id}", table: "users", column: "views" },
    { key: "tmp:{x}", store: "none" },
  ],
  "refuse",
);

async function failureOf(work: Promise<unknown>): Promise<CliError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CliError)) throw new Error("it should have failed as a verb does", { cause: error });
  return error;
}

describe("check of tables", () => {
  test("what fits is shown, with what may surprise", () =>
    inFolder(async (folder) => {
      const fitting = await fittingTables(await moduleWith(folder, looks, [users]), good);
      expect(fittingText(fitting, good)).toBe(`users
  user:{id}           the row, a hash
  user:{id}:{column}  one column of it, a string
  views:{id}          its column views, a string
  key                 id (integer)
  fields              name (text, needed), views (integer), up (text, read only)
  ends                by until (timestamptz)
  cached              for 5000 ms after it was read
in the cache only
  tmp:{x}
keys of no route are refused
warning: ${fitting.warnings[0]}
everything fits
`);
      expect(fittingJson(fitting, good)).toMatchObject({
        tables: [
          {
            table: "users",
            routes: [{ key: "user:{id}", column: null }, { column: "{column}" }, { column: "views" }],
            key: [{ name: "id", type: "integer" }],
            fields: [{ name: "name", nullable: false }, { name: "views", hasDefault: true }, { readOnly: true }],
            expiresAt: "until",
            onDelete: "delete",
            cacheTtlMs: 5000,
          },
        ],
        cacheOnly: ["tmp:{x}"],
        unrouted: "refuse",
        warnings: [expect.stringContaining("generated columns")],
      });
    }));

  test("everything that does not fit is one message", () =>
    inFolder(async (folder) => {
      const bad = asked([
        { key: "user:{ID}", table: "users" },
        { key: "o:{id}", table: "orders" },
      ]);
      const error = await failureOf(fittingTables(await moduleWith(folder, looks, [users]), bad));
      expect(error).toMatchObject({ exit: 1, code: "ROUTE_MISMATCH", hint: expect.stringContaining("tables.md") });
      expect(error.message.split("\n")).toEqual([
        "2 things do not fit:",
        "  - the route o:{id}: there is no table orders; make it, or correct the name",
        "  - the route user:{ID}: the table users has no column ID; did you mean id?",
      ]);
    }));

  test("a store that maps no tables, and no routes, are said to be so", () =>
    inFolder(async (folder) => {
      const store = await moduleWith(folder, "");
      expect(await failureOf(fittingTables(store, good))).toMatchObject({
        exit: 1,
        message: "the store at the test maps no tables",
      });
      expect(await failureOf(fittingTables(store, asked([])))).toMatchObject({ exit: 2 });
    }));
});

test("sql gives the statements of the store, and runs nothing", () =>
  inFolder(async (folder) => {
    const exported = "export const sqlOfOwnTables = ({ name }) => `CREATE TABLE ${name} (a);`;";
    expect(await sqlOf(await moduleWith(folder, exported))).toBe("CREATE TABLE x (a);");
  }));

test("sql of a store that has none says so", () =>
  inFolder(async (folder) => {
    expect(await failureOf(sqlOf(await moduleWith(folder, "")))).toMatchObject({ exit: 1 });
  }));

describe("the program", () => {
  const withRoutes = async (folder: string, text: string): Promise<string> => {
    const file = join(folder, "routes.yaml");
    await writeFile(file, text);
    return file;
  };

  test("what is wrong with the routes themselves is usage, whoever reads them", () =>
    inFolder(async (folder) => {
      const file = await withRoutes(folder, "- key: user:{id}\n  tabel: users\n- key: a\n");
      const wrong = [
        `routes in ${file}:`,
        '    - the route user:{id}: "tabel" is nothing that a route has; did you mean table?',
        "    - the route user:{id}: it needs a table, or store: none",
        "    - the route a: it needs a table, or store: none",
      ].join("\n");
      const store = ["--store", `sqlite:${folder}/none.db`];
      expect(await run(["check", ...store, "--routes", file])).toMatchObject({
        code: 2,
        out: "",
        err: expect.stringContaining(wrong),
      });
      expect(await run(["check", ...store], { WRITE_BEHIND_ROUTES: file })).toMatchObject({
        code: 2,
        err: expect.stringContaining(wrong),
      });
      expect(await run(["serve", "--routes", file, "--data", folder])).toMatchObject({
        code: 2,
        err: expect.stringContaining(wrong),
      });
      const config = join(folder, "wb.yaml");
      await writeFile(config, "routes:\n  - key: user:{id}\n    tabel: users\n");
      expect(await run(["check", ...store, "--config", config])).toMatchObject({
        code: 2,
        err: expect.stringContaining(`routes in ${config}:\n    - the route user:{id}: "tabel"`),
      });
    }));

  test("a file with routes that cannot be read is named, and none at all too", () =>
    inFolder(async (folder) => {
      const store = ["--store", `sqlite:${folder}/none.db`];
      expect(await run(["check", ...store, "--routes", "/nowhere.yaml"])).toMatchObject({
        code: 2,
        err: expect.stringMatching(/^the file \/nowhere.yaml cannot be read.*\ntry: --routes names a YAML file/),
      });
      const empty = await withRoutes(folder, "");
      expect(await run(["check", ...store, "--routes", empty])).toMatchObject({
        code: 2,
        err: expect.stringContaining("there are no routes to check\ntry: name a file"),
      });
    }));

  test("with --data it is the journal that is checked, whatever else is given", () =>
    inFolder(async (folder) => {
      const file = await withRoutes(folder, "- key: user:{id}\n  table: users\n");
      const flags = ["--store", `sqlite:${folder}/none.db`, "--routes", file, "--data", folder];
      expect(await run(["check", ...flags])).toMatchObject({
        code: 1,
        err: expect.stringContaining("there is no journal in"),
      });
    }));

  test("verbs that talk to a server do not read the routes", async () => {
    const ran = await run(["status", "--admin", "http://127.0.0.1:1"], { WRITE_BEHIND_ROUTES: "/nowhere.yaml" });
    expect(ran).toMatchObject({ code: 3 });
  });
});
