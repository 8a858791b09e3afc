/** Finds what the tables of routes are: columns, keys, references. Changes nothing, and says what no route can have. */
import type { Column } from "../../routes/column.js";
import { anyColumn, parseTableName, type RouteSpec } from "../../routes/route.js";
import type { OnDeleteRule, Reference, TableSchema } from "../../routes/table.js";
import { columnsQuery, indexesQuery, referencesQuery, tablesQuery, thereQuery } from "./postgres-catalog.js";
import { numberOfCell, textArray, type Cell } from "./postgres-cell.js";
import { quoted } from "./postgres-names.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statement } from "./postgres-statements.js";
import { typeOf } from "./postgres-type.js";

type Run = (steps: readonly Step[]) => Promise<void>;
type Row = readonly Cell[];

/** What statements about a table need to know beyond its schema. */
export interface FoundTable {
  readonly schema: TableSchema;
  /** Its name in a statement, with that of its schema: whatever the search_path is when it runs. */
  readonly target: string;
  /** For each column the type that its text is made, by its name. Lengths and digits are then the column's own. */
  readonly casts: ReadonlyMap<string, string>;
  /** Columns with which an index begins. */
  readonly indexed: ReadonlySet<string>;
  /** The database numbers rows by a column of the key, and takes a number of ours only when told to. */
  readonly numbersKeys: boolean;
}

/** What was found. */
export interface FoundTables {
  /** The tables that are there. */
  readonly tables: readonly FoundTable[];
  /** Names of all tables that there are, where one was not found. */
  readonly there: readonly string[];
}

/** Looks at the tables of routes. */
export async function findTables(run: Run, routes: readonly RouteSpec[]): Promise<FoundTables> {
  const names = [...new Set(routes.flatMap(({ table }) => table ?? []))];
  const parameters = [textArray(names.map(nameInSql))];
  const rows: Row[][] = [];
  const step = (statement: Statement, at: number): Step => {
    const found: Row[] = (rows[at] = []);
    return { statement, parameters, onRow: (row) => found.push([...row]) };
  };
  await run([tablesQuery, columnsQuery, indexesQuery, referencesQuery].map(step));
  const [tables = [], ...parts] = rows;
  const found = tables.flatMap((table): FoundTable[] => {
    const n = numberOfCell(table[0] ?? null);
    const name = names[n - 1] as string;
    const relation = relationIn(name);
    // A name that is too long is cut off by the server: that is another table. The own tables are none.
    if (relation !== table[2] || relation.startsWith("write_behind_")) return [];
    const [columns = [], indexes = [], references = []] = parts.map((part) =>
      part.filter((row) => numberOfCell(row[0] ?? null) === n),
    );
    return [new Look(table, columns, indexes, references, names).found(name, routesOf(routes, name))];
  });
  return { tables: found, there: found.length === names.length ? [] : await namesThere(run) };
}

async function namesThere(run: Run): Promise<readonly string[]> {
  const there: string[] = [];
  await run([{ statement: thereQuery, onRow: ([name = null]) => there.push(name ?? "") }]);
  return there;
}

function routesOf(routes: readonly RouteSpec[], name: string): readonly RouteSpec[] {
  return routes.filter(({ table }) => table === name);
}

/** A route's name of a table as SQL has it: with quotes, for case is looked at and anything may be in it. */
function nameInSql(routed: string): string {
  const parsed = parseTableName(routed);
  if ("wrong" in parsed) return quoted(routed);
  return parsed.schema === null ? quoted(parsed.name) : `${quoted(parsed.schema)}.${quoted(parsed.name)}`;
}

function relationIn(routed: string): string {
  const parsed = parseTableName(routed);
  return "wrong" in parsed ? routed : parsed.name;
}

interface FoundColumn extends Column {
  readonly identity: string;
  readonly cast: string;
  /** A collation that takes different texts for one, else null. */
  readonly collation: string | null;
  readonly selects: boolean;
  readonly inserts: boolean;
  readonly updates: boolean;
}

interface FoundIndex {
  /** Unique over all rows. */
  readonly unique: boolean;
  readonly immediate: boolean;
  /** Null: no column but an expression. */
  readonly columns: readonly (string | null)[];
  readonly collation: string | null;
}

/** A look at one table. */
class Look {
  readonly #table: Row;
  readonly #columns: readonly FoundColumn[];
  readonly #indexes: readonly FoundIndex[];
  readonly #references: readonly Row[];
  readonly #names: readonly string[];

  constructor(
    table: Row,
    columns: readonly Row[],
    indexes: readonly Row[],
    references: readonly Row[],
    names: readonly string[],
  ) {
    this.#table = table;
    this.#columns = columns.map(columnOf);
    this.#indexes = indexes.map(indexOf);
    this.#references = references;
    this.#names = names;
  }

  found(name: string, routes: readonly RouteSpec[]): FoundTable {
    const keys = new Set(routes.flatMap(keyPlaceholders));
    const columns = this.#columns.map((found): Column => {
      const { name: called, type, typeName, nullable, hasDefault, identity } = found;
      // Such a number can be given where a row is made, and never be changed: a key is not.
      const generated = found.generated || (identity === "a" && !keys.has(called));
      return { name: called, type, typeName, nullable, hasDefault, generated };
    });
    const [, schema, relation] = this.#table;
    return {
      schema: {
        name,
        columns,
        uniqueKeys: this.#uniqueKeys(),
        references: this.#references.map((row) => this.#reference(row)),
        hasTriggers: this.#is(8),
        problems: this.#problems(routes, keys),
      },
      target: `${quoted(schema ?? "")}.${quoted(relation ?? "")}`,
      casts: new Map(this.#columns.map(({ name: called, cast }) => [called, cast])),
      indexed: new Set(this.#indexes.flatMap(({ columns: [first] }) => first ?? [])),
      numbersKeys: this.#columns.some(({ name: called, identity }) => identity === "a" && keys.has(called)),
    };
  }

  /** Of plain indexes over columns without NULLs that are checked at once: only such ones find a row to be updated. */
  #uniqueKeys(): readonly (readonly string[])[] {
    const filled = new Set(this.#columns.filter(({ nullable }) => !nullable).map(({ name }) => name));
    const keys = this.#indexes
      .filter(({ unique, immediate }) => unique && immediate)
      .flatMap(({ columns }) =>
        columns.every((name) => name !== null && filled.has(name)) ? [columns as string[]] : [],
      );
    return keys.filter((key, at) => keys.findIndex((other) => sameNames(other, key)) === at);
  }

  #reference([, other = null, table = null, rule = null, deferrable = null, columns = null]: Row): Reference {
    const routed = other === null ? null : this.#names[numberOfCell(other) - 1];
    const [onDelete, waits] = [ruleOf(rule), deferrable === "t"];
    return { columns: namesIn(columns), table: routed ?? table ?? "", onDelete, waits };
  }

  #problems(routes: readonly RouteSpec[], keys: ReadonlySet<string>): string[] {
    const [, , name, kind = null] = this.#table;
    const wrongKind = kinds[kind ?? ""];
    if (wrongKind !== undefined) return [`${name} is ${wrongKind}, and only tables can be written`];
    const problems: string[] = [];
    if (this.#is(5))
      problems.push(
        `other tables inherit from ${name}, and no key of it holds for their rows: use a partitioned table`,
      );
    if (this.#is(6))
      problems.push(`row level security hides rows of ${name} from the user ${this.#user}: give it BYPASSRLS`);
    if (this.#is(9)) problems.push(`${name} has rules, which rewrite what is written: use triggers instead`);
    for (const { unique, immediate, columns } of this.#indexes) {
      if (unique && !immediate && columns.length === keys.size && columns.every((each) => keys.has(each ?? "")))
        problems.push(
          `the key (${columns.join(", ")}) of ${name} is DEFERRABLE, and finds no rows: make it one that is not`,
        );
    }
    return [...problems, ...this.#collationProblems(keys), ...this.#rightProblems(routes, keys)];
  }

  #collationProblems(keys: ReadonlySet<string>): string[] {
    return this.#columns
      .filter(({ name }) => keys.has(name))
      .flatMap(({ name, collation }) => {
        const index = this.#indexes.find((one) => one.unique && one.columns.includes(name) && one.collation !== null);
        const found = collation ?? index?.collation ?? null;
        if (found === null) return [];
        return [
          `the column ${name} of ${this.#table[2]} compares with the collation ${found}, for which different texts are ` +
            "the same, so two keys would be one row: a key needs a deterministic collation",
        ];
      });
  }

  /** What this user may not do, in all that the routes will do. */
  #rightProblems(routes: readonly RouteSpec[], keys: ReadonlySet<string>): string[] {
    const [route] = routes as [RouteSpec];
    const marks = route.onDelete === "delete" ? null : Object.keys(route.onDelete.set);
    const fields = route.columns ?? this.#columns.filter(({ type }) => type.kind !== "unknown").map(({ name }) => name);
    const others = new Set([...fields, ...(marks ?? []), ...(route.expiresAt === null ? [] : [route.expiresAt])]);
    const used = this.#columns.filter(({ name }) => keys.has(name) || others.has(name));
    const written = used.filter(({ generated, identity, name }) => !generated && (identity !== "a" || keys.has(name)));
    const marked = new Set(marks ?? []);
    const lacking: [string, readonly FoundColumn[]][] = [
      ["SELECT", used.filter(({ selects }) => !selects)],
      // A mark is never given to a new row.
      ["INSERT", written.filter(({ inserts, name }) => !inserts && !marked.has(name))],
      ["UPDATE", written.filter(({ updates, name }) => !updates && !keys.has(name))],
    ];
    const rights = lacking
      .filter(([, columns]) => columns.length > 0)
      .map(([right, columns]) => `${right} (${columns.map(({ name }) => name).join(", ")})`);
    if (marks === null && !this.#is(7)) rights.push("DELETE");
    if (rights.length === 0) return [];
    return [`the user ${this.#user} lacks rights on ${this.#table[2]}: grant ${rights.join(", ")}`];
  }

  get #user(): string {
    return this.#table[4] ?? "";
  }

  #is(column: number): boolean {
    return this.#table[column] === "t";
  }
}

const kinds: Readonly<Record<string, string>> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
  S: "a sequence",
  c: "a type",
  i: "an index",
  I: "an index",
};

function keyPlaceholders({ pattern }: RouteSpec): readonly string[] {
  return pattern.names.filter((name) => name !== anyColumn);
}

function columnOf(row: Row): FoundColumn {
  const [, name = null, typeName = null, filled, hasDefault, identity = null, generated = null] = row;
  const [typid = null, typmod = null, cast = null, labels = null, collation = null, ...rights] = row.slice(7);
  const [selects, inserts, updates] = rights.map((right) => right === "t");
  return {
    name: name ?? "",
    type: typeOf(numberOfCell(typid), numberOfCell(typmod), labels === null ? null : namesIn(labels)),
    typeName: typeName ?? "",
    nullable: filled !== "t",
    hasDefault: hasDefault === "t",
    generated: generated !== "",
    identity: identity ?? "",
    cast: cast ?? "",
    collation,
    selects: selects === true,
    inserts: inserts === true,
    updates: updates === true,
  };
}

function indexOf([, unique, immediate, columns = null, collation = null]: Row): FoundIndex {
  return {
    unique: unique === "t",
    immediate: immediate === "t",
    columns: JSON.parse(columns ?? "[]") as (string | null)[],
    collation,
  };
}

function namesIn(json: Cell): readonly string[] {
  return JSON.parse(json ?? "[]") as string[];
}

function ruleOf(rule: Cell): OnDeleteRule {
  return rule === "c" ? "cascade" : rule === "n" || rule === "d" ? "set" : "refuse";
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
