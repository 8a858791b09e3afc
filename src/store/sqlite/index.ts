/** The SQLite store, for users: `sqlite({ file: "app.db" })`. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { WriteBehindError } from "../../errors.js";
import type { RouteSpec } from "../../routes/route.js";
import type { TableSchema } from "../../routes/table.js";
import type { LookedPosition, Store, StoreDescriptor } from "../store.js";
import { lookAtPositions as looked } from "./sqlite-look.js";
import { lookAtTablesIn } from "./sqlite-mapped.js";
import { ownTablesSql } from "./sqlite-statements.js";
import { sqliteLimits, SqliteStore } from "./sqlite-store.js";

export { ownTablesSql };

/** Where the database is. */
export interface SqliteOptions {
  /** The database file, relative to the working folder. Made where it is missing; its folder is not. */
  readonly file: string;
  /** False: the own tables must be there already (`ownTablesSql` is what makes them). Default true. */
  readonly createTables?: boolean;
}

/** A store in an SQLite file: its own tables, beside whatever else is in there. Throws CONFIG. */
export function sqlite(options: SqliteOptions): StoreDescriptor {
  const file = resolve(checkedFile(options));
  const { createTables } = options;
  if (createTables !== undefined && typeof createTables !== "boolean")
    throw new WriteBehindError("CONFIG", "`createTables` is true or false");
  const described = createTables === undefined ? { file } : { file, createTables };
  return { kind: "sqlite", module: import.meta.url, options: described, limits: sqliteLimits, reads: "thread" };
}

/** What the threads call: the store that `sqlite(…)` describes. */
export function createStore(options: unknown, routes: readonly RouteSpec[] = []): Store {
  const file = resolve(checkedFile(options));
  return new SqliteStore(file, routes, (options as SqliteOptions).createTables);
}

/** The tables of routes as they are; nothing is changed. Throws a StoreError. */
export async function lookAtTables(options: unknown, routes: readonly RouteSpec[]): Promise<readonly TableSchema[]> {
  return lookAtTablesIn(resolve(checkedFile(options)), routes);
}

/** How far queues have written to the database; nothing is changed. Throws a StoreError. */
export async function lookAtPositions(options: unknown): Promise<readonly LookedPosition[]> {
  const file = resolve(checkedFile(options));
  return existsSync(file) ? looked(file) : [];
}

/** The statements that make the own tables, for people who make them by hand. */
export function sqlOfOwnTables(): string {
  return ownTablesSql();
}

function checkedFile(options: unknown): string {
  const file = typeof options === "object" && options !== null && "file" in options ? options.file : undefined;
  if (typeof file !== "string" || file === "" || file.includes("\0")) {
    throw new WriteBehindError("CONFIG", "sqlite() needs the path of a database file", {
      hint: 'sqlite({ file: "app.db" })',
    });
  }
  // What is answered is kept: a database that ends with its connection keeps nothing.
  if (file === ":memory:" || file.startsWith("file:")) {
    throw new WriteBehindError("CONFIG", `sqlite() takes the path of a file, not ${file}`, {
      hint: 'sqlite({ file: "app.db" })',
    });
  }
  return file;
}
