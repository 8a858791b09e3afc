/**
 * One connection for writing, and the driver. A transaction is one round trip: BEGIN, its statements and COMMIT are
 * sent together (postgres-pipeline.ts). Whoever gets an error of a connection that `isLost` makes a new one.
 */
import type { Client, ClientConfig, Pool, PoolConfig, Submittable } from "pg";
import { WriteBehindError } from "../../errors.js";
import { PostgresPipeline, type Step } from "./postgres-pipeline.js";
import { PreparedNames } from "./postgres-prepared.js";
import type { Statement, Statements } from "./postgres-statements.js";
import type { PostgresPlace, Timeouts } from "./postgres-url.js";

/** What is used of the driver. */
interface Driver {
  readonly Client: new (config: ClientConfig) => Client;
  readonly Pool: new (config: PoolConfig) => Pool;
}

/** How long a goodbye may take. */
export const goodbyeMs = 1000;

/** The driver, imported when it is needed first: it is not installed where no PostgreSQL is used. */
export async function importDriver(): Promise<Driver> {
  try {
    const { default: driver } = await import("pg");
    return driver;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    const message = "the PostgreSQL store needs the package pg, which is not installed";
    throw new WriteBehindError("DRIVER_MISSING", message, { hint: "npm install pg", cause: error });
  }
}

/** What the driver is given to connect to a place. */
export function configOf({ connectionString, tls, timeouts }: PostgresPlace, name: string): ClientConfig {
  return {
    connectionString,
    application_name: name,
    connectionTimeoutMillis: timeouts.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(tls !== undefined && { ssl: tls }),
  };
}

/** An error, and what the connection was doing. */
export class PipelineError extends Error {
  /** The step that failed; null where all were done and only the answer to the end is missing. */
  readonly step: Step | null;

  constructor(cause: unknown, step: Step | null) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.step = step;
  }
}

/** A connection that writes. */
export class PostgresConnection {
  readonly #client: Client;
  readonly #statements: Statements;
  readonly #timeouts: Timeouts;
  readonly #prepared: PreparedNames | null;
  /** What the server gives a statement, and what the network may take. */
  readonly #answerMs: number;
  #isLost = false;

  private constructor(client: Client, statements: Statements, { prepare, timeouts }: PostgresPlace) {
    this.#client = client;
    this.#statements = statements;
    this.#timeouts = timeouts;
    this.#answerMs = timeouts.statementMs + timeouts.connectMs;
    this.#prepared = prepare ? new PreparedNames() : null;
    // A connection that breaks while nobody uses it says so here only.
    client.on("error", () => (this.#isLost = true));
    client.on("end", () => (this.#isLost = true));
  }

  static async connect(place: PostgresPlace, statements: Statements): Promise<PostgresConnection> {
    const { Client } = await importDriver();
    const client = new Client(configOf(place, "write-behind writer"));
    const connection = new PostgresConnection(client, statements, place);
    try {
      await client.connect();
    } catch (error) {
      connection.#hangUp();
      throw error;
    }
    return connection;
  }

  /** Whether it is of no use any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Does steps in one transaction and one round trip. `isLong`: however long a statement takes. */
  async transaction(steps: readonly Step[], { isLong = false } = {}): Promise<void> {
    try {
      const begin = this.#begin(this.#statements.begin, isLong);
      await this.#send([...begin, ...steps, { statement: this.#statements.commit }], begin.length, isLong);
    } catch (error) {
      await this.#rollBack();
      throw error;
    }
  }

  /** Does work in one transaction, for work that looks at answers before it goes on. */
  async conversation<T>(work: (run: (steps: readonly Step[]) => Promise<void>) => Promise<T>): Promise<T> {
    try {
      const send = (steps: readonly Step[]): Promise<void> => this.#send(steps, steps.length, false);
      await send(this.#begin(this.#statements.beginTalking, false));
      const result = await work(send);
      await send([{ statement: this.#statements.commit }]);
      return result;
    } catch (error) {
      await this.#rollBack();
      throw error;
    }
  }

  /** A text of several statements, in the transaction that has begun. */
  async exec(text: string): Promise<void> {
    await this.#inTime(this.#answerMs, () => this.#client.query(text));
  }

  /** Says goodbye, or hangs up where that takes long. */
  async close(): Promise<void> {
    this.#isLost = true;
    const timer = setTimeout(() => void this.#client.end().catch(() => {}), goodbyeMs);
    await this.#client.end().catch(() => {});
    clearTimeout(timer);
  }

  #begin(begin: Statement, isLong: boolean): Step[] {
    const { statementMs, lockMs, idleInTransactionMs } = this.#timeouts;
    const [statement, whole] = isLong ? [0, 0] : [statementMs, this.#answerMs];
    const parameters = [statement, lockMs, idleInTransactionMs, whole].map(String);
    return [{ statement: begin }, { statement: this.#statements.settings, parameters }];
  }

  #send(steps: readonly Step[], head: number, isLong: boolean): Promise<void> {
    const send = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const pipeline = new PostgresPipeline(steps, head, this.#prepared, (error) => {
          if (error === null) resolve();
          else reject(new PipelineError(error, pipeline.failedAt));
        });
        this.#client.query(pipeline as unknown as Submittable);
      });
    return isLong ? send() : this.#inTime(this.#answerMs, send);
  }

  /** After an error: no transaction is open, and no statement is taken for prepared that is not. */
  async #rollBack(): Promise<void> {
    if (this.#isLost) return;
    const text = this.#prepared === null ? "ROLLBACK" : "ROLLBACK; DEALLOCATE ALL";
    try {
      await this.#inTime(this.#timeouts.connectMs, () => this.#client.query(text));
      this.#prepared?.clear();
    } catch {
      this.#hangUp();
    }
  }

  /** Hangs up where no answer comes in time: a network that swallows everything must not hold the writer for hours. */
  async #inTime<T>(ms: number, ask: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#hangUp(), ms);
    try {
      return await ask();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Where a query is under way the driver does not say goodbye but destroys the socket. */
  #hangUp(): void {
    this.#isLost = true;
    void this.#client.end().catch(() => {});
  }
}
