/** The tables of a store's routes, held against the routes: what a connection reads and writes mapped rows by. */
import { planOf } from "../../routes/check.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import type { Plan } from "../../routes/plan.js";
import type { RouteSpec } from "../../routes/route.js";
import type { TableSchema } from "../../routes/table.js";
import { StoreError } from "../store.js";
import { PostgresConnection } from "./postgres-connection.js";
import { storeErrorOf } from "./postgres-errors.js";
import type { Step } from "./postgres-pipeline.js";
import { findTables } from "./postgres-schema.js";
import { namingIn, statementsFor } from "./postgres-statements.js";
import { TableSql } from "./postgres-table-sql.js";
import { placeOf, type PostgresPlace } from "./postgres-url.js";

/** Routes and tables that fit. */
export interface Mapping {
  readonly plan: Plan;
  readonly tables: readonly TableSchema[];
  readonly sql: ReadonlyMap<MappedTable, TableSql>;
}

/** The tables of routes as they are now. Throws `broken` with everything that does not fit. */
export async function mappingOf(
  run: (steps: readonly Step[]) => Promise<void>,
  routes: readonly RouteSpec[],
  place: PostgresPlace,
): Promise<Mapping> {
  const { tables: found, there } = await findTables(run, routes);
  const tables = found.map(({ schema }) => schema);
  const checked = planOf(routes, tables, "store", there);
  if (!("plan" in checked)) {
    const problems = checked.problems.join("; ");
    throw new StoreError("broken", `the routes do not fit the tables in ${place.shown}: ${problems}`);
  }
  const { plan } = checked;
  const letters = namingIn(place.schema)("write_behind_dead_letters");
  const sql = plan.tables.flatMap((table): [MappedTable, TableSql][] => {
    const one = found.find(({ schema }) => schema === table.schema);
    return one === undefined ? [] : [[table, new TableSql(table, one, letters)]];
  });
  return { plan, tables, sql: new Map(sql) };
}

/** The tables of routes as they are, without a change. Throws a StoreError where the database cannot be reached. */
export async function lookAtTablesIn(
  described: unknown,
  routes: readonly RouteSpec[],
): Promise<readonly TableSchema[]> {
  const place = placeOf(described);
  try {
    const connection = await PostgresConnection.connect(place, statementsFor(place.schema));
    try {
      const { tables } = await connection.conversation((run) => findTables(run, routes));
      return tables.map(({ schema }) => schema);
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw storeErrorOf(error, place.shown);
  }
}
