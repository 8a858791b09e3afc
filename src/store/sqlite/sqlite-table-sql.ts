/** The statements of one mapped table, as text. What is written depends on which columns a change gives. Pure. */
import type { Column } from "../../routes/column.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import { parseTableName } from "../../routes/route.js";
import { literal, quoted } from "./sqlite-names.js";
import { keepsMomentsAsNumbers } from "./sqlite-value.js";

/** Statements of one table. The order of what is bound is said at each. */
export class TableSql {
  /** Fields in the order of `table.fields`, then the moment it ends where there is one. Bound: key. */
  readonly row: string;
  /** Whether there is a row. Bound: key. */
  readonly exists: string;
  /** Bound: key. */
  readonly deleteRow: string;
  /** Marks a row as deleted, where rows are marked. Bound: key. */
  readonly markRow: string | null;
  /** Keys, then the moment. Bound: how many. */
  readonly firstPage: string;
  /** The same after a key. Bound: key, how many. */
  readonly nextPage: string;
  /** Keys of rows that have ended, where they can. Bound: a moment as the column has it, the same in milliseconds. */
  readonly expired: string | null;
  readonly #table: MappedTable;
  readonly #name: string;
  readonly #keys: readonly string[];
  readonly #isKey: string;
  readonly #isThere: string;

  constructor(table: MappedTable) {
    this.#table = table;
    this.#name = quoted(nameInFile(table));
    this.#keys = table.keyColumns.map(({ name }) => quoted(name));
    this.#isKey = this.#keys.map((key) => `${key} = ?`).join(" AND ");
    this.#isThere = (table.marks ?? []).map((mark) => ` AND NOT (${isMarked(mark)})`).join("");
    const keys = this.#keys.join(", ");
    const ends = table.expiresAt === null ? "NULL" : quoted(table.expiresAt.name);
    const fields = [...table.fields.values()].map(({ name }) => quoted(name));
    const row = ` FROM ${this.#name} WHERE ${this.#isKey}${this.#isThere}`;
    this.row = `SELECT ${[...fields, ends].join(", ")}${row}`;
    this.exists = `SELECT 1${row}`;
    this.deleteRow = `DELETE FROM ${this.#name} WHERE ${this.#isKey}`;
    this.markRow = table.marks === null ? null : this.#markRow(table.marks);
    const named = this.#keys.map((key) => ` AND ${key} IS NOT NULL`).join("");
    const page = (after: string): string =>
      `SELECT ${keys}, ${ends} FROM ${this.#name} WHERE ${after}${named}${this.#isThere} ORDER BY ${keys} LIMIT ?`;
    this.firstPage = page("TRUE");
    this.nextPage = page(`(${keys}) > (${this.#keys.map(() => "?").join(", ")})`);
    this.expired = table.expiresAt === null ? null : this.#expired(table.expiresAt);
  }

  /** Some columns of a row that is there. Bound: the columns, the moment where `ends`, the key. */
  update(columns: readonly Column[], ends: boolean): string {
    const set = [...columns, ...this.#ends(ends)].map(({ name }) => `${quoted(name)} = ?`);
    return `UPDATE OR ABORT ${this.#name} SET ${set.join(", ")} WHERE ${this.#isKey}${this.#isThere}`;
  }

  /**
   * A whole row, by its key only: what another unique index finds is somebody else's row (OR ABORT: also where that
   * index was declared with another rule). Columns that are not given get their defaults, which `excluded` has for a
   * row that is there. Bound: key, columns, the moment where the table has one.
   */
  upsert(columns: readonly Column[]): string {
    const { fields, marks } = this.#table;
    const anew = [...fields.values(), ...this.#ends(true), ...(marks ?? []).map(({ column }) => column)].filter(
      ({ generated }) => !generated,
    );
    const set = anew.map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`);
    return `${this.#insert(columns)} DO ${set.length === 0 ? "NOTHING" : `UPDATE SET ${set.join(", ")}`}`;
  }

  /** A new row where there is none, marked or not. Bound as for `upsert`. */
  insert(columns: readonly Column[]): string {
    return `${this.#insert(columns)} DO NOTHING`;
  }

  #insert(columns: readonly Column[]): string {
    const given = [...this.#keys, ...[...columns, ...this.#ends(true)].map(({ name }) => quoted(name))];
    return (
      `INSERT OR ABORT INTO ${this.#name} (${given.join(", ")}) VALUES (${given.map(() => "?").join(", ")}) ` +
      `ON CONFLICT (${this.#keys.join(", ")})`
    );
  }

  #ends(ends: boolean): readonly Column[] {
    return ends && this.#table.expiresAt !== null ? [this.#table.expiresAt] : [];
  }

  #markRow(marks: NonNullable<MappedTable["marks"]>): string {
    const set = marks.map((mark) => `${quoted(mark.column.name)} = ${markValue(mark)}`);
    return `UPDATE OR ABORT ${this.#name} SET ${set.join(", ")} WHERE ${this.#isKey}${this.#isThere}`;
  }

  #expired(column: Column): string {
    const ends = quoted(column.name);
    const ms = `CASE typeof(${ends}) WHEN 'text' THEN round(unixepoch(${ends}, 'subsec') * 1000) ELSE ${ends} END`;
    const keys = this.#keys.join(", ");
    return `SELECT ${keys} FROM ${this.#name} WHERE ${ends} <= ? AND ${ms} <= ?${this.#isThere} ORDER BY ${ends}`;
  }
}

/** What the database calls a table. */
export function nameInFile({ schema }: MappedTable): string {
  const name = parseTableName(schema.name);
  return "wrong" in name ? schema.name : name.name;
}

type Mark = NonNullable<MappedTable["marks"]>[number];

/** One mark is enough. That of a moment is any moment: others have deleted rows at other ones. */
function isMarked({ column, value }: Mark): string {
  return value === "now" ? `${quoted(column.name)} IS NOT NULL` : `${quoted(column.name)} IS ${markLiteral(value)}`;
}

function markValue({ column, value }: Mark): string {
  return value === "now" ? nowIn(column) : markLiteral(value);
}

function markLiteral(value: Mark["value"]): string {
  return typeof value === "boolean" ? (value ? "1" : "0") : typeof value === "number" ? String(value) : literal(value);
}

/** The database's own time, as `boundOfMoment` writes one. */
function nowIn({ type }: Column): string {
  return keepsMomentsAsNumbers(type)
    ? "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    : "strftime('%Y-%m-%d %H:%M:%f', 'now')";
}
