/** A table that routes map: what the columns of a row are to a record. Made by check.ts, which finds what is amiss. */
import { bytesOfText, type Bytes } from "../bytes.js";
import type { Column } from "./column.js";
import { fillPattern, type Pattern } from "./pattern.js";
import type { RouteSpec } from "./route.js";
import type { TableSchema } from "./table.js";

/** A column that is a field, and its name as a field. */
export type FieldColumn = readonly [field: Bytes, column: Column];

/** A mapped table. */
export class MappedTable {
  readonly schema: TableSchema;
  /** The table's first route: what it says of the table holds for all of them. */
  readonly route: RouteSpec;
  /** The key's columns, in the order in which the database has them. */
  readonly keyColumns: readonly Column[];
  /**
   * The name of a record in this table, with a place for each column of the key. Of a table whose rows no key names
   * whole it is the first route's, with `{column}` standing as it is.
   */
  readonly pattern: Pattern;
  /** For each of `keyColumns` its place among the pattern's placeholders. */
  readonly keyOrder: readonly number[];
  /** The fields. Columns of the key, `expiresAt` and marks of deleted rows are none. */
  readonly fields: ReadonlyMap<Bytes, Column>;
  readonly fieldNames: ReadonlyMap<string, Bytes>;
  /** Fields that a new row must give a value to. */
  readonly needed: readonly FieldColumn[];
  /** Fields that the database fills in or works out where a new row leaves them out. */
  readonly defaulted: readonly Bytes[];
  /** The column that says when a row ends. */
  readonly expiresAt: Column | null;
  /** Columns that mark a row as deleted, and with what; null where rows are deleted. */
  readonly marks: readonly { readonly column: Column; readonly value: string | number | boolean }[] | null;

  constructor(parts: {
    readonly schema: TableSchema;
    readonly route: RouteSpec;
    readonly keyColumns: readonly Column[];
    readonly pattern: Pattern;
    readonly fields: readonly Column[];
    readonly expiresAt: Column | null;
    readonly marks: MappedTable["marks"];
  }) {
    this.schema = parts.schema;
    this.route = parts.route;
    this.keyColumns = parts.keyColumns;
    this.pattern = parts.pattern;
    this.keyOrder = parts.keyColumns.map(({ name }) => parts.pattern.names.indexOf(name));
    this.fields = new Map(parts.fields.map((column) => [bytesOfText(column.name), column]));
    this.fieldNames = new Map(parts.fields.map(({ name }) => [name, bytesOfText(name)]));
    const filled = ({ hasDefault, generated }: Column): boolean => hasDefault || generated;
    this.needed = [...this.fields].filter(([, column]) => !column.nullable && !filled(column));
    this.defaulted = [...this.fields].filter(([, column]) => filled(column)).map(([field]) => field);
    this.expiresAt = parts.expiresAt;
    this.marks = parts.marks;
  }

  /** The place of a column of the key among `pattern`'s placeholders. */
  placeOfKey(name: string): number {
    return this.pattern.names.indexOf(name);
  }

  /** The record whose key's columns have these values, in the order of `pattern`'s placeholders. */
  recordOf(values: readonly Bytes[]): Bytes {
    return fillPattern(this.pattern, values);
  }

  /** Whether a record must be read again after its commit: the database may have changed what it was given. */
  get reloads(): boolean {
    return this.route.reload || this.schema.columns.some(({ generated }) => generated);
  }

  /** Why a name is not that of a field: the end of a sentence. */
  whyNoField(name: string): string {
    if (this.keyColumns.some((column) => column.name === name))
      return `the column ${name} of ${this.schema.name} is its key and no field`;
    const column = this.schema.columns.find((one) => one.name === name);
    if (column === undefined) return `the table ${this.schema.name} has no column ${name}`;
    if (column.type.kind === "unknown")
      return `the column ${name} of ${this.schema.name} is of the type ${column.typeName}, which is left alone`;
    return `the column ${name} of ${this.schema.name} is no field`;
  }
}
