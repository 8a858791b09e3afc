/** The tables of a store's routes, held against the routes: what a connection reads and writes mapped rows by. */
import type { Plan } from "../../routes/plan.js";
import type { RouteSpec } from "../../routes/route.js";
import type { TableSchema } from "../../routes/table.js";
import { StoreError } from "../store.js";
import { SqliteConnection } from "./sqlite-connection.js";
import { storeErrorOf } from "./sqlite-errors.js";
import { planOf } from "../../routes/check.js";
import { findTables } from "./sqlite-schema.js";

/** Routes and tables that fit. */
export interface Mapping {
  readonly plan: Plan;
  readonly tables: readonly TableSchema[];
}

/**
 * The tables of routes as they are now, or null where there are no routes. Throws `broken` with everything that does not
 * fit. In a transaction that the caller has begun.
 */
export function mappingIn(connection: SqliteConnection, routes: readonly RouteSpec[], file: string): Mapping | null {
  if (routes.length === 0) return null;
  const { tables, there } = findTables(connection, routes);
  const checked = planOf(routes, tables, "store", there);
  if ("plan" in checked) return { plan: checked.plan, tables };
  throw new StoreError("broken", `the routes do not fit the tables in ${file}: ${checked.problems.join("; ")}`);
}

/** The tables of routes as they are, without changing a byte. Throws a StoreError where the file cannot be read. */
export function lookAtTablesIn(file: string, routes: readonly RouteSpec[]): readonly TableSchema[] {
  try {
    const connection = SqliteConnection.forLooking(file);
    try {
      return connection.transaction("BEGIN", () => findTables(connection, routes).tables);
    } finally {
      connection.close();
    }
  } catch (error) {
    throw storeErrorOf(error, file);
  }
}
