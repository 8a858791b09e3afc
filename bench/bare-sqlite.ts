/** SQLite as a user would use it without a write-behind: the same table, a prepared upsert, synchronous=FULL. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { Write } from "./load.js";

export interface BareSqlite {
  /** Outside of a transaction: one commit. */
  upsert(write: Write): void;
  /** In transactions of `size` writes. */
  upsertAll(writes: readonly Write[], size: number): void;
  close(): void;
}

/** Opens a new database file with the table that the library makes for strings. */
export function openBare(file: string): BareSqlite {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec(
    "CREATE TABLE write_behind_kv (key TEXT NOT NULL PRIMARY KEY, type TEXT NOT NULL, value TEXT, expires_at INTEGER)",
  );
  const statement = database.prepare(
    `INSERT INTO write_behind_kv (key, type, value, expires_at) VALUES (?, 'string', ?, NULL)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = NULL`,
  );
  return {
    upsert: ({ key, value }) => void statement.run(key, value),
    upsertAll: (writes, size) => {
      for (let start = 0; start < writes.length; start += size) {
        database.exec("BEGIN");
        for (const { key, value } of writes.slice(start, start + size)) statement.run(key, value);
        database.exec("COMMIT");
      }
    },
    close: () => database.close(),
  };
}
