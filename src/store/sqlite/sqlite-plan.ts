/** The plan of a store's routes: a stand-in, until routes and tables are held against each other in src/routes. */
import type { Column } from "../../routes/column.js";
import { MappedTable } from "../../routes/mapped-table.js";
import { parsePattern, type Pattern } from "../../routes/pattern.js";
import { Plan } from "../../routes/plan.js";
import { anyColumn, columnInKey, type RouteSpec, type Unrouted } from "../../routes/route.js";
import type { TableSchema } from "../../routes/table.js";

/** The plan, or what does not fit. */
export type Checked = { readonly plan: Plan } | { readonly problems: readonly string[] };

/** Puts routes and tables together. */
export function planOf(
  routes: readonly RouteSpec[],
  schemas: readonly TableSchema[],
  unrouted: Unrouted,
  _there: readonly string[] = [],
): Checked {
  const problems: string[] = [];
  const tables: MappedTable[] = [];
  for (const name of new Set(routes.flatMap(({ table }) => (table === null ? [] : [table])))) {
    const schema = schemas.find((one) => one.name === name);
    const made = schema === undefined ? [`there is no table ${name}`] : mappedTable(routes, schema);
    if (made instanceof MappedTable) tables.push(made);
    else problems.push(...made);
  }
  return problems.length > 0 ? { problems } : { plan: new Plan(routes, tables, unrouted) };
}

function mappedTable(routes: readonly RouteSpec[], schema: TableSchema): MappedTable | readonly string[] {
  const of = routes.filter(({ table }) => table === schema.name);
  const route = of[0] as RouteSpec;
  const named = route.pattern.names.filter((name) => route.column !== columnInKey || name !== anyColumn);
  const key = schema.uniqueKeys.find(
    (names) => names.length === named.length && names.every((name) => named.includes(name)),
  );
  const problems = [...schema.problems];
  if (key === undefined) problems.push(`${schema.name} has no unique key of ${named.join(", ")}`);
  const columnOf = (name: string): Column[] => {
    const column = schema.columns.find((one) => one.name === name);
    if (column === undefined) problems.push(`the table ${schema.name} has no column ${name}`);
    return column === undefined ? [] : [column];
  };
  const marks =
    route.onDelete === "delete"
      ? null
      : Object.entries(route.onDelete.set).flatMap(([name, value]) =>
          columnOf(name).map((column) => ({ column, value })),
        );
  const expiresAt = route.expiresAt === null ? null : (columnOf(route.expiresAt)[0] ?? null);
  const taken = new Set([...(key ?? []), route.expiresAt, ...(marks ?? []).map(({ column }) => column.name)]);
  const fields = (route.columns?.flatMap(columnOf) ?? schema.columns).filter(
    ({ name, type }) => !taken.has(name) && type.kind !== "unknown",
  );
  if (problems.length > 0) return problems;
  const whole = of.find(({ column }) => column === null) ?? route;
  const pattern = whole.column === columnInKey ? withoutColumn(whole.pattern) : whole.pattern;
  return new MappedTable({
    schema,
    route,
    keyColumns: (key ?? []).flatMap(columnOf),
    pattern,
    fields,
    expiresAt,
    marks,
  });
}

/** The pattern with `{column}` standing as it is. */
function withoutColumn(pattern: Pattern): Pattern {
  const at = pattern.names.indexOf(anyColumn);
  const plain = parsePattern("x") as Pattern;
  const column = `{${anyColumn}}` as (typeof plain.literals)[number];
  const joined = `${pattern.literals[at]}${column}${pattern.literals[at + 1]}` as typeof column;
  return {
    text: pattern.text,
    literals: [...pattern.literals.slice(0, at), joined, ...pattern.literals.slice(at + 2)],
    names: pattern.names.filter((name) => name !== anyColumn),
  };
}
