/** Patterns of keys, routes as they are written, and the plan: which key leads where. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyIsRecord } from "../src/address.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { WriteBehindError } from "../src/errors.js";
import { planOf } from "../src/routes/check.js";
import { fillPattern, matchKey, mayOverlap, parsePattern, type Pattern } from "../src/routes/pattern.js";
import { fingerprintOf, parseRoutes, parseTableName, readRoutes, type Route } from "../src/routes/route.js";
import type { Plan } from "../src/routes/plan.js";
import { tableOf } from "./found-tables.js";

function patternOf(text: string): Pattern {
  const pattern = parsePattern(text);
  if ("wrong" in pattern) throw new Error(`${text}: ${pattern.wrong}`);
  return pattern;
}

/** A value in a key: any bytes but a colon; zero bytes, half a character, quotes and braces among them. */
const valueInKey: fc.Arbitrary<Bytes> = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.constantFrom("\0", "'", '"', "\\", "{", "}", "{column}", "\xff", " ", "%", "*").map((text) => text as string),
    fc.constantFrom("😀", "é", "日本").map((text) => bytesOfText(text) as string),
  )
  .map((text) => text.replaceAll(":", "") as Bytes)
  .filter((text) => text !== "");

/** Patterns of a few segments, fixed or open, with text around the placeholders. */
const patternText: fc.Arbitrary<string> = fc
  .array(
    fc.record({
      open: fc.boolean(),
      start: fc.constantFrom("", "", "a", "b", "é"),
      end: fc.constantFrom("", "", "a", "b"),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((segments) => segments.map(({ open, start, end }, at) => start + (open ? `{p${at}}` : "a") + end).join(":"));

describe("patterns", () => {
  test.each([
    ["", "it is empty"],
    ["a{", "a { or } stands alone"],
    ["a}:{id}", "a { or } stands alone"],
    ["a:{{id}}", "a { or } stands alone"],
    ["a:{}", "a placeholder has no name"],
    ["{id}:{id}", "{id} is in it twice"],
    ["{a}{b}", 'between two placeholders there must be a ":"'],
    ["{a}-{b}", 'between two placeholders there must be a ":"'],
  ])("%j is none: %s", (text, wrong) => expect(parsePattern(text)).toEqual({ wrong }));

  test.each([
    ["user:{id}", "user:1", ["1"]],
    ["user:{id}", "user:", null],
    ["user:{id}", "user:1:2", null],
    ["user:{id}", "xuser:1", null],
    ["{id}", "1", ["1"]],
    ["{a}x:y{b}", "1xx:y2", ["1x", "2"]],
    ["p{id}s", "ps", null],
    ["p{id}s", "pss", ["s"]],
    ["order:{customer}:{no}:line:{line}", "order:a:b:line:c", ["a", "b", "c"]],
    ["order:{customer}:{no}:line:{line}", "order:a:b:lime:c", null],
    ["fixed", "fixed", []],
  ])("%j and the key %j", (pattern, key, values) => {
    expect(matchKey(patternOf(pattern), key as Bytes)).toEqual(values);
  });

  test("a key of a pattern gives back the values it was filled with, whatever bytes they are", () => {
    const values = fc.array(valueInKey, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(patternText, values, (text, all) => {
        const pattern = patternOf(text);
        const given = all.slice(0, pattern.names.length);
        expect(matchKey(pattern, fillPattern(pattern, given))).toEqual(given);
      }),
    );
  });

  test("whatever matches is what its values fill", () => {
    const bytes = fc.string({ unit: fc.constantFrom("a", "b", ":", "\xff", "\xc3"), maxLength: 8 });
    fc.assert(
      fc.property(patternText, bytes, (text, key) => {
        const pattern = patternOf(text);
        const values = matchKey(pattern, key as Bytes);
        if (values !== null) expect(fillPattern(pattern, values)).toBe(key);
      }),
    );
  });

  test("two patterns overlap exactly where some key is of both", () => {
    const segments = ["", "a", "b", "aa", "ab", "ba", "bb", "aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"];
    const keys = [...segments, ...segments.flatMap((one) => segments.map((two) => `${one}:${two}`))] as Bytes[];
    const small = patternText.filter((text) => !text.includes("é") && text.split(":").length <= 2);
    fc.assert(
      fc.property(small, small, (one, two) => {
        const [a, b] = [patternOf(one), patternOf(two)];
        const isShared = keys.some((key) => matchKey(a, key) !== null && matchKey(b, key) !== null);
        expect(mayOverlap(a, b)).toBe(isShared);
      }),
      { numRuns: 500 },
    );
  });

  test("no key is of two patterns that do not overlap, whatever bytes it holds", () => {
    const values = fc.array(valueInKey, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(patternText, patternText, values, (one, two, all) => {
        const [a, b] = [patternOf(one), patternOf(two)];
        if (!mayOverlap(a, b)) expect(matchKey(b, fillPattern(a, all.slice(0, a.names.length)))).toBeNull();
      }),
    );
  });
});

describe("routes as they are written", () => {
  const problemsOf = (...routes: unknown[]): readonly string[] => {
    const read = parseRoutes(routes);
    return "problems" in read ? read.problems : [];
  };

  test("are completed", () => {
    expect(readRoutes(undefined)).toEqual([]);
    expect(readRoutes(null)).toEqual([]);
    const routes: Route[] = [
      { key: "user:{id}", table: '"users"', cacheTtl: "60s", expiresAt: "until", onDelete: { set: { gone: true } } },
      { key: "user:{id}:{column}", table: "users" },
      { key: "views:{id}", table: "pages", column: "views" },
      { key: "tmp:{column}", store: "none" },
    ];
    expect(readRoutes(routes)).toMatchObject([
      { table: "users", column: null, cacheTtlMs: 60_000, expiresAt: "until", onDelete: { set: { gone: true } } },
      { table: "users", column: "{column}", cacheTtlMs: null, onDelete: "delete", reload: false, warm: false },
      { table: "pages", column: "views", columns: null },
      { table: null, column: null },
    ]);
  });

  test("can cross a thread", () => {
    const specs = readRoutes([{ key: "user:{id}", table: "users" }]);
    expect(structuredClone(specs)).toEqual(specs);
  });

  test("settings that are left empty in a file are left out", () => {
    const empty = { store: null, column: null, columns: null, expiresAt: null, cacheTtl: null, onDelete: null };
    expect(readRoutes([{ key: "a:{id}", table: "t", ...empty, reload: null, warm: null }])).toEqual(
      readRoutes([{ key: "a:{id}", table: "t" }]),
    );
  });

  test.each<[unknown, string]>([
    [3, "route 1: it must be a map with key and table"],
    [[], "route 1: it must be a map with key and table"],
    [{ table: "t" }, "route 1: key is missing"],
    [{ key: 3, table: "t" }, "route 1: key must be a text"],
    [{ key: "a:{id", table: "t" }, "the route a:{id: its key is no pattern: a { or } stands alone"],
    [{ key: "a:{id}" }, "the route a:{id}: it needs a table, or store: none"],
    [{ key: "a:{id}", table: "" }, "the route a:{id}: table is empty"],
    [{ key: "a:{id}", table: "a.b.c" }, 'the route a:{id}: "a.b.c" is not the name of a table'],
    [
      { key: "a:{id}", table: "t", store: "none" },
      "the route a:{id}: it has a table and store: none; leave one of them out",
    ],
    [{ key: "a:{id}", store: "all" }, "the route a:{id}: store can only be none"],
    [
      { key: "a:{id}", store: "none", reload: true },
      "the route a:{id}: leave reload out: with store: none there is no table",
    ],
    [{ key: "a", table: "t" }, "the route a: its key has no placeholder for the key of the row, such as {id}"],
    [
      { key: "a:{column}", table: "t" },
      "the route a:{column}: its key has no placeholder for the key of the row, such as {id}",
    ],
    [
      { key: "a:{id}:{column}", table: "t", column: "x" },
      "the route a:{id}:{column}: it has {column} in its key and a column besides; leave one of them out",
    ],
    [
      { key: "a:{id}", table: "t", column: "{column}" },
      "the route a:{id}: column cannot be {column}: the placeholder belongs into the key",
    ],
    [
      { key: "a:{id}", table: "t", tabel: 1 },
      'the route a:{id}: "tabel" is nothing that a route has; did you mean table?',
    ],
    [
      { key: "a:{id}", table: "t", expires_at: "x" },
      'the route a:{id}: "expires_at" is nothing that a route has; did you mean expiresAt?',
    ],
    [{ key: "a:{id}", table: "t", columns: "x" }, "the route a:{id}: columns must be a list of names"],
    [{ key: "a:{id}", table: "t", reload: "yes" }, "the route a:{id}: reload must be true or false"],
    [{ key: "a:{id}", table: "t", cacheTtl: "0s" }, 'the route a:{id}: cacheTtl is "0s", and must be between'],
    [
      { key: "a:{id}", table: "t", onDelete: { set: {} } },
      'the route a:{id}: onDelete must be "delete" or { set: { column: value } }',
    ],
    [{ key: "a:{id}", table: "t", onDelete: { set: { a: null } } }, "the route a:{id}: onDelete must be"],
    [{ key: "a:{id}", table: "t", onDelete: "keep" }, "the route a:{id}: onDelete must be"],
  ])("%j: %s", (route, problem) =>
    expect(problemsOf(route)).toEqual([expect.stringContaining(problem), ...problemsOf(route).slice(1)]),
  );

  test("everything that is wrong is said at once, in one error", () => {
    const wrong = [{ key: "a:{id", tabel: "t", reload: 1 }, { key: "b:{id}", table: "t", warm: "x" }, null];
    expect(problemsOf(...wrong)).toHaveLength(6);
    expect(() => readRoutes(wrong)).toThrow(WriteBehindError);
    expect(() => readRoutes(wrong)).toThrow(/did you mean table.*route 3/s);
    expect(parseRoutes({ key: "a" })).toEqual({ problems: ["it must be a list of routes"] });
  });

  test("two routes that one key may match are refused, also where one of them is wrong otherwise", () => {
    const at = (key: string, rest: object = {}): object => ({ key, table: "t", ...rest });
    expect(problemsOf(at("user:{id}"), at("user:{name}"))).toEqual([
      "a key may match both user:{id} and user:{name}: make them differ",
    ]);
    expect(problemsOf(at("user:{id}"), at("user:{id}"))).toEqual(["two routes have the key user:{id}: take one out"]);
    expect(problemsOf(at("user:{id}"), at("user:x{no}", { warn: 1 }))).toHaveLength(2);
    expect(problemsOf(at("user:{id}"), at("user:{id}:{column}"), at("users:{id}"), at("user:{id}:x:y"))).toEqual([]);
  });

  test("what concerns the whole table is said once, by the first route of it", () => {
    const second = { key: "b:{id}", table: '"t"', reload: true, warm: true };
    expect(problemsOf({ key: "a:{id}", table: "t" }, second)).toEqual([
      "the route b:{id}: reload, warm are said by the first route of a table, by no other",
    ]);
  });

  test.each([
    ["users", { schema: null, name: "users" }],
    ["shop.users", { schema: "shop", name: "users" }],
    ['"odd.name"', { schema: null, name: "odd.name" }],
    ['shop."o""d.d"', { schema: "shop", name: 'o"d.d' }],
    ["my table", { schema: null, name: "my table" }],
    ["a.b.c", { wrong: '"a.b.c" is not the name of a table' }],
    ['a"b', { wrong: '"a\\"b" is not the name of a table' }],
    ["a\0", { wrong: '"a\\u0000" is not the name of a table' }],
  ])("the table %j", (text, name) => expect(parseTableName(text)).toEqual(name));

  test("the fingerprint is of what pending changes mean, and of nothing else", () => {
    const of = (route: object): string => fingerprintOf(readRoutes([{ key: "a:{id}", table: "t", ...route }]), "store");
    expect(of({ cacheTtl: "5s", reload: true, warm: true })).toBe(of({}));
    for (const other of [{ table: "u" }, { column: "x" }, { columns: ["x"] }, { expiresAt: "x" }])
      expect(of(other)).not.toBe(of({}));
  });
});

describe("the plan", () => {
  const tables = [
    tableOf("users", ["id: integer", "name: text?", "é: text?"]),
    tableOf("orders", ["customer: integer", "no: bytes", "total: integer?"], { uniqueKeys: [["customer", "no"]] }),
    tableOf("pages", ["id: bytes", "views: integer=", "likes: integer="]),
    tableOf("sessions", ["token: bytes", "user: integer?", "{x}: text?"], { uniqueKeys: [["token"]] }),
  ];
  const routes: readonly Route[] = [
    { key: "user:{id}:{column}", table: "users" },
    { key: "user:{id}", table: "users" },
    { key: "name-of-{id}", table: "users", column: "name" },
    { key: "order:{no}:of:{customer}", table: "orders" },
    { key: "o:{customer}:{no}", table: "orders" },
    { key: "views:{id}", table: "pages", column: "views" },
    { key: "likes:{id}", table: "pages", column: "likes" },
    { key: "session:{token}:{column}:", table: "sessions" },
    { key: "tmp:x:{any}", store: "none" },
  ];
  const plan = planFor(routes, "store");

  function planFor(given: readonly Route[], unrouted: "store" | "refuse"): Plan {
    const made = planOf(readRoutes(given), tables, unrouted);
    if ("problems" in made) throw new Error(made.problems.join("\n"));
    return made.plan;
  }

  const leads = (key: string): [string, string | null, string | null] => {
    const { record, field, table } = plan.resolve(bytesOfText(key));
    return [record, field, table?.schema.name ?? null];
  };

  test.each<[string, string, string | null, string | null]>([
    ["user:1", "user:1", null, "users"],
    ["user:1:name", "user:1", "name", "users"],
    ["user:1:é", "user:1", bytesOfText("é"), "users"],
    ["name-of-1", "user:1", "name", "users"],
    ["order:x:of:7", "order:x:of:7", null, "orders"],
    ["o:7:x", "order:x:of:7", null, "orders"],
    ["likes:a", "views:a", "likes", "pages"],
    ["views:a", "views:a", "views", "pages"],
    ["session:t:user:", "session:t:{column}:", "user", "sessions"],
    ["session:t:{x}:", "session:t:{column}:", "{x}", "sessions"],
    ["session:t:{column}:", "session:t:{column}:", null, "sessions"],
    ["tmp:x:1", "tmp:x:1", null, null],
    ["else", "else", null, null],
    ["user:1:a:b", "user:1:a:b", null, null],
  ])("%j leads to the record %j, field %j, table %j", (key, ...where) => expect(leads(key)).toEqual(where));

  test("what is not in its row's key as the database writes it is refused, and so is what is no field", () => {
    for (const [key, why] of [
      ["user:01", "the column id (integer)"],
      ["user:x", "the column id (integer)"],
      ["user:1:nam", "the table users has no column nam"],
      ["user:1:id", "the column id of users is its key"],
      ["user:1:{column}", "has no column {column}"],
      ["user:1:\xff", "has no column"],
    ] as const) {
      expect(() => plan.resolve(key as Bytes), key).toThrow(WriteBehindError);
      expect(() => plan.resolve(key as Bytes), key).toThrow(why);
    }
  });

  test("a column is found by its name's bytes: what is not UTF-8 is no other way to write it", () => {
    const made = planOf(
      readRoutes([{ key: "odd:{id}:{column}", table: "odd" }]),
      [tableOf("odd", ["id: integer", "\ufffd: text?"])],
      "store",
    );
    if (!("plan" in made)) throw new Error(made.problems.join());
    const { plan: odd } = made;
    expect(odd.resolve(bytesOfText("odd:1:\ufffd"))).toMatchObject({ field: bytesOfText("\ufffd") });
    expect(() => odd.resolve("odd:1:\xff" as Bytes)).toThrow("is no field");
  });

  test("keys of no route are refused where that was asked for", () => {
    const closed = planFor(routes, "refuse");
    expect(() => closed.resolve("else" as Bytes)).toThrow('"else" matches no route');
    expect(closed.resolve("tmp:x:1" as Bytes)).toMatchObject({ cacheOnly: true });
    expect(plan.resolve("tmp:x:1" as Bytes).cacheOnly).toBe(true);
    expect(plan.resolve("user:1" as Bytes).cacheOnly).toBe(false);
    expect(plan.rowOf("else" as Bytes)).toBeNull();
  });

  test("without routes a key is its own record, by the function that always did it", () => {
    expect(planFor([], "store").resolve("a" as Bytes)).toEqual(keyIsRecord("a" as Bytes));
  });

  /** A key, made of a route and values, and what it should lead to. */
  const keys = fc
    .record({
      at: fc.nat({ max: routes.length - 1 }),
      id: fc.integer({ min: -2, max: 2 }).map(String),
      any: valueInKey,
      column: fc.nat({ max: 1 }),
    })
    .map(({ at, id, any, column }) => {
      const route = routes[at] as Route;
      const schema = tables.find(({ name }) => name === route.table) ?? null;
      const pattern = patternOf(route.key);
      let field = route.column ?? null;
      const row: Record<string, string> = {};
      const values = pattern.names.map((name) => {
        const found = schema?.columns.find((one) => one.name === name);
        if (name === "column") {
          const fields = schema?.columns.filter((one) => !schema.uniqueKeys[0]?.includes(one.name)) ?? [];
          field = (fields[column % fields.length] as { name: string }).name;
          return bytesOfText(field);
        }
        return (row[name] = found?.type.kind === "integer" ? id : any);
      });
      const order = schema?.uniqueKeys[0]?.map((name) => row[name]) ?? [row["any"]];
      return { key: fillPattern(pattern, values), row: order, cell: JSON.stringify([route.table, order, field]) };
    });

  test("two keys name one cell exactly where they mean the same column of the same row", () => {
    const cellOf = (key: Bytes): string => {
      const { record, field } = plan.resolve(key);
      return JSON.stringify([record, field]);
    };
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        expect(cellOf(a.key) === cellOf(b.key)).toBe(a.cell === b.cell);
      }),
      { numRuns: 2000 },
    );
  });

  test("what leads to the own tables is the name of no row", () => {
    const piece = fc.oneof(
      fc.constantFrom("user", "views", "likes", "order", "o", "session", "of", "x", "{column}", "1", "", ":", ":", ":"),
      valueInKey,
    );
    const anyKey = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join("") as Bytes);
    fc.assert(
      fc.property(anyKey, (key) => {
        try {
          const { record, table, cacheOnly } = plan.resolve(key);
          if (table !== null || cacheOnly) return;
          expect(record).toBe(key);
          expect(plan.rowOf(record)).toBeNull();
          expect(plan.resolve(record).cacheOnly).toBe(false);
        } catch (error) {
          if (!(error instanceof WriteBehindError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("a record leads to its row, and as a key to itself, or to the column that its table's first route names", () => {
    fc.assert(
      fc.property(keys, ({ key, row }) => {
        const { record, table, cacheOnly } = plan.resolve(key);
        expect(cacheOnly).toBe(table === null);
        if (table === null) return;
        expect(plan.rowOf(record)).toEqual({ table, key: row });
        expect(plan.resolve(record)).toEqual({
          record,
          table,
          field: table.schema.name === "pages" ? "views" : null,
          cacheOnly: false,
        });
      }),
      { numRuns: 1000 },
    );
  });
});
