/** Tables as an adapter would have found them, in few words. */
import type { Column, ColumnType } from "../src/routes/column.js";
import type { Reference, TableSchema } from "../src/routes/table.js";

/** A column: `id: integer`, `name: text?` (NULL is allowed), `n: integer=` (there is a default), `g: text*` (generated). */
type ColumnText = string;

const types: Readonly<Record<string, ColumnType>> = {
  integer: { kind: "integer", bits: 64 },
  smallint: { kind: "integer", bits: 16 },
  numeric: { kind: "decimal", precision: null, scale: null },
  "numeric(10,1)": { kind: "decimal", precision: 10, scale: 1 },
  real: { kind: "float", bits: 64 },
  any: { kind: "affinity" },
  boolean: { kind: "boolean" },
  text: { kind: "text", charsMax: null, padded: false },
  "char(3)": { kind: "text", charsMax: 3, padded: true },
  bytes: { kind: "bytes" },
  uuid: { kind: "uuid" },
  date: { kind: "date" },
  time: { kind: "time", digits: 6 },
  timestamptz: { kind: "timestamp", zone: true, digits: 6 },
  "timestamp(0)": { kind: "timestamp", zone: false, digits: 0 },
  jsonb: { kind: "json", verbatim: false },
  point: { kind: "unknown" },
};

function column(text: ColumnText): Column {
  const [name = "", type = ""] = text.split(": ");
  const typeName = type.replace(/[?=*]+$/, "");
  const marks = type.slice(typeName.length);
  return {
    name,
    type: types[typeName] as ColumnType,
    typeName,
    nullable: marks.includes("?"),
    hasDefault: marks.includes("="),
    generated: marks.includes("*"),
  };
}

/** A table; its first key is the primary key. */
export function tableOf(
  name: string,
  columns: readonly ColumnText[],
  rest: Partial<Pick<TableSchema, "uniqueKeys" | "hasTriggers" | "problems">> & {
    readonly references?: readonly Reference[];
  } = {},
): TableSchema {
  return {
    name,
    columns: columns.map(column),
    uniqueKeys: [["id"]],
    references: [],
    hasTriggers: false,
    problems: [],
    ...rest,
  };
}
