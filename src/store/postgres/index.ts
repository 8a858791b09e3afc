/** The PostgreSQL store, for users: `postgres("postgres://user:password@host:5432/database")`. */
import type { RouteSpec } from "../../routes/route.js";
import type { TableSchema } from "../../routes/table.js";
import type { LookedPosition, Store, StoreDescriptor } from "../store.js";
import { lookAtPositions as looked } from "./postgres-look.js";
import { lookAtTablesIn } from "./postgres-mapped.js";
import { ownTablesSql } from "./postgres-statements.js";
import { postgresLimits, PostgresStore } from "./postgres-store.js";
import { placeOf, type PostgresDescription, type PostgresOptions, type PostgresTls } from "./postgres-url.js";

export { ownTablesSql } from "./postgres-statements.js";
export type { PostgresOptions, PostgresTls };

/**
 * A store in a PostgreSQL database: its own tables, beside whatever else is in there. The URL is the driver's
 * (package `pg`, to be installed beside this one), and takes `prepare=false` for a pooler that lends connections.
 * Throws CONFIG.
 */
export function postgres(url: string, options: PostgresOptions = {}): StoreDescriptor {
  const described: PostgresDescription = { url, ...options };
  placeOf(described);
  return {
    kind: "postgres",
    module: import.meta.url,
    options: described,
    limits: postgresLimits,
    reads: "caller",
  };
}

/** What the writer's thread calls: the store that `postgres(…)` describes. */
export function createStore(options: unknown, routes: readonly RouteSpec[] = []): Store {
  return new PostgresStore(placeOf(options), routes);
}

/** The tables of routes as they are; nothing is changed. Throws a StoreError. */
export function lookAtTables(options: unknown, routes: readonly RouteSpec[]): Promise<readonly TableSchema[]> {
  return lookAtTablesIn(options, routes);
}

/** How far queues have written to the database; nothing is changed. Throws a StoreError. */
export function lookAtPositions(options: unknown): Promise<readonly LookedPosition[]> {
  return looked(options);
}

/** The statements that make the own tables, for people who make them by hand. */
export function sqlOfOwnTables(options: unknown): string {
  return ownTablesSql(placeOf(options).schema);
}
