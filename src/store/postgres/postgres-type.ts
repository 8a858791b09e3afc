/** What a column of PostgreSQL takes. Pure. */
import type { ColumnType } from "../../routes/column.js";

/** Numbers of built-in types, the same in every PostgreSQL. Source: src/include/catalog/pg_type.dat */
export const builtIn = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** A length counts its own four bytes. */
const lengthBytes = 4;
const timeDigitsMax = 6;

/** A type by its number, its modifier (-1: none) and, of an enum, its labels. No domain: what it is made of. */
export function typeOf(oid: number, modifier: number, labels: readonly string[] | null): ColumnType {
  if (labels !== null) return { kind: "enum", labels };
  const charsMax = modifier < 0 ? null : modifier - lengthBytes;
  const digits = modifier < 0 ? timeDigitsMax : modifier;
  switch (oid) {
    case builtIn.bool:
      return { kind: "boolean" };
    case builtIn.bytea:
      return { kind: "bytes" };
    case builtIn.int2:
      return { kind: "integer", bits: 16 };
    case builtIn.int4:
      return { kind: "integer", bits: 32 };
    case builtIn.int8:
      return { kind: "integer", bits: 64 };
    case builtIn.float4:
      return { kind: "float", bits: 32 };
    case builtIn.float8:
      return { kind: "float", bits: 64 };
    case builtIn.numeric:
      return decimalOf(modifier);
    case builtIn.text:
      return { kind: "text", charsMax: null, padded: false };
    case builtIn.varchar:
      return { kind: "text", charsMax, padded: false };
    case builtIn.bpchar:
      return { kind: "text", charsMax, padded: true };
    case builtIn.uuid:
      return { kind: "uuid" };
    case builtIn.date:
      return { kind: "date" };
    case builtIn.time:
      return { kind: "time", digits };
    case builtIn.timestamp:
      return { kind: "timestamp", zone: false, digits };
    case builtIn.timestamptz:
      return { kind: "timestamp", zone: true, digits };
    case builtIn.json:
      return { kind: "json", verbatim: true };
    case builtIn.jsonb:
      return { kind: "json", verbatim: false };
    default:
      return { kind: "unknown" };
  }
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
