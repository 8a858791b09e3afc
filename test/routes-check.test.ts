/** Routes held against tables: everything that does not fit, and what works and may surprise. */
import { describe, expect, test } from "vitest";
import { planOf, type Checked } from "../src/routes/check.js";
import { readRoutes, type Route } from "../src/routes/route.js";
import type { TableSchema } from "../src/routes/table.js";
import { tableOf } from "./found-tables.js";

const user: Route = { key: "user:{id}", table: "users" };

function check(routes: readonly Route[], ...tables: TableSchema[]): Checked {
  return planOf(readRoutes(routes), tables, "store");
}

/** What is said of one table `users` with these columns beside `id: integer`, and the first route of it. */
function checkUsers(
  columns: readonly string[],
  route: Partial<Route> = {},
  rest: Parameters<typeof tableOf>[2] = {},
): Checked {
  return check([{ ...user, ...route }], tableOf("users", ["id: integer", ...columns], rest));
}

function problemsOf(checked: Checked): readonly string[] {
  return "problems" in checked ? checked.problems : [];
}

const nothing = { problems: [], warnings: [] };
const said = (checked: Checked): object => ({ problems: problemsOf(checked), warnings: checked.warnings });

describe("what fits", () => {
  test("a table's fields are its columns but for key, expiresAt and marks", () => {
    const columns = ["name: text", "until: timestamptz?", "gone: timestamptz?", "views: integer="];
    const checked = checkUsers(columns, { expiresAt: "until", onDelete: { set: { gone: "now" } } });
    expect(said(checked)).toEqual(nothing);
    if (!("plan" in checked)) return;
    const [table] = checked.plan.tables;
    expect([...(table?.fieldNames.keys() ?? [])]).toEqual(["name", "views"]);
    expect(table?.expiresAt?.name).toBe("until");
    expect(table?.marks).toMatchObject([{ column: { name: "gone" }, value: "now" }]);
    expect(table?.keyColumns.map(({ name }) => name)).toEqual(["id"]);
  });

  test.each([
    ["until: any?", { expiresAt: "until" }],
    ["until: integer?", { expiresAt: "until" }],
    ["gone: integer?", { onDelete: { set: { gone: "now" } } }],
    ["gone: any?", { onDelete: { set: { gone: "now" } } }],
    ["gone: date?", { onDelete: { set: { gone: "now" } } }],
    ["gone: boolean=", { onDelete: { set: { gone: true } } }],
    ["gone: text?", { onDelete: { set: { gone: "yes" } } }],
  ])("the column %j for %j", (column, route) => expect(said(checkUsers([column], route))).toEqual(nothing));

  test("the fields are those that `columns` lists, in the order of the table", () => {
    const checked = checkUsers(["a: text?", "b: text?", "c: text?"], { columns: ["c", "a"] });
    if ("plan" in checked) expect([...(checked.plan.tables[0]?.fieldNames.keys() ?? [])]).toEqual(["a", "c"]);
    expect(said(checked)).toEqual(nothing);
  });

  test("any unique key without NULLs may be the key, in any order of its columns", () => {
    const orders = tableOf("orders", ["id: integer=", "customer: uuid", "no: integer", "total: numeric(10,1)?"], {
      uniqueKeys: [["id"], ["customer", "no"]],
    });
    const checked = check([{ key: "order:{no}:{customer}", table: "orders" }], orders);
    expect(said(checked)).toEqual(nothing);
    if ("plan" in checked)
      expect(checked.plan.tables[0]?.keyColumns.map(({ name }) => name)).toEqual(["customer", "no"]);
  });

  test("routes that map no table need none", () => {
    expect(said(check([{ key: "tmp:{x}", store: "none" }]))).toEqual(nothing);
    expect(said(check([]))).toEqual(nothing);
  });

  test.each(["smallint", "numeric(10,1)", "boolean", "text", "bytes", "uuid", "date"])("a key of the type %s", (type) =>
    expect(said(check([user], tableOf("users", [`id: ${type}`, "name: text?"])))).toEqual(nothing),
  );
});

describe("what does not fit", () => {
  test.each<[string, Checked, string | readonly string[]]>([
    ["no such table", check([user]), "the route user:{id}: there is no table users; make it, or correct the name"],
    [
      "no such table, and a near name is known",
      planOf(readRoutes([user]), [], "store", ["orders", "user"]),
      "the route user:{id}: there is no table users; did you mean user?",
    ],
    [
      "what the adapter has found",
      checkUsers([], {}, { problems: ["it is a view: name the table behind it"] }),
      "the table users: it is a view: name the table behind it",
    ],
    [
      "a placeholder that is no column",
      checkUsers(["name: text?"], { key: "user:{ID}" }),
      "the route user:{ID}: the table users has no column ID; did you mean id?",
    ],
    [
      "placeholders that are no key",
      checkUsers(["name: text"], { key: "user:{name}" }, { uniqueKeys: [["id"], ["mail", "country"]] }),
      "the route user:{name}: (name) is no key of the table users: make the placeholders the columns of one of its keys, which are (id), (mail, country)",
    ],
    [
      "a part of a key",
      checkUsers(["no: integer"], {}, { uniqueKeys: [["id", "no"]] }),
      "the route user:{id}: (id) is no key of the table users: make the placeholders the columns of one of its keys, which are (id, no)",
    ],
    [
      "a table without a key",
      checkUsers([], {}, { uniqueKeys: [] }),
      "the table users has no primary key and no unique key without NULLs: give it one",
    ],
    [
      "a key with a column called column",
      checkUsers(["column: text"], { key: "user:{id}:{column}" }, { uniqueKeys: [["id", "column"]] }),
      "the route user:{id}:{column}: (id) is no key of the table users: make the placeholders the columns of one of its keys, which are (id, column); {column} is always the name of a column, so a key with a column of that name cannot be used",
    ],
    [
      "two routes of one table by different keys",
      check(
        [user, { key: "mail:{mail}", table: "users" }],
        tableOf("users", ["id: integer", "mail: text"], { uniqueKeys: [["id"], ["mail"]] }),
      ),
      "the routes user:{id} and mail:{mail} find the rows of users by different columns (id and mail): use the same ones",
    ],
    [
      "a fixed column that is none",
      checkUsers(["name: text?"], { column: "nmae" }),
      "the route user:{id}: column: the table users has no column nmae; did you mean name?",
    ],
    [
      "a fixed column that is in the key",
      checkUsers(["name: text?"], { column: "id" }),
      "the route user:{id}: column: id is in the key of users, so it is no field: take it out",
    ],
    [
      "a fixed column that is not among the columns",
      checkUsers(["name: text?", "mail: text?"], { column: "name", columns: ["mail"] }),
      "the route user:{id}: column: name is missing in the columns that user:{id} lists: add it there",
    ],
    [
      "columns that cannot be fields",
      checkUsers(["name: text?", "place: point?", "until: integer?", "gone: boolean="], {
        columns: ["name", "id", "place", "until", "gone", "nothing"],
        expiresAt: "until",
        onDelete: { set: { gone: true } },
      }),
      [
        "the route user:{id}: columns: id is in the key of users, so it is no field: take it out",
        "the route user:{id}: columns: place (point) is of a type that is left alone: take it out",
        "the route user:{id}: columns: until is named by expiresAt, so it is no field: take one of the two out",
        "the route user:{id}: columns: gone is set by onDelete, so it is no field: take one of the two out",
        "the route user:{id}: columns: the table users has no column nothing; it has id, name, place, until, gone",
      ],
    ],
    [
      "a column that is called {column}",
      checkUsers(["{column}: text?"]),
      "the table users has a column that is called {column}: leave it out of the fields with columns",
    ],
    [
      "an expiresAt that is no column",
      checkUsers(["until: timestamptz?"], { expiresAt: "untill" }),
      "the route user:{id}: expiresAt: the table users has no column untill; did you mean until?",
    ],
    [
      "an expiresAt in the key",
      checkUsers([], { expiresAt: "id" }),
      "the route user:{id}: expiresAt: id is in the key of users: name another column",
    ],
    [
      "an expiresAt that loses milliseconds",
      checkUsers(["until: timestamp(0)?"], { expiresAt: "until" }),
      "the route user:{id}: expiresAt: until (timestamp(0)) of users cannot say when a row ends: make it a timestamp with milliseconds, or an integer of 64 bits (milliseconds since 1970)",
    ],
    [
      "an expiresAt that is too small and takes no NULL",
      checkUsers(["until: smallint="], { expiresAt: "until" }),
      [
        "the route user:{id}: expiresAt: until (smallint) of users cannot say when a row ends: make it a timestamp with milliseconds, or an integer of 64 bits (milliseconds since 1970)",
        "the route user:{id}: expiresAt: until (smallint) of users must take NULL, which says that a row does not end",
      ],
    ],
    [
      "an expiresAt that the database works out",
      checkUsers(["until: integer*?"], { expiresAt: "until" }),
      "the route user:{id}: expiresAt: until (integer) of users is worked out by the database: name another column",
    ],
    [
      "marks that are none",
      checkUsers(["gone: boolean", "at: smallint?", "until: integer?", "n: integer?", "t: timestamptz", "p: point?"], {
        expiresAt: "until",
        onDelete: { set: { id: 1, nothing: 1, gone: true, at: "now", until: 1, n: "one", t: "now", p: 1 } },
      }),
      [
        "the route user:{id}: onDelete: id is in the key of users: name another column",
        "the route user:{id}: onDelete: the table users has no column nothing; it has id, gone, at, until, n, t, p",
        "the route user:{id}: onDelete: gone (boolean) of users must take NULL or have a default, which says that a row is not deleted",
        "the route user:{id}: onDelete: now needs a column for a time, or an integer of 64 bits (milliseconds since 1970), and at (smallint) of users is neither: give a value that the column takes",
        "the route user:{id}: onDelete: until is named by expiresAt, too: name another column",
        expect.stringContaining('the route user:{id}: onDelete: "one" for n (integer) of users ') as string,
        "the route user:{id}: onDelete: t (timestamptz) of users must take NULL, which says that a row is not deleted",
        "the route user:{id}: onDelete: p (point) of users is of a type that is left alone: name another column",
      ],
    ],
    [
      "columns that no new row could have",
      checkUsers(["name: text", "mail: text", "place: point", "n: integer=", "g: integer*"], { columns: ["name"] }),
      [
        "the table users: no new row could be made, for mail (text) needs a value and is no field: add it to columns, give it a default, or let it take NULL",
        "the table users: no new row could be made, for place (point) needs a value and is no field: its type is left alone, so give it a default, or let it take NULL",
      ],
    ],
    [
      "one table under two names",
      check(
        [user, { key: "u:{id}", table: "public.users" }],
        tableOf("users", ["id: integer"]),
        tableOf("public.users", ["id: integer"]),
      ),
      "users and public.users seem to be one table: name it in one way, or both with their schemas",
    ],
  ])("%s", (_, checked, problems) => {
    expect(problemsOf(checked)).toEqual(typeof problems === "string" ? [problems] : problems);
  });

  test.each([
    ["real", "one floating-point number is written in many ways"],
    ["any", "it takes texts and numbers"],
    ["numeric", "without a precision"],
    ["jsonb", "one value is written in many ways"],
    ["point", "the type is not known here"],
    ["time", "there are colons in its text"],
    ["timestamptz", "there are colons in its text"],
    ["char(3)", "spaces at its end mean nothing"],
    ["integer*", "the database works it out itself"],
  ])("a key of the type %s: %s", (type, why) => {
    const [problem, ...others] = problemsOf(check([user], tableOf("users", [`id: ${type}`])));
    expect(others).toEqual([]);
    expect(problem).toContain(`cannot be in a key: ${why}`);
  });

  test("all of it is said at once, of all tables", () => {
    const routes = [
      { ...user, expiresAt: "x" },
      { key: "o:{no}", table: "orders" },
      { key: "p:{id}", table: "pages" },
    ];
    expect(problemsOf(check(routes, tableOf("users", ["id: real"]), tableOf("orders", ["id: integer"])))).toHaveLength(
      4,
    );
  });

  test("two tables that only have a name in common are two", () => {
    const routes = [user, { key: "old:{id}", table: "archive.users" }];
    const archive = tableOf("archive.users", ["id: integer", "at: date"]);
    expect(problemsOf(check(routes, tableOf("users", ["id: integer"]), archive))).toEqual([]);
    const both = [
      { ...user, table: "public.users" },
      { key: "old:{id}", table: "archive.users" },
    ];
    expect(
      problemsOf(check(both, tableOf("public.users", ["id: integer"]), tableOf("archive.users", ["id: integer"]))),
    ).toEqual([]);
  });
});

describe("what works and may surprise", () => {
  const orders = (onDelete: "refuse" | "cascade" | "set"): TableSchema =>
    tableOf("orders", ["id: integer", "user: integer?"], {
      references: [{ columns: ["user"], table: "users", onDelete, waits: false }],
    });
  const users = tableOf("users", ["id: integer", "gone: date?"]);
  const order: Route = { key: "order:{id}", table: "orders" };

  test.each<[string, Checked, readonly string[]]>([
    [
      "types that are left alone",
      checkUsers(["place: point?", "area: point?"]),
      ["the table users: of a type that is left alone, so no field: place (point), area (point)"],
    ],
    [
      "triggers and generated columns",
      checkUsers(["full: text*?"], {}, { hasTriggers: true }),
      [
        "the table users has triggers and generated columns: the cache does not see what the database changes by them; set reload: true to have a record read again after its commit",
      ],
    ],
    ["triggers, and records are read again", checkUsers(["full: text*?"], { reload: true }, { hasTriggers: true }), []],
    ["a generated column that is no field", checkUsers(["full: text*?", "a: text?"], { columns: ["a"] }), []],
    [
      "rows that go with others",
      check([user, order], users, orders("cascade")),
      [
        "when a row of users goes, the database deletes the rows of orders that refer to it; the cache does not see that: set cacheTtl for orders, delete the rows of orders first, or let the reference refuse",
      ],
    ],
    [
      "rows that lose what they refer to, seen after a while",
      check([user, { ...order, cacheTtl: "5s" }], users, orders("set")),
      [
        "when a row of users goes, the database changes user in the rows of orders that refer to it; the cache sees that when cacheTtl (5000 ms) is over",
      ],
    ],
    [
      "types that are left alone, where the fields are listed",
      checkUsers(["p: point?", "a: text?"], { columns: ["a"] }),
      [],
    ],
    ["a reference that refuses", check([user, order], users, orders("refuse")), []],
    ["a reference to a table without a route", check([order], orders("cascade")), []],
    [
      "a reference to rows that are only marked",
      check([{ ...user, onDelete: { set: { gone: "now" } } }, order], users, orders("cascade")),
      [],
    ],
    [
      "a row that no key can make",
      checkUsers(["views: integer=", "title: text"], { column: "views" }),
      [
        "the table users: no key can make a new row, for none gives a value to title (text); add a route for the whole row, or see that the rows are there",
      ],
    ],
    [
      "rows that its columns' keys can make together",
      checkUsers(["a: text", "b: text"], { key: "user:{id}:{column}" }),
      [],
    ],
  ])("%s", (_, checked, warnings) => expect(said(checked)).toEqual({ problems: [], warnings }));
});
