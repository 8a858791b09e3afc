/**
 * What the tests of PostgreSQL's faults have in common: an engine behind a proxy on a database of its own, a load of
 * writes, and a witness that does not trust the engine: triggers in the database write down every row that is written
 * and every move of the position, each with the transaction that it was in.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { WriteBehind } from "../src/library/library.js";
import { postgres } from "../src/store/postgres/index.js";
import { engineKit, type EngineKit } from "./engine-kit.js";
import type { PostgresServer } from "./postgres-server.js";
import { TcpProxy } from "./tcp-proxy.js";

/** How long a test waits for what must come. */
export const eventually = { timeout: 20_000, interval: 5 };
/** A writer that tries again at once. */
export const quick = { retryMinMs: 1, retryMaxMs: 50 };

/** What triggers write down: who comes first has the smaller number. A value begins with its number. */
const witness = `
  CREATE TABLE history (n bigserial, xid xid8 DEFAULT pg_current_xact_id(), key text, value int);
  CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (key, value)
      VALUES (convert_from(new.key, 'UTF8'), split_part(convert_from(new.value, 'UTF8'), ' ', 1)::int);
    RETURN new;
  END $$;
  CREATE TRIGGER keep AFTER INSERT OR UPDATE ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION keep();
  CREATE TABLE moves (n bigserial, xid xid8 DEFAULT pg_current_xact_id(), sequence bigint);
  CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO moves (sequence) VALUES (new.sequence);
    RETURN new;
  END $$;
  CREATE TRIGGER moved AFTER UPDATE ON write_behind_position FOR EACH ROW
    WHEN (new.sequence IS DISTINCT FROM old.sequence) EXECUTE FUNCTION moved();
`;

/** What must be empty, whatever has happened: the reason is what is wrong with a row that is found. */
const wrongs: Readonly<Record<string, string>> = {
  "a value was written twice": "SELECT key, value FROM history GROUP BY 1, 2 HAVING count(*) > 1",
  "a record went back":
    "SELECT * FROM (SELECT key, value, lag(value) OVER (PARTITION BY key ORDER BY n) AS before FROM history) AS h " +
    "WHERE before >= value",
  "the position went back":
    "SELECT * FROM (SELECT sequence, lag(sequence) OVER (ORDER BY n) AS before FROM moves) AS m WHERE before >= sequence",
  "rows were written without the position": "SELECT xid FROM history EXCEPT SELECT xid FROM moves",
  "the position moved twice in a transaction": "SELECT xid FROM moves GROUP BY 1 HAVING count(*) > 1",
};

/** Runs SQL in the test's database, as somebody who is not behind the proxy. */
export type Sql = (text: string) => Promise<string[]>;

/** Nothing was written twice or out of order, and no row without the position. */
export async function witnessed(sql: Sql): Promise<void> {
  for (const [wrong, query] of Object.entries(wrongs)) expect([wrong, await sql(query)]).toEqual([wrong, []]);
}

/** The records and their numbers, as they are in the database. */
export function rowsOf(sql: Sql): Promise<string[]> {
  return sql(`SELECT key || '=' || split_part(value, ' ', 1) FROM write_behind_kv_text ORDER BY 1`);
}

/** Writes rounds of ten keys until it is ended; every value is larger than the one before. */
export class Load {
  readonly answered = new Map<string, number>();
  readonly #wb: WriteBehind;
  #value = 0;
  #stop = false;
  readonly #ended: Promise<void>;

  constructor(wb: WriteBehind) {
    this.#wb = wb;
    this.#ended = this.#run();
    // A test that has failed for another reason ends nobody's load.
    this.#ended.catch(() => {});
  }

  async #run(): Promise<void> {
    while (!this.#stop) {
      const value = (this.#value += 1);
      const key = `key:${value % 10}`;
      await this.#wb.set(key, value);
      this.answered.set(key, value);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async end(): Promise<void> {
    this.#stop = true;
    await this.#ended;
  }
}

/** Nothing lost, nothing twice, nothing out of order; and well again without anybody's help. */
export async function allIsRight(sql: Sql, wb: WriteBehind, load: Pick<Load, "answered" | "end">): Promise<void> {
  await load.end();
  await wb.flush();
  const rows = [...load.answered].map(([key, value]) => `${key}=${value}`).toSorted();
  expect(await rowsOf(sql)).toEqual(rows);
  await witnessed(sql);
  await expect
    .poll(() => wb.status(), eventually)
    .toMatchObject({ state: "running", store: { state: "up", error: null }, queue: { pendingChanges: 0 } });
  expect(wb.status().deadLetters.count).toBe(0);
}

/** Batches that were committed from now on, as the engine has heard of them. */
export function batches(wb: WriteBehind): () => number {
  let seen = 0;
  wb.on("batch", () => seen++);
  return () => seen;
}

/** Waits for so many commits more. */
export async function moreBatches(wb: WriteBehind, many: number): Promise<void> {
  const seen = batches(wb);
  await expect.poll(seen, eventually).toBeGreaterThanOrEqual(many);
}

/** What a test file uses. */
interface FaultsKit extends EngineKit {
  /** The proxy between engine and database. */
  proxy(): TcpProxy;
  /** From now on the engine finds another server behind the same address. */
  pointTo(server: PostgresServer): void;
  database(): string;
  /** The database's URL, through the proxy. */
  url(query?: string): string;
  /** An engine on the test's database, with the witness in it. */
  engine(query?: string, data?: string, options?: Record<string, unknown>): Promise<WriteBehind>;
  /** SQL on the server that the proxy points to. */
  readonly sql: Sql;
}

/** A database for each test of a group, and a proxy in front of its server. */
export function faultsKit(server: () => PostgresServer): FaultsKit {
  const kit = engineKit();
  let proxy: TcpProxy;
  let target: PostgresServer | null = null;
  let database = "";
  let count = 0;
  beforeAll(async () => {
    proxy = await TcpProxy.start(() => (target ?? server()).port);
  });
  afterAll(() => proxy.stop());
  beforeEach(async () => {
    database = `faults_${count++}`;
    await server().sql(`CREATE DATABASE ${database}`);
  });
  afterEach(() => {
    target = null;
    proxy.heal();
  });
  const url = (query = "statement_timeout=2000"): string =>
    `postgres://postgres@127.0.0.1:${proxy.port}/${database}?connect_timeout=1&${query}`;
  const sql = (text: string): Promise<string[]> => (target ?? server()).sql(text, database);
  return {
    ...kit,
    url,
    sql,
    proxy: () => proxy,
    database: () => database,
    pointTo(other) {
      target = other;
      proxy.cut();
    },
    async engine(query, data = kit.folder(), options = {}) {
      const wb = await kit.start(postgres(url(query)), { data, ...quick, ...options });
      await sql(witness);
      return wb;
    },
  };
}
