/** The PostgreSQL server of a crash campaign, which may be killed as well; triggers in it keep a history. */
import { Client } from "pg";
import { startPostgres, type PostgresPrograms, type PostgresServer } from "../postgres-server.js";
import type { CrashDatabase, StoredSight } from "./database.js";
import type { Found } from "./history.js";
import type { WrittenRow } from "./written.js";

/** What happens to a string's value, and to the position. The values of one key are numbered and never repeat. */
const triggers = `
  CREATE TABLE IF NOT EXISTS crash_written (id bigserial PRIMARY KEY, key bytea, value bytea, sequence bigint);
  CREATE OR REPLACE FUNCTION crash_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO crash_written (key, value) VALUES (new.key, new.value);
    RETURN new;
  END $$;
  CREATE OR REPLACE FUNCTION crash_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO crash_written (sequence) VALUES (new.sequence);
    RETURN new;
  END $$;
  CREATE OR REPLACE TRIGGER crash_inserted AFTER INSERT ON write_behind_kv FOR EACH ROW
    WHEN (new.type = 'string') EXECUTE FUNCTION crash_write();
  CREATE OR REPLACE TRIGGER crash_updated AFTER UPDATE ON write_behind_kv FOR EACH ROW
    WHEN (new.type = 'string' AND
      (old.value IS DISTINCT FROM new.value OR old.expires_at IS NOT DISTINCT FROM new.expires_at))
    EXECUTE FUNCTION crash_write();
  CREATE OR REPLACE TRIGGER crash_moved AFTER UPDATE ON write_behind_position FOR EACH ROW
    WHEN (new.sequence IS DISTINCT FROM old.sequence OR new.log_id IS DISTINCT FROM old.log_id)
    EXECUTE FUNCTION crash_move();
`;

const missingTable = "42P01";

/** A server of its own. */
export class PostgresDatabase implements CrashDatabase {
  readonly flags: readonly string[];
  readonly #server: PostgresServer;
  #runs = true;
  #begun = false;

  private constructor(server: PostgresServer) {
    this.#server = server;
    this.flags = ["--store", server.url()];
  }

  static async start(programs: PostgresPrograms): Promise<PostgresDatabase> {
    return new PostgresDatabase(await startPostgres(programs));
  }

  readonly kill = async (): Promise<void> => {
    this.#runs = false;
    await this.#server.sigkill();
  };

  async start(): Promise<void> {
    if (!this.#runs) await this.#server.start();
    this.#runs = true;
  }

  end(): Promise<void> {
    return this.#server.stop();
  }

  async begin(): Promise<void> {
    if (!this.#begun) await this.#with((client) => client.query(triggers));
    this.#begun = true;
  }

  async sight(): Promise<StoredSight | null> {
    try {
      return await this.#with(sightOf);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === missingTable) return null;
      throw error;
    }
  }

  async written(): Promise<readonly WrittenRow[]> {
    if (!this.#begun) return [];
    const text = `WITH gone AS (DELETE FROM crash_written RETURNING id, key, value, sequence)
      SELECT convert_from(key, 'UTF8') AS key, convert_from(value, 'UTF8') AS value, sequence::float8
      FROM gone ORDER BY id`;
    return this.#with(async (client) => (await client.query<WrittenRow>(text)).rows);
  }

  async #with<T>(look: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: this.#server.url() });
    client.on("error", () => {});
    await client.connect();
    try {
      return await look(client);
    } finally {
      await client.end();
    }
  }
}

interface Row {
  readonly key: Buffer;
  readonly type: string;
  readonly value: Buffer | null;
  readonly expires_at: string | null;
}

/** Everything in a database at one moment; the position is that of its first partition. */
export async function sightOf(client: Client): Promise<StoredSight> {
  const readFrom = Date.now();
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const fields = new Map<string, Map<string, string>>();
  const found = await client.query<{ key: Buffer; field: Buffer; value: Buffer }>("SELECT * FROM write_behind_field");
  for (const { key, field, value } of found.rows) {
    const known = fields.get(key.toString()) ?? new Map<string, string>();
    fields.set(key.toString(), known.set(field.toString(), value.toString()));
  }
  const records = new Map<string, Found>();
  const rows = await client.query<Row>("SELECT key, type, value, expires_at FROM write_behind_kv");
  for (const { key: bytes, type, value, expires_at: end } of rows.rows) {
    const [key, expiresAt] = [bytes.toString(), end === null ? null : Number(end)];
    // A row whose time has come is no record any more; the sweep takes it away later.
    if (expiresAt !== null && expiresAt <= readFrom) continue;
    if (type === "string") records.set(key, { type, value: value?.toString() ?? "", expiresAt });
    else records.set(key, { type: "hash", fields: fields.get(key) ?? new Map(), expiresAt });
  }
  const text = `SELECT log_id || ':' || sequence || ':' || lpad(to_hex(tag), 8, '0') AS position FROM write_behind_position`;
  const position = (await client.query<{ position: string | null }>(text)).rows[0]?.position ?? null;
  await client.query("COMMIT");
  return { records, readFrom, readTo: Date.now(), position };
}
