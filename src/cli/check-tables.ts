/**
 * `write-behind check --store URL --routes FILE`: holds the routes against the tables as they are, and says everything
 * that does not fit, or what goes where. It changes nothing, and needs no server.
 */
import type { Column } from "../routes/column.js";
import { shown } from "../routes/check-table.js";
import { planOf, type Checked } from "../routes/check.js";
import type { MappedTable } from "../routes/mapped-table.js";
import { columnInKey, type OnDelete, type RouteSpec, type Routing } from "../routes/route.js";
import { loadStoreModule } from "../store/load-store.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, type ExitCode } from "./exit.js";
import { columns, print } from "./output.js";
import { namedStore, type NamedStore } from "./store-url.js";

/** Routes that fit, and the tables as they are to them. */
export type Fitting = Extract<Checked, { plan: unknown }>;

/** Runs the verb. Failed where anything does not fit. */
export async function checkTables(flags: Flags): Promise<ExitCode> {
  const { data, store, routes, unrouted } = someOptions(flags, ["data", "store", "routes", "unrouted"]);
  const asked = { routes, unrouted };
  const fitting = await fittingTables(namedStore(store, data), asked);
  print(fittingJson(fitting, asked), flags["json"] === true, () => fittingText(fitting, asked));
  return exitCodes.done;
}

/** Looks at the tables of these routes. Throws with all that does not fit, and a StoreError without a database. */
export async function fittingTables(
  { place, descriptor }: Pick<NamedStore, "place" | "descriptor">,
  { routes, unrouted }: Routing,
): Promise<Fitting> {
  if (routes.length === 0) {
    const hint = "name a file with routes: --routes FILE; a journal is checked with --data DIR";
    throw new CliError(exitCodes.usage, "there are no routes to check", hint);
  }
  const { lookAtTables } = await loadStoreModule(descriptor.module);
  if (lookAtTables === undefined)
    throw new CliError(exitCodes.failed, `the store at ${place} maps no tables`, "leave the routes out");
  const checked = planOf(routes, await lookAtTables(descriptor.options, routes), unrouted);
  if ("plan" in checked) return checked;
  const { problems } = checked;
  const message =
    problems.length === 1
      ? (problems[0] as string)
      : `${problems.length} things do not fit:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`;
  const hint = "correct the routes or the tables, and check again; docs/guide/tables.md has routes that work";
  throw new CliError(exitCodes.failed, message, hint, "ROUTE_MISMATCH");
}

/** What goes where, as JSON. */
export function fittingJson({ plan, warnings }: Fitting, { routes, unrouted }: Routing): unknown {
  return {
    tables: plan.tables.map(({ schema, route, keyColumns, fields, expiresAt }) => ({
      table: schema.name,
      routes: routes
        .filter(({ table }) => table === schema.name)
        .map(({ pattern, column }) => ({ key: pattern.text, column })),
      key: keyColumns.map(columnJson),
      fields: [...fields.values()].map(columnJson),
      expiresAt: expiresAt?.name ?? null,
      onDelete: route.onDelete,
      cacheTtlMs: route.cacheTtlMs,
      reload: route.reload,
      warm: route.warm,
    })),
    cacheOnly: routes.filter(({ table }) => table === null).map(({ pattern }) => pattern.text),
    unrouted,
    warnings,
  };
}

function columnJson({ name, typeName, nullable, hasDefault, generated }: Column): unknown {
  return { name, type: typeName, nullable, hasDefault, readOnly: generated };
}

/** What goes where, for people. */
export function fittingText({ plan, warnings }: Fitting, { routes, unrouted }: Routing): string {
  const tables = plan.tables.map((table) => {
    const of = routes.filter((route) => route.table === table.schema.name);
    return `${table.schema.name}\n${columns(tableLines(table, of)).replaceAll(/^/gm, "  ").trimEnd()}\n`;
  });
  const cached = routes.filter(({ table }) => table === null).map(({ pattern }) => `  ${pattern.text}\n`);
  const rest = unrouted === "store" ? "are kept in the own tables" : "are refused";
  return [
    ...tables,
    ...(cached.length === 0 ? [] : [`in the cache only\n${cached.join("")}`]),
    `keys of no route ${rest}\n`,
    ...warnings.map((warning) => `warning: ${warning}\n`),
    "everything fits\n",
  ].join("");
}

function tableLines(
  { keyColumns, fields, expiresAt, route }: MappedTable,
  of: readonly RouteSpec[],
): [string, string][] {
  const lines: [string, string][] = of.map(({ pattern, column }) => [pattern.text, namedBy(column)]);
  lines.push(["key", keyColumns.map(shown).join(", ")]);
  lines.push(["fields", fields.size === 0 ? "none" : [...fields.values()].map(fieldText).join(", ")]);
  if (expiresAt !== null) lines.push(["ends", `by ${shown(expiresAt)}`]);
  if (route.onDelete !== "delete") lines.push(["deleted", `by ${marksText(route.onDelete)}`]);
  if (route.cacheTtlMs !== null) lines.push(["cached", `for ${route.cacheTtlMs} ms after it was read`]);
  if (route.reload) lines.push(["reload", "read again after each commit"]);
  if (route.warm) lines.push(["warm", "read into the cache at the start"]);
  return lines;
}

function namedBy(column: string | null): string {
  if (column === null) return "the row, a hash";
  return column === columnInKey ? "one column of it, a string" : `its column ${column}, a string`;
}

function fieldText({ name, typeName, nullable, hasDefault, generated }: Column): string {
  const needed = !nullable && !hasDefault ? ", needed" : "";
  return `${name} (${typeName}${generated ? ", read only" : needed})`;
}

function marksText({ set }: Exclude<OnDelete, "delete">): string {
  return Object.entries(set)
    .map(([name, value]) => `${name} = ${value}`)
    .join(", ");
}
