/** Finds what the tables of routes are: columns, keys, references. Changes nothing, and says what no route can have. */
import type { Column, ColumnType } from "../../routes/column.js";
import { parseTableName, type RouteSpec } from "../../routes/route.js";
import type { OnDeleteRule, Reference, TableSchema } from "../../routes/table.js";
import type { SqliteConnection } from "./sqlite-connection.js";
import { quoted } from "./sqlite-names.js";

type Query = <Row>(sql: string, ...values: string[]) => Row[];

/** What was found. */
export interface FoundTables {
  /** The tables that are there. The own tables are none. */
  readonly tables: readonly TableSchema[];
  /** Names of all tables that there are. */
  readonly there: readonly string[];
}

interface ListedTable {
  readonly name: string;
  readonly type: string;
  /** 1: rows have no number of their own. */
  readonly wr: number;
  readonly strict: number;
}

interface ListedColumn {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
  /** Its place in the primary key, from 1; 0 where it is not in it. */
  readonly pk: number;
  /** 1: hidden in a virtual table; 2 and 3: generated. */
  readonly hidden: number;
}

interface UniqueIndex {
  readonly columns: readonly string[];
  readonly collations: readonly string[];
  readonly primary: boolean;
}

/** Looks at the tables of routes, in a transaction that the caller has begun: what it sees is one moment. */
export function findTables(connection: SqliteConnection, routes: readonly RouteSpec[]): FoundTables {
  const query: Query = <Row>(sql: string, ...values: string[]) => connection.prepare(sql).all(...values) as Row[];
  const listed = query<ListedTable>(
    "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'",
  ).filter(({ name }) => !/^(?:sqlite|write_behind)_/i.test(name));
  const names = new Map<string, string>();
  for (const { table } of routes) if (table !== null) names.set(table, nameIn(table));
  const tables = [...names].flatMap(([asRouted, name]): TableSchema[] => {
    const found = listed.find((one) => sameName(one.name, name));
    if (found === undefined) return [];
    const keys = routes.filter(({ table }) => table === asRouted).map(keyPlaceholders);
    return [new Look(query, found, names).schema(asRouted, keys)];
  });
  return { tables, there: listed.map(({ name }) => name) };
}

/** SQLite has no schemas, but the file's own tables may be named so. */
function nameIn(routed: string): string {
  const parsed = parseTableName(routed);
  if ("wrong" in parsed) return routed;
  return parsed.schema === null || sameName(parsed.schema, "main") ? parsed.name : `${parsed.schema}.${parsed.name}`;
}

/** SQLite compares names without regard to the case of ASCII letters. */
function sameName(a: string, b: string): boolean {
  return asciiLower(a) === asciiLower(b);
}

function asciiLower(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function keyPlaceholders({ pattern, column }: RouteSpec): readonly string[] {
  return pattern.names.filter((name) => column !== `{${name}}`);
}

/** A look at one table. */
class Look {
  readonly #query: Query;
  readonly #table: ListedTable;
  /** What routes call tables, and what those are called in the database. */
  readonly #names: ReadonlyMap<string, string>;

  constructor(query: Query, table: ListedTable, names: ReadonlyMap<string, string>) {
    this.#query = query;
    this.#table = table;
    this.#names = names;
  }

  schema(asRouted: string, keys: readonly (readonly string[])[]): TableSchema {
    const listed = this.#query<ListedColumn>("SELECT * FROM pragma_table_xinfo(?)", this.#table.name).filter(
      ({ hidden }) => hidden !== 1,
    );
    const rowNumber = this.#rowNumber(listed);
    const columns = listed.map((column) => columnOf(column, column.name === rowNumber, this.#table));
    const indexes = this.#uniqueIndexes(rowNumber);
    const notNull = new Set(columns.filter(({ nullable }) => !nullable).map(({ name }) => name));
    return {
      name: asRouted,
      columns,
      uniqueKeys: distinct(
        indexes.filter(({ columns: names }) => names.every((name) => notNull.has(name))).map((index) => index.columns),
      ),
      references: this.#references(),
      hasTriggers:
        this.#query(
          "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE",
          this.#table.name,
        ).length > 0,
      problems: this.#problems(indexes, columns, keys),
    };
  }

  /** The column that is another name for the row's number: INTEGER PRIMARY KEY. It has no index of its own. */
  #rowNumber(columns: readonly ListedColumn[]): string | null {
    const primary = columns.filter(({ pk }) => pk > 0);
    if (this.#table.wr === 1 || primary.length !== 1 || this.#indexList().some(({ origin }) => origin === "pk"))
      return null;
    return primary[0]?.name ?? null;
  }

  #indexList(): { name: string; unique: number; origin: string; partial: number }[] {
    return this.#query('SELECT name, "unique", origin, partial FROM pragma_index_list(?)', this.#table.name);
  }

  /** Unique indexes of plain columns over all rows, the primary key first. */
  #uniqueIndexes(rowNumber: string | null): readonly UniqueIndex[] {
    const primary = rowNumber === null ? [] : [{ columns: [rowNumber], collations: ["BINARY"], primary: true }];
    const others = this.#indexList()
      .filter(({ unique, partial }) => unique === 1 && partial === 0)
      .flatMap(({ name, origin }): UniqueIndex[] => {
        const parts = this.#query<{ name: string | null; coll: string }>(
          "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno",
          name,
        );
        // An expression has no name.
        if (parts.some((part) => part.name === null)) return [];
        const names = parts.map((part) => part.name as string);
        return [{ columns: names, collations: parts.map(({ coll }) => coll), primary: origin === "pk" }];
      });
    return [...primary, ...others].toSorted((a, b) => Number(b.primary) - Number(a.primary));
  }

  #references(): readonly Reference[] {
    interface Part {
      readonly id: number;
      readonly table: string;
      readonly from: string;
      readonly on_delete: string;
    }
    const parts = this.#query<Part>("SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq", this.#table.name);
    return [...new Set(parts.map(({ id }) => id))].map((id) => {
      const of = parts.filter((part) => part.id === id);
      const first = of[0] as Part;
      const routed = [...this.#names].find(([, name]) => sameName(name, first.table));
      return {
        columns: of.map(({ from }) => from),
        table: routed?.[0] ?? first.table,
        onDelete: ruleOf(first.on_delete),
        // Whatever was declared: see sqlite-table-writes.ts.
        waits: true,
      };
    });
  }

  #problems(
    indexes: readonly UniqueIndex[],
    columns: readonly Column[],
    keys: readonly (readonly string[])[],
  ): string[] {
    const { type, name } = this.#table;
    if (type !== "table") return [`${name} is a ${type}, and only tables can be written`];
    const problems: string[] = [];
    for (const column of columns.filter((one) => keys.some((key) => key.includes(one.name)))) {
      const collations = indexes
        .filter((index) => keys.some((key) => sameColumns(key, index.columns)))
        .flatMap((index) => index.collations[index.columns.indexOf(column.name)] ?? [])
        .map((collation) => collation.toUpperCase());
      const index = collations.find((collation) => collation !== "BINARY");
      if (index !== undefined || !this.#comparesBytes(column.name))
        problems.push(
          `the column ${column.name} of ${name} compares with the collation ${index ?? "that it was declared with"}, so ` +
            "two keys would be one row: a key needs COLLATE BINARY",
        );
    }
    return problems;
  }

  /** Whether a column compares as is the default. No pragma tells, but a union compares as its first part does. */
  #comparesBytes(column: string): boolean {
    const first = `SELECT ${quoted(column)} FROM ${quoted(this.#table.name)} WHERE 0`;
    const rows = this.#query(`${first} UNION SELECT 'x' UNION SELECT 'X' UNION SELECT 'x '`);
    return rows.length === 3;
  }
}

function columnOf(column: ListedColumn, isRowNumber: boolean, table: ListedTable): Column {
  return {
    name: column.name,
    type: typeOf(column.type, table.strict === 1),
    typeName: column.type,
    // A primary key may hold NULLs for the sake of old mistakes: such a row has no name, and no key leads to it.
    nullable: column.notnull === 0 && column.pk === 0,
    hasDefault: column.dflt_value !== null || isRowNumber,
    generated: column.hidden === 2 || column.hidden === 3,
  };
}

/** Types by the name that they were declared with: SQLite has none of these. */
const namedTypes: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: { kind: "boolean" },
  BOOL: { kind: "boolean" },
  JSON: { kind: "json", verbatim: false },
  JSONB: { kind: "json", verbatim: false },
  UUID: { kind: "uuid" },
};

/** What a declared type is. Source of the rules of affinity: https://www.sqlite.org/datatype3.html, section 3.1 */
function typeOf(declared: string, strict: boolean): ColumnType {
  const name = declared.toUpperCase();
  const named = namedTypes[name.replace(/\(.*/, "").trim()];
  if (named !== undefined) return named;
  if (strict && name === "ANY") return { kind: "bytes" };
  if (name.includes("INT")) return { kind: "integer", bits: 64 };
  if (/CHAR|CLOB|TEXT/.test(name)) return { kind: "text", charsMax: null, padded: false };
  if (name === "" || name.includes("BLOB")) return { kind: "bytes" };
  if (/REAL|FLOA|DOUB/.test(name)) return { kind: "float", bits: 64 };
  return { kind: "affinity" };
}

function ruleOf(rule: string): OnDeleteRule {
  return rule === "CASCADE" ? "cascade" : rule.startsWith("SET ") ? "set" : "refuse";
}

function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function distinct(keys: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return keys.filter((key, at) => keys.findIndex((other) => sameColumns(other, key)) === at);
}
