/** The SQLite database of a crash campaign: a file in the server's folder, and triggers in it that keep a history. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { CrashDatabase, StoredSight } from "./database.js";
import type { Found } from "./history.js";
import type { WrittenRow } from "./written.js";

/** What happens to a string's value, and to the position. The values of one key are numbered and never repeat. */
const triggers = `
  CREATE TABLE IF NOT EXISTS crash_written (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, value TEXT, sequence INTEGER);
  CREATE TRIGGER IF NOT EXISTS crash_inserted AFTER INSERT ON write_behind_kv WHEN new.type = 'string' BEGIN
    INSERT INTO crash_written (key, value) VALUES (new.key, new.value); END;
  CREATE TRIGGER IF NOT EXISTS crash_updated AFTER UPDATE ON write_behind_kv
    WHEN new.type = 'string' AND (old.value IS NOT new.value OR old.expires_at IS new.expires_at) BEGIN
    INSERT INTO crash_written (key, value) VALUES (new.key, new.value); END;
  CREATE TRIGGER IF NOT EXISTS crash_moved AFTER UPDATE OF sequence ON write_behind_position
    WHEN new.sequence IS NOT old.sequence OR new.log_id IS NOT old.log_id BEGIN
    INSERT INTO crash_written (sequence) VALUES (new.sequence); END;
`;

/** A database file. */
export class SqliteDatabase implements CrashDatabase {
  readonly flags = [];
  readonly kill = null;
  readonly #file: string;
  #last = 0;

  constructor(file: string) {
    this.#file = file;
  }

  async sight(): Promise<StoredSight | null> {
    return inFile(this.#file);
  }

  async begin(): Promise<void> {
    this.#with((database) => database.exec(triggers));
  }

  async written(): Promise<readonly WrittenRow[]> {
    return this.#with((database) => {
      const there = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'crash_written'").get();
      if (there === undefined) return [];
      const found = database.prepare("SELECT * FROM crash_written WHERE id > ? ORDER BY id").all(this.#last) as unknown;
      const rows = found as readonly (WrittenRow & { readonly id: number })[];
      this.#last = rows.at(-1)?.id ?? this.#last;
      database.prepare("DELETE FROM crash_written WHERE id <= ?").run(this.#last);
      return rows;
    });
  }

  async start(): Promise<void> {}
  async end(): Promise<void> {}

  #with<T>(look: (database: InstanceType<typeof DatabaseSync>) => T): T {
    const database = new DatabaseSync(this.#file, { timeout: 10_000 });
    try {
      database.exec("PRAGMA busy_timeout = 10000");
      return look(database);
    } finally {
      database.close();
    }
  }
}

/** Everything in the SQLite file, read in one transaction without changing it. Null where there is no table yet. */
function inFile(file: string): StoredSight | null {
  let database: InstanceType<typeof DatabaseSync>;
  try {
    database = new DatabaseSync(file, { readOnly: true });
  } catch {
    return null;
  }
  try {
    database.exec("BEGIN");
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE name LIKE 'write_behind_%'").all();
    return tables.length < 3 ? null : readFile(database);
  } finally {
    database.close();
  }
}

function readFile(database: InstanceType<typeof DatabaseSync>): StoredSight {
  const readFrom = Date.now();
  const records = new Map<string, Found>();
  const fields = new Map<string, Map<string, string>>();
  for (const row of database.prepare("SELECT key, field, value FROM write_behind_field").all() as Record<
    string,
    string
  >[]) {
    const key = row["key"] as string;
    const known = fields.get(key) ?? new Map<string, string>();
    fields.set(key, known.set(row["field"] as string, row["value"] as string));
  }
  const rows = database.prepare("SELECT key, type, value, expires_at FROM write_behind_kv").all() as Record<
    string,
    unknown
  >[];
  for (const row of rows) {
    const expiresAt = row["expires_at"] as number | null;
    const key = row["key"] as string;
    // A row whose time has come is no record any more; the sweep takes it away later.
    if (expiresAt !== null && expiresAt <= readFrom) continue;
    if (row["type"] === "string") records.set(key, { type: "string", value: row["value"] as string, expiresAt });
    else records.set(key, { type: "hash", fields: fields.get(key) ?? new Map(), expiresAt });
    fields.delete(key);
  }
  const at = database.prepare("SELECT log_id, sequence, tag FROM write_behind_position").get() as
    | Record<string, unknown>
    | undefined;
  const position =
    typeof at?.["log_id"] === "string"
      ? `${at["log_id"]}:${String(at["sequence"])}:${Number(at["tag"]).toString(16).padStart(8, "0")}`
      : null;
  return { records, readFrom, readTo: Date.now(), position };
}
