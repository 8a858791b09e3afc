/** Tables of a user's in a real SQLite file, and engines whose routes map them. */
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import type { Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { sqlite, type WriteBehind } from "../src/index.js";
import { WriteBehindError } from "../src/errors.js";
import type { Route } from "../src/routes/route.js";
import type { EngineKit } from "./engine-kit.js";

/** What a person has made before. */
export const tables = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, age INTEGER,
    visits INTEGER NOT NULL DEFAULT 0, loud TEXT AS (upper(name)) VIRTUAL, unmapped TEXT DEFAULT 'kept');
  CREATE TABLE pages (path TEXT PRIMARY KEY, views INTEGER NOT NULL DEFAULT 0, kind TEXT DEFAULT 'page');
  CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, deleted_at INTEGER);
  CREATE TABLE sessions (token TEXT PRIMARY KEY, who TEXT, until INTEGER);
  CREATE TABLE plain (id TEXT PRIMARY KEY, a TEXT, b INTEGER);`;

/** One route of every kind. */
export const routes: readonly Route[] = [
  { key: "user:{id}", table: "users", columns: ["name", "email", "age", "visits", "loud"] },
  { key: "user:{id}:{column}", table: "users" },
  { key: "page:{path}", table: "pages" },
  { key: "views:{path}", table: "pages", column: "views" },
  { key: "note:{id}", table: "notes", onDelete: { set: { deleted_at: "now" } } },
  { key: "session:{token}", table: "sessions", expiresAt: "until" },
  { key: "plain:{id}", table: "plain" },
  { key: "tmp:{name}", store: "none" },
];

/** Another program's view of the database. */
export class Database {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** The engine may be committing just now. */
  #open(): DatabaseSyncInstance {
    return new DatabaseSync(this.file, { timeout: 15_000 });
  }

  run(sql: string): void {
    const connection = this.#open();
    connection.exec(sql);
    connection.close();
  }

  all(sql: string): Record<string, unknown>[] {
    const connection = this.#open();
    try {
      return connection.prepare(sql).all() as Record<string, unknown>[];
    } finally {
      connection.close();
    }
  }

  /** The only row, or null. */
  one(sql: string): Record<string, unknown> | null {
    return this.all(sql)[0] ?? null;
  }
}

/** A folder with a database in it, and how engines are started over both. */
export interface RoutesLab {
  readonly data: string;
  readonly db: Database;
  start(options?: Record<string, unknown>, host?: Host): Promise<WriteBehind>;
}

/** Tables, and engines over them. */
export function routesLab(kit: EngineKit, sql = tables): RoutesLab {
  const data = kit.folder();
  const db = new Database(join(data, "app.db"));
  db.run(sql);
  return {
    data,
    db,
    start: (options = {}, host = nodeHost()) =>
      kit.start(sqlite({ file: db.file }), { data, routes, retryMinMs: 1, retryMaxMs: 20, ...options }, host),
  };
}

/** A host whose wall clock can be put forward. */
export function shiftedHost(): { readonly host: Host; shift(ms: number): void } {
  const host = nodeHost();
  let offset = 0;
  const clock: Host["clock"] = { ...host.clock, now: () => host.clock.now() + offset };
  return { host: { ...host, clock }, shift: (ms) => (offset = ms) };
}

/** The error that something is refused with. */
export async function refusalOf(work: Promise<unknown>): Promise<WriteBehindError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WriteBehindError) return error;
  throw new Error("it was not refused", { cause: error });
}
