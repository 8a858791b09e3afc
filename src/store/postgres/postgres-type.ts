/** What a column of PostgreSQL takes. Pure. */
import type { ColumnType } from "../../routes/column.js";

/** A length counts its own four bytes. */
const lengthBytes = 4;
const timeDigitsMax = 6;

/** A type by its number, its modifier (-1: none) and, of an enum, its labels. No domain: what it is made of. */
export function typeOf(oid: number, modifier: number, labels: readonly string[] | null): ColumnType {
  if (labels !== null) return { kind: "enum", labels };
  return builtIn[oid]?.(modifier) ?? { kind: "unknown" };
}

/** By the number of the type, the same in every PostgreSQL. Source: src/include/catalog/pg_type.dat */
const builtIn: Readonly<Record<number, (modifier: number) => ColumnType>> = {
  /** bool */
  16: () => ({ kind: "boolean" }),
  /** bytea */
  17: () => ({ kind: "bytes" }),
  /** int8 */
  20: () => ({ kind: "integer", bits: 64 }),
  /** int2 */
  21: () => ({ kind: "integer", bits: 16 }),
  /** int4 */
  23: () => ({ kind: "integer", bits: 32 }),
  /** text */
  25: () => ({ kind: "text", charsMax: null, padded: false }),
  /** json */
  114: () => ({ kind: "json", verbatim: true }),
  /** float4 */
  700: () => ({ kind: "float", bits: 32 }),
  /** float8 */
  701: () => ({ kind: "float", bits: 64 }),
  /** bpchar: char(n) */
  1042: (modifier) => ({ kind: "text", charsMax: lengthOf(modifier), padded: true }),
  /** varchar */
  1043: (modifier) => ({ kind: "text", charsMax: lengthOf(modifier), padded: false }),
  /** date */
  1082: () => ({ kind: "date" }),
  /** time */
  1083: (modifier) => ({ kind: "time", digits: digitsOf(modifier) }),
  /** timestamp */
  1114: (modifier) => ({ kind: "timestamp", zone: false, digits: digitsOf(modifier) }),
  /** timestamptz */
  1184: (modifier) => ({ kind: "timestamp", zone: true, digits: digitsOf(modifier) }),
  /** numeric */
  1700: decimalOf,
  /** uuid */
  2950: () => ({ kind: "uuid" }),
  /** jsonb */
  3802: () => ({ kind: "json", verbatim: false }),
};

function lengthOf(modifier: number): number | null {
  return modifier < 0 ? null : modifier - lengthBytes;
}

function digitsOf(modifier: number): number {
  return modifier < 0 ? timeDigitsMax : modifier;
}

/**
 * The modifier has the precision in its upper half and the scale, which may be negative, in 11 bits of the lower one.
 * Source: make_numeric_typmod in PostgreSQL's src/backend/utils/adt/numeric.c
 */
function decimalOf(modifier: number): ColumnType {
  if (modifier < 0) return { kind: "decimal", precision: null, scale: null };
  const packed = modifier - lengthBytes;
  return { kind: "decimal", precision: packed >> 16, scale: ((packed & 0x7ff) ^ 0x400) - 0x400 };
}
