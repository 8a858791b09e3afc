/**
 * Routes and the tables that were found, held against each other: the plan, or everything that does not fit. Every
 * problem is one sentence that says what it is and what to change. It knows no database. Pure.
 */
import { nearest } from "../options-parse.js";
import { columnNamed, factsOf, tableProblems, tableWarnings, type TableFacts } from "./check-table.js";
import { MappedTable } from "./mapped-table.js";
import { withoutPlaceholder } from "./pattern.js";
import { Plan } from "./plan.js";
import { anyColumn, columnInKey, parseTableName, type RouteSpec, type Unrouted } from "./route.js";
import type { Reference, TableSchema } from "./table.js";

/**
 * The plan, or what does not fit. Warnings are what works and may surprise: what the cache cannot see, what is left
 * alone.
 */
export type Checked = ({ readonly plan: Plan } | { readonly problems: readonly string[] }) & {
  readonly warnings: readonly string[];
};

/**
 * Puts routes and tables together. `there` are the names of all tables that the database has, where they are known: a
 * name that is none of them is answered with the nearest one.
 */
export function planOf(
  routes: readonly RouteSpec[],
  schemas: readonly TableSchema[],
  unrouted: Unrouted,
  there: readonly string[] = [],
): Checked {
  const names = new Set(routes.flatMap(({ table }) => (table === null ? [] : [table])));
  const problems: string[] = [];
  const facts: TableFacts[] = [];
  for (const name of names) {
    const schema = schemas.find((one) => one.name === name);
    const of = routes.filter(({ table }) => table === name);
    if (schema === undefined) problems.push(noTable(name, of, there));
    else facts.push(factsOf(schema, of));
  }
  problems.push(...facts.flatMap((one) => tableProblems(one)), ...twiceProblems(facts));
  const warnings = facts.flatMap((one) => [...tableWarnings(one), ...cascadeWarnings(one, facts)]);
  if (problems.length > 0) return { problems, warnings };
  return { plan: new Plan(routes, facts.map(mappedTable), unrouted), warnings };
}

function noTable(name: string, routes: readonly RouteSpec[], there: readonly string[]): string {
  const meant = nearest(name, there);
  const remedy = meant === null ? "make it, or correct the name" : `did you mean ${meant}?`;
  return `the route ${(routes[0] as RouteSpec).pattern.text}: there is no table ${name}; ${remedy}`;
}

function mappedTable({ schema, routes, route, key, fields, marks }: TableFacts): MappedTable {
  const { pattern, column } = routes.find((one) => one.column === null) ?? route;
  return new MappedTable({
    schema,
    route,
    keyColumns: (key ?? []).flatMap((name) => columnNamed(schema, name) ?? []),
    pattern: column === columnInKey ? withoutPlaceholder(pattern, anyColumn) : pattern,
    fields,
    expiresAt: route.expiresAt === null ? null : columnNamed(schema, route.expiresAt),
    marks,
  });
}

/** Two names of one table would be two records for one row. Seen by what the tables are: a name says too little. */
function twiceProblems(facts: readonly TableFacts[]): string[] {
  return facts.flatMap(({ schema }, at) => {
    const other = facts.slice(0, at).find((one) => isSameTable(one.schema, schema));
    if (other === undefined) return [];
    return [
      `${other.schema.name} and ${schema.name} seem to be one table: name it in one way, or both with their schemas`,
    ];
  });
}

function isSameTable(a: TableSchema, b: TableSchema): boolean {
  const [left, right] = [parseTableName(a.name), parseTableName(b.name)];
  if ("wrong" in left || "wrong" in right || left.name.toLowerCase() !== right.name.toLowerCase()) return false;
  const bothSay = left.schema !== null && right.schema !== null;
  if (bothSay && left.schema.toLowerCase() !== right.schema.toLowerCase()) return false;
  const looks = ({ columns, uniqueKeys }: TableSchema): string => JSON.stringify([columns, uniqueKeys]);
  return looks(a) === looks(b);
}

/** Rows that the database changes when it deletes others: the cache has them as they were. */
function cascadeWarnings({ schema, route }: TableFacts, facts: readonly TableFacts[]): string[] {
  return schema.references.flatMap((reference) => {
    const parent = facts.find((one) => one.schema.name === reference.table);
    if (reference.onDelete === "refuse" || parent === undefined) return [];
    // A row that is only marked as deleted takes nothing with it.
    if (parent.marks !== null) return [];
    return [cascadeWarning(schema, reference, route.cacheTtlMs)];
  });
}

function cascadeWarning({ name }: TableSchema, { columns, table, onDelete }: Reference, ttlMs: number | null): string {
  const what = onDelete === "cascade" ? "deletes" : `changes ${columns.join(", ")} in`;
  const seen =
    ttlMs === null
      ? `the cache does not see that: set cacheTtl for ${name}, delete the rows of ${name} first, or let the reference refuse`
      : `the cache sees that when cacheTtl (${ttlMs} ms) is over`;
  return `when a row of ${table} goes, the database ${what} the rows of ${name} that refer to it; ${seen}`;
}
