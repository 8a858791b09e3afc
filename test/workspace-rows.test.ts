/** Work on records that are rows of mapped tables: what the door makes of values, and what it refuses. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { apply, type Fields, type RecordValue } from "../src/change.js";
import { WriteBehindError } from "../src/errors.js";
import { canonical } from "../src/routes/canonical.js";
import { planOf } from "../src/routes/check.js";
import type { Plan } from "../src/routes/plan.js";
import { readRoutes, type Route, type Unrouted } from "../src/routes/route.js";
import { checkRows, mayDiffer } from "../src/routes/row-door.js";
import type { TableSchema } from "../src/routes/table.js";
import { Workspace } from "../src/workspace.js";
import { tableOf } from "./found-tables.js";

const b = bytesOfText;
const now = 1000;

const users = tableOf("users", [
  "id: integer",
  "name: text",
  "age: smallint?",
  "score: numeric(10,1)?",
  "active: boolean=",
  "meta: jsonb?",
  "loud: text*",
]);
const pages = tableOf("pages", ["path: text", "views: integer="], { uniqueKeys: [["path"]] });
const sessions = tableOf("sessions", ["id: text", "user: integer?", "until: integer?"]);

const routes: readonly Route[] = [
  { key: "user:{id}", table: "users" },
  { key: "user:{id}:{column}", table: "users" },
  { key: "views:{path}", table: "pages", column: "views" },
  { key: "session:{id}", table: "sessions", expiresAt: "until" },
  { key: "tmp:{name}", store: "none" },
];

function planned(unrouted: Unrouted = "store", tables: readonly TableSchema[] = [users, pages, sessions]): Plan {
  const made = planOf(readRoutes(routes), tables, unrouted);
  if ("problems" in made) throw new Error(made.problems.join("; "));
  return made.plan;
}

const plan = planned();

/** A workspace over records that are all in memory. */
function over(rows: Readonly<Record<string, Readonly<Record<string, string>> | string>> = {}, of = plan): Workspace {
  const found = new Map<Bytes, RecordValue>(
    Object.entries(rows).map(([name, row]) => [
      b(name),
      { content: typeof row === "string" ? b(row) : fieldsOf(row), expiresAt: null },
    ]),
  );
  return new Workspace(
    (key) => of.resolve(key),
    (record) => found.get(record) ?? null,
    now,
  );
}

function fieldsOf(row: Readonly<Record<string, string>>): Fields {
  return new Map(Object.entries(row).map(([name, text]) => [b(name), b(text)]));
}

function read(workspace: Workspace, key: string): unknown {
  const content = workspace.get(b(key));
  return content === null || typeof content === "string" ? content : Object.fromEntries(content);
}

/** The changes by record. */
function changed(workspace: Workspace): Record<string, unknown> {
  return Object.fromEntries(workspace.changes().map(({ record, change }) => [record, change]));
}

const ada = { name: "Ada", active: "true" };

function refuses(work: () => void, ...parts: readonly string[]): void {
  let error: unknown = null;
  try {
    work();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(WriteBehindError);
  const { code, message, hint } = error as WriteBehindError;
  expect(code).toBe("BAD_VALUE");
  for (const part of parts) expect(`${message} (${hint})`).toContain(part);
}

describe("values", () => {
  it("are kept as their column has them, by whichever key and verb they come", () => {
    const workspace = over({ "user:1": ada });
    workspace.setFields(b("user:1"), fieldsOf({ age: "+07", score: "1.25", active: "yes" }));
    expect(read(workspace, "user:1")).toEqual({ name: "Ada", age: "7", score: "1.3", active: "true" });
    workspace.setString(b("user:1:age"), b("008"));
    workspace.updateString(b("user:1:score"), b("2"));
    workspace.mergeFields(b("user:1"), fieldsOf({ meta: '{"b":1, "a":2}' }));
    expect(read(workspace, "user:1:age")).toBe("8");
    expect(read(workspace, "user:1:score")).toBe("2.0");
    expect(read(workspace, "user:1:meta")).toBe('{"a": 2, "b": 1}'.replaceAll(" ", ""));
    workspace.replaceFields(b("user:1"), fieldsOf({ name: "B", active: "0" }));
    expect(read(workspace, "user:1")).toEqual({ name: "B", active: "false" });
    workspace.setString(b("views:/a"), b("+1"));
    expect(read(workspace, "views:/a")).toBe("1");
  });

  it("are refused with record, column, type and value, and nothing has changed", () => {
    const workspace = over({ "user:1": ada });
    const refused = (key: string, work: () => void, ...parts: string[]): void =>
      refuses(work, JSON.stringify(key), ...parts);
    refused("user:1:age", () => workspace.setString(b("user:1:age"), b("abc")), "age", "smallint", '"abc"', "users");
    refused("user:1", () => workspace.setFields(b("user:1"), fieldsOf({ name: "x", age: "70000" })), "age", "70000");
    refused("user:1", () => workspace.mergeFields(b("user:1"), fieldsOf({ nope: "x" })), "no column nope", "name, age");
    refused("user:1", () => workspace.replaceFields(b("user:1"), fieldsOf({ id: "2" })), "is its key and no field");
    refused("user:1", () => workspace.setFields(b("user:1"), fieldsOf({ loud: "X" })), "loud", "worked out");
    refused("user:1:loud", () => workspace.setString(b("user:1:loud"), b("X")), "worked out");
    refused("user:1:nope", () => workspace.get(b("user:1:nope")), "no column nope");
    const long = "x".repeat(500);
    refused("user:1:age", () => workspace.setString(b("user:1:age"), b(long)), `${long.slice(0, 40)}"…`);
    expect(workspace.changes()).toEqual([]);
  });

  it("are text that is no UTF-8 nowhere", () => {
    const workspace = over({ "user:1": ada });
    refuses(() => workspace.setString(b("user:1:name"), "\xff" as Bytes), "name", "text");
  });
});

describe("keys", () => {
  it("are taken as the database writes them, and name their record whatever they say of it", () => {
    const workspace = over({ "user:7": ada });
    for (const key of ["user:07", "user:x", "user:+7", "user:07:name"]) refuses(() => workspace.get(b(key)), "user:");
    workspace.setString(b("user:7:name"), b("B"));
    workspace.setFields(b("user:7"), fieldsOf({ age: "1" }));
    workspace.setString(b("views:/x"), b("1"));
    expect(workspace.records).toEqual(["user:7", "views:/x"]);
    expect(workspace.changes()).toHaveLength(2);
  });

  it("of no route go to the own tables, or are refused", () => {
    const workspace = over();
    workspace.setString(b("other"), b("07"));
    expect(read(workspace, "other")).toBe("07");
    const strict = over({}, planned("refuse"));
    for (const work of [() => strict.get(b("other")), () => strict.setString(b("other"), b("1"))])
      refuses(work, '"other" matches no route', "unrouted: store");
  });
});

describe("rows", () => {
  it("stay when their last field goes, and exist without one", () => {
    const workspace = over({ "session:a": { user: "1" } });
    workspace.unsetFields(b("session:a"), [b("user")]);
    expect(read(workspace, "session:a")).toEqual({});
    expect(changed(workspace)).toMatchObject({ "session:a": { kind: "merge" } });
    const empty = over({ "session:b": {} });
    expect(read(empty, "session:b")).toEqual({});
    expect(empty.expiryOf(b("session:b"))).toBeNull();
    empty.unsetFields(b("session:b"), [b("user")]);
    expect(empty.changes()).toEqual([]);
    // In the own tables a hash goes with its last field.
    const own = over({ h: { f: "1" } });
    own.unsetFields(b("h"), [b("f")]);
    expect(changed(own)).toEqual({ h: { kind: "remove" } });
  });

  it("keep a field whose column takes no NULL", () => {
    const workspace = over({ "user:1": { ...ada, age: "1" } });
    refuses(() => workspace.unsetFields(b("user:1"), [b("age"), b("name")]), "name (text)", "takes no NULL");
    refuses(() => workspace.mergeFields(b("user:1"), new Map(), [b("active")]), "active (boolean)");
    refuses(() => workspace.remove(b("user:1:name")), "name (text)");
    expect(workspace.changes()).toEqual([]);
    // What is not there cannot be missed.
    over().remove(b("user:2:name"));
    over({ "user:1": ada }).unsetFields(b("user:1"), [b("nope")]);
    workspace.remove(b("user:1:age"));
    expect(read(workspace, "user:1")).toEqual(ada);
  });

  it("come to be with every column that must have a value, at the end of the work", () => {
    const check = (workspace: Workspace): void => checkRows(workspace.changes());
    const lacking: ((workspace: Workspace) => void)[] = [
      (workspace) => workspace.setFields(b("user:1"), fieldsOf({ age: "1" })),
      (workspace) => workspace.setString(b("user:1:age"), b("1")),
      (workspace) => workspace.mergeFields(b("user:1"), fieldsOf({ age: "1" })),
      (workspace) => workspace.replaceFields(b("user:1"), new Map()),
    ];
    for (const work of lacking) {
      const workspace = over();
      work(workspace);
      refuses(() => check(workspace), "user:1", "name (text) of users", "no value and no default");
      workspace.setString(b("user:1:name"), b("A"));
      check(workspace);
    }
    // A whole row anew needs it as well; a change of some fields does not.
    const there = over({ "user:1": ada });
    there.replaceFields(b("user:1"), fieldsOf({ age: "1" }));
    refuses(() => check(there), "name (text)");
    const merged = over({ "user:1": ada });
    merged.setString(b("user:1:age"), b("1"));
    check(merged);
  });

  it("are read again after their commit where the database adds something to them", () => {
    const changeOf = (workspace: Workspace) => {
      const [written] = workspace.changes();
      return mayDiffer(written?.table as never, written?.change as never);
    };
    const session = over();
    session.setFields(b("session:a"), fieldsOf({ user: "1" }));
    expect(changeOf(session)).toBe(false);
    const user = over({ "user:1": ada });
    user.setString(b("user:1:age"), b("1"));
    expect(changeOf(user)).toBe(true);
    const page = over();
    page.setString(b("views:/a"), b("1"));
    expect(changeOf(page)).toBe(false);
  });

  it("end only where the route says in which column", () => {
    const workspace = over({ "user:1": ada, "session:a": { user: "1" } });
    refuses(() => workspace.setExpiry(b("user:1"), now + 1), "do not expire", "expiresAt in the route");
    refuses(() => workspace.replaceFields(b("user:1"), fieldsOf(ada), now + 1), "do not expire");
    refuses(() => workspace.setString(b("user:1:age"), b("1"), now + 1), "user:1:age");
    refuses(() => workspace.setExpiry(b("user:1:age"), now + 1), "user:1:age");
    workspace.setExpiry(b("user:1"), null);
    expect(workspace.changes()).toEqual([]);
    workspace.setExpiry(b("session:a"), now + 1);
    expect(workspace.expiryOf(b("session:a"))).toBe(now + 1);
    workspace.setExpiry(b("session:a"), now);
    expect(read(workspace, "session:a")).toBeNull();
    refuses(() => workspace.setFields(b("session:b"), fieldsOf({ until: "1" })), "until");
  });
});

describe("strings and hashes", () => {
  const wrong = (work: () => void): void =>
    expect(work).toThrow(expect.objectContaining({ code: "WRONG_TYPE" }) as Error);

  it("are not mixed up: a row is a hash, a column is a string", () => {
    const workspace = over({ "user:1": ada });
    wrong(() => workspace.setString(b("user:1"), b("x")));
    wrong(() => workspace.updateString(b("user:1"), b("x")));
    wrong(() => workspace.getString(b("user:1")));
    wrong(() => workspace.getHash(b("user:1:name")));
    wrong(() => workspace.setFields(b("user:1:name"), fieldsOf({ a: "1" })));
    wrong(() => workspace.mergeFields(b("user:1:name"), fieldsOf({ a: "1" })));
    wrong(() => workspace.replaceFields(b("user:1:name"), fieldsOf({ a: "1" })));
    wrong(() => workspace.unsetFields(b("user:1:name"), [b("a")]));
    wrong(() => workspace.setString(b("session:new"), b("x")));
    expect(workspace.changes()).toEqual([]);
  });
});

describe("records that are in the cache only", () => {
  it("are no changes, need nothing loaded, and keep what is no column's", () => {
    const workspace = new Workspace(
      (key) => plan.resolve(key),
      () => undefined,
      now,
    );
    expect(read(workspace, "tmp:a")).toBeNull();
    workspace.setString(b("tmp:a"), b("007"));
    workspace.setFields(b("tmp:h"), fieldsOf({ f: "1" }));
    workspace.setExpiry(b("tmp:h"), now + 5);
    workspace.remove(b("tmp:gone"));
    workspace.setString(b("own"), b("1"));
    expect(workspace.hasMissing).toBe(false);
    expect(Object.keys(changed(workspace))).toEqual(["own"]);
    const kept = workspace.cacheOnly().map(({ record, value }) => [record, value?.expiresAt]);
    expect(kept).toEqual([
      ["tmp:a", null],
      ["tmp:h", now + 5],
    ]);
    expect([read(workspace, "tmp:a"), read(workspace, "tmp:h")]).toEqual(["007", { f: "1" }]);
  });

  it("are taken back with a savepoint", () => {
    const workspace = over();
    const point = workspace.savepoint();
    workspace.setString(b("tmp:a"), b("1"));
    workspace.rollback(point);
    expect(workspace.cacheOnly()).toEqual([]);
  });
});

/** Work on one row, and the same on a plain map of columns. */
type Op =
  | { readonly op: "set" | "merge" | "whole"; readonly fields: Readonly<Record<string, string>> }
  | { readonly op: "unset"; readonly names: readonly string[] }
  | { readonly op: "column"; readonly name: string; readonly value: string }
  | { readonly op: "removeColumn"; readonly name: string }
  | { readonly op: "remove" | "get" };

const columnName = fc.constantFrom("name", "age", "score", "active", "meta");
const text = fc.constantFrom("1", "007", "1.25", "true", "yes", "x", "", '{"a": 1}', "70000");
const fields = fc.dictionary(columnName, text, { maxKeys: 3 });
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constantFrom("set" as const, "merge" as const, "whole" as const), fields }),
  fc.record({ op: fc.constant("unset" as const), names: fc.uniqueArray(columnName, { maxLength: 3 }) }),
  fc.record({ op: fc.constant("column" as const), name: columnName, value: text }),
  fc.record({ op: fc.constant("removeColumn" as const), name: columnName }),
  fc.record({ op: fc.constantFrom("remove" as const, "get" as const) }),
);

type Row = ReadonlyMap<string, string> | null;

const notNull = new Set(["name", "active"]);

function canonicalOf(name: string, value: string): string | null {
  const type = users.columns.find((column) => column.name === name)?.type;
  const made = canonical(type as never, b(value));
  return typeof made === "string" ? made : null;
}

/** What a row is after an operation; undefined: it is refused. */
function plainly(row: Row, one: Op): Row | undefined {
  const set = (base: Row, given: Readonly<Record<string, string>>): Row | undefined => {
    const after = new Map(base ?? []);
    for (const [name, value] of Object.entries(given)) {
      const made = canonicalOf(name, value);
      if (made === null) return undefined;
      after.set(name, made);
    }
    return after;
  };
  switch (one.op) {
    case "whole":
      return set(null, one.fields);
    case "set":
    case "merge":
      return Object.keys(one.fields).length === 0 ? row : set(row, one.fields);
    case "column":
      return set(row, { [one.name]: one.value });
    case "unset":
    case "removeColumn": {
      const names = (one.op === "unset" ? one.names : [one.name]).filter((name) => row?.has(name) === true);
      if (names.some((name) => notNull.has(name))) return undefined;
      return row === null ? null : new Map([...row].filter(([name]) => !names.includes(name)));
    }
    case "remove":
      return null;
    case "get":
      return row;
  }
}

const theKey = b("user:1");

function perform(workspace: Workspace, one: Op): void {
  if (one.op === "set") workspace.setFields(theKey, fieldsOf(one.fields));
  else if (one.op === "merge") workspace.mergeFields(theKey, fieldsOf(one.fields));
  else if (one.op === "whole") workspace.replaceFields(theKey, fieldsOf(one.fields));
  else if (one.op === "unset") workspace.unsetFields(theKey, one.names.map(b));
  else if (one.op === "column") workspace.setString(b(`user:1:${one.name}`), b(one.value));
  else if (one.op === "removeColumn") workspace.remove(b(`user:1:${one.name}`));
  else if (one.op === "remove") workspace.remove(theKey);
  else workspace.get(theKey);
}

function performed(workspace: Workspace, one: Op): boolean {
  try {
    perform(workspace, one);
    return true;
  } catch (error) {
    if (error instanceof WriteBehindError) return false;
    throw error;
  }
}

describe("any work on a row", () => {
  it("shows and queues what the same work makes of plain values in canonical form", () => {
    const before = fc.option(fc.constantFrom<Record<string, string>>({ ...ada }, { ...ada, age: "1", meta: "[]" }));
    fc.assert(
      fc.property(before, fc.array(op, { maxLength: 8 }), (first, ops) => {
        const start: RecordValue | null = first === null ? null : { content: fieldsOf(first), expiresAt: null };
        const workspace = over(first === null ? {} : { "user:1": first });
        let row: Row = first === null ? null : new Map(Object.entries(first));
        for (const one of ops) {
          const expected = plainly(row, one);
          expect(performed(workspace, one), JSON.stringify(one)).toBe(expected !== undefined);
          if (expected !== undefined) row = expected;
          const seen = workspace.get(theKey);
          expect(seen === null ? null : new Map(seen as Fields)).toEqual(row);
        }
        const [written] = workspace.changes();
        const queued = written === undefined ? start : apply(start, written.change);
        expect(queued === null ? null : new Map(queued.content as Fields)).toEqual(row);
      }),
    );
  });
});
