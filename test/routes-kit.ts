/** Tables and plans for tests that need no database. */
import type { Column, ColumnType } from "../src/routes/column.js";
import { planOf } from "../src/routes/check.js";
import type { Plan } from "../src/routes/plan.js";
import { readRoutes, type Route } from "../src/routes/route.js";
import type { TableSchema } from "../src/routes/table.js";

/** A column that may be NULL and has no default, unless told otherwise. */
export function column(name: string, type: ColumnType, more: Partial<Column> = {}): Column {
  return { name, type, typeName: type.kind, nullable: true, hasDefault: false, generated: false, ...more };
}

/** A type of each kind, by a short name. */
export const types = {
  int: { kind: "integer", bits: 32 },
  bigint: { kind: "integer", bits: 64 },
  text: { kind: "text", charsMax: null, padded: false },
  short: { kind: "text", charsMax: 5, padded: false },
  money: { kind: "decimal", precision: 10, scale: 1 },
  moment: { kind: "timestamp", zone: true, digits: 6 },
  flag: { kind: "boolean" },
  json: { kind: "json", verbatim: false },
} as const satisfies Record<string, ColumnType>;

/** A table; its first column is its key. */
export function table(name: string, columns: readonly Column[], more: Partial<TableSchema> = {}): TableSchema {
  const uniqueKeys = [[(columns[0] as Column).name]];
  return { name, columns, uniqueKeys, references: [], hasTriggers: false, problems: [], ...more };
}

/** The plan of routes that fit their tables. */
export function plan(routes: readonly Route[], tables: readonly TableSchema[]): Plan {
  const made = planOf(readRoutes(routes), tables, "store");
  if ("problems" in made) throw new Error(made.problems.join("; "));
  return made.plan;
}
