/**
 * The statements of one mapped table, as text. What is written depends on which columns a change gives, and never on
 * their values: those are parameters, one array for each column. Inside a statement parameters have names of our own.
 */
import { createHash } from "node:crypto";
import { bufferOfBytes } from "../../bytes.js";
import type { Column } from "../../routes/column.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import { literal, quoted } from "./postgres-names.js";
import type { FoundTable } from "./postgres-schema.js";
import type { Statement } from "./postgres-statements.js";
import { boundType, millisecondsOf, momentIn, nowIn, readable } from "./postgres-value.js";

/** As many shapes are kept; one more takes the place of the one that was not used for the longest time. */
const shapesMax = 1000;

/** Statements of one table. The parameters are said at each; `keys` are those of the key's columns, in order. */
export class TableSql {
  readonly table: MappedTable;
  /** Whether expired rows are found without looking at every row. */
  readonly endsAreIndexed: boolean;
  /** Parameters: keys. Rows: place in the keys from 1, fields in the order of `table.fields`, the end in ms. */
  readonly rows: Statement;
  /** Parameters: keys. */
  readonly deleteRows: Statement;
  /** Marks rows as deleted, or deletes them where none are marked. Parameters: keys. */
  readonly removeRows: Statement;
  /** Rows: keys. Parameters: the log time, how many. */
  readonly firstPage: Statement;
  /** The same after a key. Parameters: the log time, how many, a key. */
  readonly nextPage: Statement;
  /**
   * Removes rows that have ended, the oldest first. Parameters: the log time, how many, how many of the oldest are left
   * out. Row: how many were found.
   */
  readonly sweep: Statement | null;
  readonly #found: FoundTable;
  readonly #keys: readonly Column[];
  readonly #isThere: string;
  readonly #shapes = new Map<string, Statement>();

  constructor(table: MappedTable, found: FoundTable, letters: string) {
    this.table = table;
    this.#found = found;
    this.#keys = table.keyColumns;
    this.#isThere = (table.marks ?? []).map((mark) => ` AND NOT (${this.#isMarked(mark)})`).join("");
    this.endsAreIndexed = table.expiresAt !== null && found.indexed.has(table.expiresAt.name);
    this.rows = named(this.#rows());
    const given = `${this.#given([])} AS given`;
    this.deleteRows = named(`DELETE FROM ${found.target} AS t USING ${given} WHERE ${this.#isKey}`);
    this.removeRows =
      table.marks === null ? this.deleteRows : named(this.#mark(table.marks, `${given} WHERE ${this.#isKey}`));
    this.firstPage = named(this.#page(false));
    this.nextPage = named(this.#page(true));
    this.sweep = table.expiresAt === null ? null : named(this.#sweep(table.expiresAt, letters));
  }

  /**
   * Whole rows, by their key only: what another unique index finds is somebody else's row. Columns that are not given
   * get their defaults, marks are cleared. Parameters: keys, columns, the ends where the table has them.
   */
  upsert(shape: string, columns: readonly Column[]): Statement {
    return this.#shaped(`upsert ${shape}`, () => {
      const given = `${this.#given([...columns, ...this.#ends(true)])} AS given`;
      return this.#insert(columns, given, "");
    });
  }

  /**
   * Some columns of rows that are there; of those that are not, `upsert` of what is set. `unset` columns become NULL.
   * Parameters: keys, `set`, the ends where `ends`.
   */
  merge(shape: string, set: readonly Column[], unset: readonly Column[], ends: boolean): Statement {
    return this.#shaped(`merge${ends ? " ends" : ""} ${shape}`, () => {
      const columns = [...set, ...this.#ends(ends)];
      const given = `given AS MATERIALIZED (SELECT * FROM ${this.#given(columns)} AS given)`;
      const changes = columns.map(({ name }, at) => `${quoted(name)} = given.c${this.#keys.length + at}`);
      const empties = unset.map(({ name }) => `${quoted(name)} = NULL`);
      const updates = [...changes, ...empties].join(", ");
      const where = `${this.#isKey}${this.#isThere}`;
      const { target } = this.#found;
      if (updates === "")
        return `WITH ${given} ${this.#insert(set, "given", ` WHERE NOT EXISTS (SELECT FROM ${target} AS t WHERE ${where})`, ends)}`;
      // What was not there is told by numbers: they are compared in memory, whatever the key is.
      return `WITH ${given}, changed AS (
          UPDATE ${target} AS t SET ${updates} FROM given WHERE ${where} RETURNING given.n
        ) ${this.#insert(set, "given", " WHERE given.n NOT IN (SELECT n FROM changed)", ends)}`;
    });
  }

  /** What is bound for the key's columns comes first, so this is how everything is told from it. */
  get #isKey(): string {
    return this.#keys.map(({ name }, at) => `t.${quoted(name)} = given.c${at}`).join(" AND ");
  }

  /** The rows that parameters are, numbered from 1: `c0`, `c1`, … of the columns' types, and `n`. */
  #given(columns: readonly Column[]): string {
    const all = [...this.#keys, ...columns];
    const isEnd = (column: Column): boolean => column === this.table.expiresAt;
    const arrays = all.map((column, at) => `$${at + 1}::${isEnd(column) ? "bigint[]" : boundType(column)}`);
    const values = all.map(
      (column, at) => `${isEnd(column) ? momentIn(column, `c${at}`) : this.#cast(column, `c${at}`)} AS c${at}`,
    );
    const names = all.map((_, at) => `c${at}`);
    return (
      `(SELECT ${values.join(", ")}, n FROM unnest(${arrays.join(", ")}) ` +
      `WITH ORDINALITY AS bound (${names.join(", ")}, n))`
    );
  }

  #cast(column: Column, expression: string): string {
    return column.type.kind === "bytes" ? expression : `${expression}::${this.#found.casts.get(column.name)}`;
  }

  /** `ends`: whether they are among what is given; a new row has none where they are not. */
  #insert(columns: readonly Column[], given: string, where: string, ends = true): string {
    const { fields, marks } = this.table;
    const inserted = [...this.#keys, ...columns, ...this.#ends(true)];
    const names = inserted.map(({ name }) => quoted(name));
    const values = inserted.map((column, at) => (column === this.table.expiresAt && !ends ? "NULL" : `given.c${at}`));
    const isGiven = new Set(inserted.map(({ name }) => name));
    const anew = [...fields.values(), ...this.#ends(true), ...(marks ?? []).map(({ column }) => column)].filter(
      ({ generated }) => !generated,
    );
    const set = anew.map(
      ({ name }) => `${quoted(name)} = ${isGiven.has(name) ? `excluded.${quoted(name)}` : "DEFAULT"}`,
    );
    const overriding = this.#found.numbersKeys ? " OVERRIDING SYSTEM VALUE" : "";
    return (
      `INSERT INTO ${this.#found.target} (${names.join(", ")})${overriding} ` +
      `SELECT ${values.join(", ")} FROM ${given}${where} ` +
      `ON CONFLICT (${this.#keys.map(({ name }) => quoted(name)).join(", ")}) ` +
      `DO ${set.length === 0 ? "NOTHING" : `UPDATE SET ${set.join(", ")}`}`
    );
  }

  #ends(ends: boolean): readonly Column[] {
    return ends && this.table.expiresAt !== null ? [this.table.expiresAt] : [];
  }

  #rows(): string {
    const { fields, expiresAt } = this.table;
    const selected = [...fields.values()].map((column) => readable(column, `t.${quoted(column.name)}`));
    const ends = expiresAt === null ? "NULL" : millisecondsOf(expiresAt, `t.${quoted(expiresAt.name)}`);
    const columns = [...selected, ends].map((expression, at) => `${expression} AS v${at}`).join(", ");
    // OFFSET 0 keeps the planner from making a join of it, for which it would read a whole table.
    return (
      `SELECT given.n, found.* FROM ${this.#given([])} AS given, LATERAL (SELECT ${columns} ` +
      `FROM ${this.#found.target} AS t WHERE ${this.#isKey}${this.#isThere} OFFSET 0) AS found`
    );
  }

  #page(after: boolean): string {
    const { expiresAt } = this.table;
    const keys = this.#keys.map(({ name }) => `t.${quoted(name)}`);
    const asked = this.#keys.map((column, at) => this.#cast(column, `$${at + 3}::${boundType(column).slice(0, -2)}`));
    const live =
      expiresAt === null
        ? "$1::bigint IS NOT NULL"
        : `(t.${quoted(expiresAt.name)} IS NULL OR t.${quoted(expiresAt.name)} > ${momentIn(expiresAt, "$1::bigint")})`;
    return (
      `SELECT ${this.#keys.map((column, at) => readable(column, keys[at] as string)).join(", ")} ` +
      `FROM ${this.#found.target} AS t WHERE ${live}${this.#isThere}` +
      `${after ? ` AND (${keys.join(", ")}) > (${asked.join(", ")})` : ""} ORDER BY ${keys.join(", ")} LIMIT $2`
    );
  }

  #mark(marks: Marks, from: string): string {
    const set = marks.map((mark) => `${quoted(mark.column.name)} = ${this.#markValue(mark)}`);
    return `UPDATE ${this.#found.target} AS t SET ${set.join(", ")} FROM ${from}${this.#isThere}`;
  }

  /** Rows of parked records stay, and rows that somebody holds at this moment: it is theirs to decide. */
  #sweep(column: Column, letters: string): string {
    const { target } = this.#found;
    const { marks } = this.table;
    const ends = `t.${quoted(column.name)}`;
    const keys = this.#keys.map(({ name }) => `t.${quoted(name)}`);
    const expired = `expired AS MATERIALIZED (
        SELECT ${keys.map((key, at) => `${key} AS c${at}`).join(", ")} FROM ${target} AS t
        WHERE ${ends} <= ${momentIn(column, "$1::bigint")}${this.#isThere}
          AND NOT EXISTS (SELECT FROM ${letters} AS l WHERE l.record = ${this.#record()})
        ORDER BY ${[ends, ...keys].join(", ")} LIMIT $2 OFFSET $3 FOR UPDATE OF t SKIP LOCKED)`;
    const from = `expired AS given WHERE ${this.#isKey}`;
    const gone = marks === null ? `DELETE FROM ${target} AS t USING ${from}` : this.#mark(marks, from);
    return `WITH ${expired}, gone AS (${gone} RETURNING 1) SELECT count(*) FROM expired`;
  }

  /** The name of a row's record, as bytes. */
  #record(): string {
    const { literals } = this.table.pattern;
    const parts = literals.map((part) => `decode('${bufferOfBytes(part).toString("hex")}', 'hex')`);
    for (const [at, column] of this.#keys.entries()) {
      const key = `t.${quoted(column.name)}`;
      const text = column.type.kind === "bytes" ? key : `convert_to(${readable(column, key)}, 'UTF8')`;
      const place = this.table.keyOrder[at] as number;
      parts[place] += ` || ${text}`;
    }
    return parts.join(" || ");
  }

  /** One mark is enough. That of a moment is any moment: others have deleted rows at other ones. */
  #isMarked(mark: Mark): string {
    const name = `t.${quoted(mark.column.name)}`;
    return mark.value === "now" ? `${name} IS NOT NULL` : `${name} IS NOT DISTINCT FROM ${this.#markValue(mark)}`;
  }

  #markValue({ column, value }: Mark): string {
    return value === "now" ? nowIn(column) : `${literal(String(value))}::${this.#found.casts.get(column.name)}`;
  }

  #shaped(shape: string, text: () => string): Statement {
    let statement = this.#shapes.get(shape);
    if (statement === undefined) statement = named(text());
    else this.#shapes.delete(shape);
    this.#shapes.set(shape, statement);
    if (this.#shapes.size > shapesMax) this.#shapes.delete(this.#shapes.keys().next().value as string);
    return statement;
  }
}

type Marks = NonNullable<MappedTable["marks"]>;
type Mark = Marks[number];

/** Equal texts have equal names, and no others: a name never stands for a statement of before a table was changed. */
function named(text: string): Statement {
  return { name: `write_behind_${createHash("sha1").update(text).digest("hex")}`, text };
}
