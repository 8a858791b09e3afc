/**
 * Waits for locks that another process of ours holds, and not for ever: a process that was stopped (SIGSTOP, a machine
 * that is frozen) in the midst of a transaction keeps its locks, and nobody could take over its partitions. What it had
 * begun has not happened then, and what it sends when it goes on finds another claim.
 */
import { StoreError } from "../store.js";
import { PostgresConnection } from "./postgres-connection.js";
import { sqlStateOf } from "./postgres-errors.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statements } from "./postgres-statements.js";
import type { PostgresPlace } from "./postgres-url.js";

type Run = (steps: readonly Step[]) => Promise<void>;

/** Waits of one session, which others are asked to make way for. */
export class Takeover {
  readonly #where: PostgresPlace;
  readonly #statements: Statements;
  readonly #pid: number;
  /** Why nobody could be ended. */
  #failure: Error | null = null;

  /** `pid`: the server's number of the session that waits. */
  constructor(where: PostgresPlace, statements: Statements, pid: number) {
    this.#where = where;
    this.#statements = statements;
    this.#pid = pid;
  }

  /** Does steps; sessions of ours that hold them up for longer than `takeoverMs` are ended. */
  async wait(steps: readonly Step[], run: Run): Promise<void> {
    let ending = Promise.resolve();
    const timer = setTimeout(() => {
      ending = this.#endBlockers();
    }, this.#where.timeouts.takeoverMs);
    try {
      await run(steps);
    } catch (error) {
      await ending;
      throw this.#explained(error);
    } finally {
      clearTimeout(timer);
      await ending;
    }
  }

  /** On a connection of its own: that of the session that waits is in use. */
  async #endBlockers(): Promise<void> {
    try {
      const connection = await PostgresConnection.connect(this.#where, this.#statements);
      try {
        const step = { statement: this.#statements.endBlockers, parameters: [String(this.#pid)] };
        await connection.conversation((run) => run([step]));
      } finally {
        await connection.close();
      }
    } catch (error) {
      this.#failure = error as Error;
    }
  }

  #explained(error: unknown): unknown {
    if (this.#failure === null || sqlStateOf(error) !== "55P03") return error;
    const what = `another process of write-behind holds rows of ${this.#where.shown} that are needed`;
    const message = `${what}, and its session could not be ended (${this.#failure.message}): stop that process`;
    return new StoreError("retryable", message, error);
  }
}
