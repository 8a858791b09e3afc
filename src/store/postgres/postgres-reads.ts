/**
 * Reads records and pages of keys from the own tables, over a few connections of its own: a read never waits for a
 * commit. Each read is one statement, which sees one moment, and one round trip.
 */
import type { ClientBase, Pool, QueryArrayConfig } from "pg";
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import type { Page, ReachedMark } from "../store.js";
import {
  bytea,
  byteaArray,
  bytesOfCell,
  numberOfCell,
  numberOrNull,
  type Cell,
  type Parameter,
} from "./postgres-cell.js";
import { configOf, goodbyeMs, importDriver } from "./postgres-connection.js";
import type { Statement, Statements } from "./postgres-statements.js";
import type { PostgresPlace } from "./postgres-url.js";

/** Connections for reading, at the most. */
const connectionsMax = 4;
/** A read that takes longer has failed. */
const readMs = 30_000;

/**
 * A prepared statement is planned once: each time anew it takes longer than the reading itself. That plan looks keys up
 * in indexes, also where it was made while the table was small.
 */
const planOnce = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off";

/** What was read at one moment. */
export interface ReadMoment {
  /** How far a queue had been committed. */
  readonly position: ReachedMark | null;
  /** In the order asked; null where a record has no row. */
  readonly values: readonly (RecordValue | null)[];
}

/** Cells come as the text that they travel as. */
const asText = { getTypeParser: () => (text: string) => text };

/** The reading side of one database. */
export class PostgresReads {
  readonly #pool: Pool;
  readonly #statements: Statements;
  readonly #prepare: boolean;

  private constructor(pool: Pool, statements: Statements, prepare: boolean) {
    this.#pool = pool;
    this.#statements = statements;
    this.#prepare = prepare;
  }

  static async connect(place: PostgresPlace, statements: Statements): Promise<PostgresReads> {
    const { Pool } = await importDriver();
    const config = configOf(place, "write-behind reader");
    const { prepare } = place;
    const pool = new Pool({
      ...config,
      max: connectionsMax,
      query_timeout: readMs,
      allowExitOnIdle: true,
      // Only where the session is ours.
      ...(prepare && { onConnect: async (client: ClientBase) => void (await client.query(planOnce)) }),
    });
    // A connection that breaks while it is idle is thrown away, and the next read makes another one.
    pool.on("error", () => {});
    return new PostgresReads(pool, statements, prepare);
  }

  /** The records' values, and the position at the same moment. */
  async values(records: readonly Bytes[]): Promise<ReadMoment> {
    let position: ReachedMark | null = null;
    const found = new Map<number, { type: Cell; value: Cell; expiresAt: number | null }>();
    const fields = new Map<number, Map<Bytes, Bytes>>();
    for (const [n, type = null, field = null, value = null, number = null, generation = null] of await this.#rows(
      this.#statements.values,
      [byteaArray(records)],
    )) {
      const index = numberOfCell(n ?? null) - 1;
      if (index < 0) {
        // The tag is not needed to compare how far two positions of one log are.
        if (type !== null)
          position = {
            logId: type,
            sequence: numberOfCell(number),
            tag: 0,
            generation: numberOfCell(generation),
          };
      } else if (type !== null) found.set(index, { type, value, expiresAt: numberOrNull(number) });
      else {
        const hash = fields.get(index) ?? new Map<Bytes, Bytes>();
        fields.set(index, hash.set(bytesOfCell(field), bytesOfCell(value)));
      }
    }
    const values = records.map((_, index) => {
      const row = found.get(index);
      if (row === undefined) return null;
      const { type, value, expiresAt } = row;
      return { content: type === "hash" ? (fields.get(index) ?? new Map()) : bytesOfCell(value), expiresAt };
    });
    return { position, values };
  }

  /** One page of live keys in the order of their bytes. */
  async page(after: Bytes | null, limit: number, nowMs: number): Promise<Page> {
    const { keys, keysAfter } = this.#statements;
    // One more than asked tells whether there is another page.
    const parameters = [String(nowMs), String(limit + 1)];
    const rows = await (after === null
      ? this.#rows(keys, parameters)
      : this.#rows(keysAfter, [...parameters, bytea(after)]));
    const found = rows.map(([key = null]) => bytesOfCell(key));
    const records = found.slice(0, limit);
    return { records, next: found.length > limit ? (records.at(-1) ?? null) : null };
  }

  /** Says goodbye; a read that hangs does not hold it up. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, goodbyeMs)));
    await Promise.race([this.#pool.end(), late]);
    clearTimeout(timer);
  }

  async #rows({ name, text }: Statement, values: readonly Parameter[]): Promise<readonly (readonly Cell[])[]> {
    const query: QueryArrayConfig = { text, values: [...values], rowMode: "array", types: asText };
    const { rows } = await this.#pool.query<Cell[]>(this.#prepare ? { ...query, name } : query);
    return rows;
  }
}
