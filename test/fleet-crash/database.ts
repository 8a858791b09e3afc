/**
 * The PostgreSQL of a fleet campaign: killed, started, looked into; triggers in it keep a history of what is written.
 */
import { Client } from "pg";
import { sightOf } from "../crash/postgres-database.js";
import type { StoredSight } from "../crash/database.js";
import { startPostgres, type PostgresPrograms, type PostgresServer } from "../postgres-server.js";

/** Every value that a record or a field was given, and every move of a partition's position, in order. */
const triggers = `
  CREATE TABLE IF NOT EXISTS fleet_written
    (id bigserial PRIMARY KEY, name text, value text, partition integer, sequence bigint, log_id text);
  CREATE OR REPLACE FUNCTION fleet_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO fleet_written (name, value) VALUES (convert_from(new.key, 'UTF8'), convert_from(new.value, 'UTF8'));
    RETURN new;
  END $$;
  CREATE OR REPLACE FUNCTION fleet_write_field() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO fleet_written (name, value)
      VALUES (convert_from(new.key, 'UTF8') || '/' || convert_from(new.field, 'UTF8'), convert_from(new.value, 'UTF8'));
    RETURN new;
  END $$;
  CREATE OR REPLACE FUNCTION fleet_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO fleet_written (partition, sequence, log_id) VALUES (new.id, new.sequence, new.log_id);
    RETURN new;
  END $$;
  CREATE OR REPLACE TRIGGER fleet_inserted AFTER INSERT ON write_behind_kv FOR EACH ROW
    WHEN (new.type = 'string') EXECUTE FUNCTION fleet_write();
  CREATE OR REPLACE TRIGGER fleet_updated AFTER UPDATE ON write_behind_kv FOR EACH ROW
    WHEN (new.type = 'string' AND
      (old.value IS DISTINCT FROM new.value OR old.expires_at IS NOT DISTINCT FROM new.expires_at))
    EXECUTE FUNCTION fleet_write();
  CREATE OR REPLACE TRIGGER fleet_field AFTER INSERT OR UPDATE ON write_behind_field FOR EACH ROW
    EXECUTE FUNCTION fleet_write_field();
  CREATE OR REPLACE TRIGGER fleet_moved AFTER UPDATE ON write_behind_position FOR EACH ROW
    WHEN (new.sequence IS DISTINCT FROM old.sequence OR new.log_id IS DISTINCT FROM old.log_id)
    EXECUTE FUNCTION fleet_move();
`;

const missingTable = "42P01";

/** A value that was written, or a move of a partition's position. */
export interface FleetRow {
  readonly name: string | null;
  readonly value: string | null;
  readonly partition: number | null;
  readonly sequence: number | null;
}

const historyText = `WITH gone AS (DELETE FROM fleet_written RETURNING *)
  SELECT name, value, partition, sequence::float8 FROM gone ORDER BY id`;

/** Puts the triggers into a database whose tables are there. Gives what reads the history since it was last read. */
export async function watchWritten(url: string): Promise<() => Promise<readonly FleetRow[]>> {
  await using(url, (client) => client.query(triggers));
  return () => using(url, async (client) => (await client.query<FleetRow>(historyText)).rows);
}

async function using<T>(url: string, look: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await look(client);
  } finally {
    await client.end();
  }
}

/** A server of its own. */
export class FleetDatabase {
  readonly server: PostgresServer;
  #runs = true;
  #written: (() => Promise<readonly FleetRow[]>) | null = null;

  private constructor(server: PostgresServer) {
    this.server = server;
  }

  static async start(programs: PostgresPrograms): Promise<FleetDatabase> {
    return new FleetDatabase(await startPostgres(programs));
  }

  get runs(): boolean {
    return this.#runs;
  }

  async kill(): Promise<void> {
    this.#runs = false;
    await this.server.sigkill();
  }

  async start(): Promise<void> {
    if (this.#runs) return;
    await this.server.start();
    this.#runs = true;
  }

  /** Puts the triggers there, once the tables are. False where they are not yet. */
  async begin(): Promise<boolean> {
    try {
      this.#written ??= await watchWritten(this.server.url());
    } catch (error) {
      if (!isMissingTable(error)) throw error;
    }
    return this.#written !== null;
  }

  /** Everything in it at one moment. */
  sight(): Promise<StoredSight> {
    return using(this.server.url(), sightOf);
  }

  /** The history since it was last asked for, in order. */
  async written(): Promise<readonly FleetRow[]> {
    return (await this.#written?.()) ?? [];
  }

  end(): Promise<void> {
    return this.server.stop();
  }
}

function isMissingTable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === missingTable;
}

/** What was written, over a whole campaign: nothing older over newer, nothing twice, each position once. */
export class FleetWritten {
  readonly #sequences = new Map<number, number>();
  readonly #numbers = new Map<string, number>();
  values = 0;
  commits = 0;

  /** Looks at what comes next. Throws where anything was written twice or out of order. */
  look(rows: readonly FleetRow[]): void {
    for (const row of rows) this.#take(row);
  }

  #take({ name, value, partition, sequence }: FleetRow): void {
    if (name === null) {
      // At its first frame's base it is before any, where rows that have expired were swept.
      const before = this.#sequences.get(partition ?? -1) ?? -1;
      if (sequence === null || sequence <= before)
        throw new Error(`the position of partition ${partition} in the database went from ${before} to ${sequence}`);
      this.#sequences.set(partition ?? -1, sequence);
      this.commits++;
      return;
    }
    const number = numberOf(name, value ?? "");
    if (number === null) return;
    const before = this.#numbers.get(name) ?? -1;
    if (number <= before) throw new Error(`${name} was written as number ${number} after number ${before}`);
    this.#numbers.set(name, number);
    this.values++;
  }
}

/** The number in a value: `stream-number-filling`, or the value of a counter that only grows. */
function numberOf(name: string, value: string): number | null {
  if (name.startsWith("count:")) return Number(value);
  const match = /^\d+-(\d+)-/.exec(value);
  return match === null ? null : Number(match[1]);
}
