/**
 * What a column takes, independent of the database that has it. An adapter says which of these each of its columns is;
 * canonical.ts says which text a value of it has. Types only.
 */

/**
 * A column's type. Its values are text everywhere in the engine, one text for each value: what `canonical` gives.
 * `unknown` is a type that is left alone: such a column is no field.
 */
export type ColumnType =
  /** Decimal digits, -2^(bits-1) to 2^(bits-1)-1. */
  | { readonly kind: "integer"; readonly bits: 16 | 32 | 64 }
  /** numeric: with `precision` digits in all and `scale` after the point, rounded half away from zero; null: as given. */
  | { readonly kind: "decimal"; readonly precision: number | null; readonly scale: number | null }
  | { readonly kind: "float"; readonly bits: 32 | 64 }
  /** SQLite's NUMERIC affinity: what looks like a number becomes one, everything else stays text. */
  | { readonly kind: "affinity" }
  /** `true` or `false`. */
  | { readonly kind: "boolean" }
  /** UTF-8 without zero bytes; at most so many characters. `padded`: spaces at the end mean nothing (char(n)). */
  | { readonly kind: "text"; readonly charsMax: number | null; readonly padded: boolean }
  /** Any bytes. */
  | { readonly kind: "bytes" }
  /** 8-4-4-4-12 hexadecimal digits in lower case. */
  | { readonly kind: "uuid" }
  | { readonly kind: "enum"; readonly labels: readonly string[] }
  /** `2026-11-24`. */
  | { readonly kind: "date" }
  /** `21:43:18.120`; `digits` after the point in the database, 0 to 6. */
  | { readonly kind: "time"; readonly digits: number }
  /** `2026-11-24T21:43:18.120Z`, without the Z where the column has no zone. */
  | { readonly kind: "timestamp"; readonly zone: boolean; readonly digits: number }
  /** `verbatim`: the text stays as it is (PostgreSQL's json); else one text for one value (jsonb). */
  | { readonly kind: "json"; readonly verbatim: boolean }
  | { readonly kind: "unknown" };

/** A column of a table, as it was found. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** What the database calls its type, for people: `numeric(10,1)`. */
  readonly typeName: string;
  readonly nullable: boolean;
  /** Whether the database fills it in where a new row gives no value. */
  readonly hasDefault: boolean;
  /** The database works it out: it is read and never written. */
  readonly generated: boolean;
}
