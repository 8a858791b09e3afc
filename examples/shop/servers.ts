/** The two databases that the shop is played on, and how each of them fails. */
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import type { PostgresServer } from "../../test/postgres-server.js";
import { newPostgres, newSqlite } from "./database.js";
import type { Setting } from "./play.js";

type Place = Pick<Setting, "database" | "data" | "outage">;

/** A new file in the folder. It fails in that somebody else writes and does not come to an end. */
export async function onSqlite(folder: string): Promise<Place> {
  const file = join(folder, "shop.db");
  const database = await newSqlite(file);
  const other = new DatabaseSync(file, { timeout: 10_000 });
  return {
    database,
    data: join(folder, "data"),
    outage: {
      begin: async () => other.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE"),
      end: async () => other.exec("ROLLBACK"),
    },
  };
}

/** An empty database of a server, which is killed and started again. */
export async function onPostgres(folder: string, server: PostgresServer): Promise<Place> {
  return {
    database: await newPostgres(server.url()),
    data: join(folder, "data"),
    outage: { begin: () => server.kill(), end: () => server.start() },
  };
}
