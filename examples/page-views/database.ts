/** The database of the example: which one, and its one table. */
import { DatabaseSync } from "@photostructure/sqlite";
import { Client } from "pg";
import { sqlite, type StoreDescriptor } from "write-behind";
import { postgres } from "write-behind/postgres";

const table = "CREATE TABLE IF NOT EXISTS page_views (path text PRIMARY KEY, views bigint NOT NULL DEFAULT 0)";

/** Makes the table where it is missing, and gives the store: `sqlite:FILE` or `postgres://user:password@host/database`. */
export async function openDatabase(url: string): Promise<StoreDescriptor> {
  if (url.startsWith("sqlite:")) {
    const file = url.slice("sqlite:".length);
    const database = new DatabaseSync(file, { timeout: 10_000 });
    database.exec(table);
    database.close();
    return sqlite({ file });
  }
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(table);
  await client.end();
  return postgres(url);
}
