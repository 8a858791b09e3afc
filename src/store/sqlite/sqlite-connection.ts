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

/** Prepared statements by name. */
export type Statements<Name extends string> = Readonly<Record<Name, Statement>>;

/** How long one call waits for a lock, in milliseconds. Short: the writer waits and tries again by itself. */
const busyTimeoutMs = 250;

/**
 * A commit is on the disk when it returns, or the queue would be trimmed too early: WAL with FULL syncs at every
 * commit (fullfsync: on macOS too). The cache holds the pages that a batch touches. The WAL is brought into the
 * database at 64 MB, not at 4: a page that several batches touch is then written once.
 */
const writingPragmas = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = 1;
  PRAGMA checkpoint_fullfsync = 1;
  PRAGMA cache_size = -65536;
  PRAGMA wal_autocheckpoint = 16384;
  PRAGMA journal_size_limit = 67108864;
`;

const readingPragmas = "PRAGMA query_only = 1; PRAGMA cache_size = -16384";

/** A connection. Every call may throw what the driver throws. */
export class SqliteConnection {
  readonly #database: DatabaseSyncInstance;
  readonly #file: string;
  readonly #identity: string | null;

  private constructor(file: string, query: string, pragmas: string) {
    this.#file = file;
    this.#database = new DatabaseSync(`${pathToFileURL(file).href}?${query}`, { timeout: busyTimeoutMs });
    this.#identity = identityOf(file);
    try {
      this.#database.exec(pragmas);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** `create`: makes the file where it is missing. */
  static forWriting(file: string, create: boolean): SqliteConnection {
    return new SqliteConnection(file, `mode=${create ? "rwc" : "rw"}`, writingPragmas);
  }

  static forReading(file: string): SqliteConnection {
    return new SqliteConnection(file, "mode=rw", readingPragmas);
  }

  /**
   * Looks without changing a byte of any file, whoever else uses them. Where there is a write-ahead log it is read
   * without its index being written; where there is none the file is all there is. Source: https://sqlite.org/uri.html
   */
  static forLooking(file: string): SqliteConnection {
    const hasLog = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
    return new SqliteConnection(file, hasLog ? "mode=ro&readonly_shm=1" : "mode=ro&immutable=1", readingPragmas);
  }

  /**
   * Takes up the write-ahead log that a killed process left. For a program that first looks and then writes: the driver
   * cannot finalize statements, so a look's read-only index of that log would be met by the connection that writes.
   */
  static takeUpLog(file: string): void {
    new SqliteConnection(file, "mode=rw", "SELECT count(*) FROM sqlite_schema").close();
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

  /** Prepares every statement of a table, under the same names. */
  prepareAll<Name extends string>(table: Readonly<Record<Name, string>>): Statements<Name> {
    const prepared = Object.entries<string>(table).map(([name, sql]) => [name, this.prepare(sql)]);
    return Object.fromEntries(prepared) as Statements<Name>;
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

  /** Whether a transaction is open: some errors end one. */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Brings what is in the write-ahead log into the database file, as far as no reader needs it. */
  emptyWal(): void {
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /**
   * The driver cannot finalize statements: the file stays open until they are garbage. So a connection is kept as long
   * as it is of any use, or a database that is locked for hours would use up all file descriptors.
   */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Device and number of a file, or null where there is none. */
function identityOf(file: string): string | null {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}
