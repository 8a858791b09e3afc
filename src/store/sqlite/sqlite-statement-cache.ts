/**
 * Prepared statements of texts that are not known beforehand. Bounded: the driver cannot finalize a statement, and a
 * table with many columns has more shapes of changes than memory has room for.
 */
import type { SqliteConnection, Statement } from "./sqlite-connection.js";

const statementsMax = 256;

/** Statements by a name of the caller's. The one that was used longest ago goes first. */
export class StatementCache {
  readonly #connection: SqliteConnection;
  readonly #statements = new Map<string, Statement>();
  #newest: string | null = null;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  /** The statement of a name; its text is asked for when it is not there. */
  get(name: string, sql: () => string): Statement {
    const known = this.#statements.get(name);
    const statement = known ?? this.#connection.prepare(sql());
    if (name === this.#newest) return statement;
    if (known !== undefined) this.#statements.delete(name);
    this.#statements.set(name, statement);
    this.#newest = name;
    if (this.#statements.size > statementsMax) {
      const [oldest] = this.#statements.keys();
      this.#statements.delete(oldest as string);
    }
    return statement;
  }
}
