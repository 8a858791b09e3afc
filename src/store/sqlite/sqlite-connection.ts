/**
 * One connection to the database file, and whether that file is still the one at its path. A file that was replaced (a
 * restored backup) or deleted would go on taking commits that nobody will ever read, and the queue would be trimmed:
 * so every commit and every read looks first.
 */
import { statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { DatabaseSync, type DatabaseSyncInstance, type StatementSyncInstance } from "@photostructure/sqlite";

/** A prepared statement. */
export type Statement = StatementSyncInstance;

/** How long one call waits for a lock, in milliseconds. Short: the writer waits and tries again by itself. */
const busyTimeoutMs = 250;

/** A connection. Every call may throw what the driver throws. */
export class SqliteConnection {
  readonly #database: DatabaseSyncInstance;
  readonly #file: string;
  #identity: string | null = null;

  /** `create`: makes the file where it is missing. */
  constructor(file: string, create: boolean) {
    this.#file = file;
    this.#database = new DatabaseSync(`${pathToFileURL(file).href}?mode=${create ? "rwc" : "rw"}`, {
      timeout: busyTimeoutMs,
    });
    this.#identity = identityOf(file);
  }

  /** Whether the file at the path is the one that this connection has open. */
  isCurrent(): boolean {
    return this.#identity !== null && this.#identity === identityOf(this.#file);
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare(sql: string): Statement {
    return this.#database.prepare(sql);
  }

  /** Does work in one transaction: all of it or nothing. */
  transaction<T>(begin: "BEGIN" | "BEGIN IMMEDIATE", work: () => T): T {
    this.#database.exec(begin);
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } finally {
      // After some errors SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Device and number of a file, or null where there is none. */
function identityOf(file: string): string | null {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}
