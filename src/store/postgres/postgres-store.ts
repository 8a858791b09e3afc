/**
 * The store in a PostgreSQL database. Everything about rows is in postgres-rows.ts, about rows of mapped tables in
 * postgres-table-writes.ts and postgres-table-reads.ts, about position and claim in postgres-position.ts, about dead
 * letters in postgres-parked.ts, about error codes in postgres-errors.ts; how a commit is one round trip in
 * postgres-connection.ts. Cold reads have connections of their own (postgres-reads.ts).
 */
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import type { RouteSpec } from "../../routes/route.js";
import { divideBatch } from "../mapped-batch.js";
import { tablesGone, tablesMissing } from "../own-tables.js";
import {
  generationAfter,
  hasReached,
  StoreError,
  type Batch,
  type Page,
  type ReachedMark,
  type Store,
  type StoreClaim,
  type StoreLimits,
  type StoreOpened,
} from "../store.js";
import { PipelineError, PostgresConnection } from "./postgres-connection.js";
import {
  isMissingTable,
  isStalePlan,
  meaningOf,
  spoilsConnection,
  sqlStateOf,
  storeErrorOf,
} from "./postgres-errors.js";
import { mappingOf, type Mapping } from "./postgres-mapped.js";
import { PostgresParked } from "./postgres-parked.js";
import type { Step } from "./postgres-pipeline.js";
import { PostgresPosition } from "./postgres-position.js";
import { PostgresReads } from "./postgres-reads.js";
import { PostgresRows } from "./postgres-rows.js";
import { ownTablesSql, rowTables, statementsFor, type Statements } from "./postgres-statements.js";
import { pageOf } from "./postgres-table-reads.js";
import { PostgresTableWrites } from "./postgres-table-writes.js";
import type { PostgresPlace } from "./postgres-url.js";

/**
 * An index row of PostgreSQL has at most 2,704 bytes, and a key (with a hash, key and field together) is in one. A
 * value is read as hexadecimal text, which must fit into one string of Node.
 */
export const postgresLimits: StoreLimits = { keyBytesMax: 2600, valueBytesMax: 2 ** 27 };

/** Steps whose rows come before `run` resolves. */
type Run = (steps: readonly Step[]) => Promise<void>;

/** What mapped rows are written by. */
interface MappedWriting extends Mapping {
  readonly writes: PostgresTableWrites;
}

/** A store in a PostgreSQL database. */
export class PostgresStore implements Store {
  readonly kind = "postgres";
  readonly place: string;
  readonly limits = postgresLimits;
  readonly #where: PostgresPlace;
  readonly #statements: Statements;
  readonly #position: PostgresPosition;
  readonly #rows: PostgresRows;
  readonly #parked: PostgresParked;
  readonly #routes: readonly RouteSpec[];
  /** Null until the tables of the routes have been looked at, and where no route maps one. */
  #mapped: MappedWriting | null = null;
  /** The same for reads, which may come before any `open`. */
  #readMapping: Mapping | null = null;
  #writing: PostgresConnection | null = null;
  #reading: Promise<PostgresReads> | null = null;
  #claim: { readonly logId: string; readonly generation: number } | null = null;

  constructor(where: PostgresPlace, routes: readonly RouteSpec[] = []) {
    this.#where = where;
    this.#routes = routes.filter(({ table }) => table !== null);
    this.place = where.schema === null ? where.shown : `${where.shown} (schema ${where.schema})`;
    this.#statements = statementsFor(where.schema);
    this.#position = new PostgresPosition(this.#statements, this.place);
    this.#rows = new PostgresRows(this.#statements);
    this.#parked = new PostgresParked(this.#statements, this.place);
  }

  async open(claim: StoreClaim): Promise<StoreOpened> {
    const opened = await this.#write((connection) =>
      connection.conversation(async (run) => {
        await this.#checkTables(connection, run);
        // Afresh, for reads too: somebody may have changed a table.
        this.#mapped = this.#readMapping = null;
        this.#mapped = await this.#look(run);
        const tables = this.#mapped?.tables ?? [];
        return { ...(await this.#position.claim(claim, run)), parked: await this.#parked.all(run), tables };
      }),
    );
    this.#claim = { logId: claim.logId, generation: opened.generation };
    return opened;
  }

  async commit(batch: Batch): Promise<void> {
    await this.#write(async (connection) => {
      if (this.#routes.length > 0) this.#mapped ??= await connection.conversation((run) => this.#look(run));
      try {
        await this.#commit(connection, batch);
      } catch (error) {
        const step = error instanceof PipelineError ? error.step : null;
        if (!this.#position.isMoved(step, sqlStateOf(error))) throw error;
        throw await connection.conversation((run) => this.#position.moved(batch, run));
      }
    });
    this.#claim = { logId: batch.to.logId, generation: generationAfter(batch) };
  }

  async read(records: readonly Bytes[], reached: ReachedMark | null = null): Promise<readonly (RecordValue | null)[]> {
    const { position, values } = await this.#read(reached, async (reads) =>
      reads.values(records, await this.#mappingFor(reads)),
    );
    if (hasReached(position, reached)) return values;
    const message = `the database ${this.place} is not where it was: it was restored or exchanged`;
    throw new StoreError("moved", message);
  }

  scan(after: Bytes | null, limit: number, nowMs: number, table: string | null = null): Promise<Page> {
    return this.#read(null, async (reads) => {
      if (table === null) return reads.page(after, limit, nowMs);
      const mapping = await this.#mappingFor(reads);
      if (mapping === null) throw new StoreError("broken", `no route maps a table ${table}`);
      return pageOf(mapping, { table, after, limit, nowMs }, (steps) => reads.snapshot(steps));
    });
  }

  async close(): Promise<void> {
    const [connection, reading, claim] = [this.#writing, this.#reading, this.#claim];
    this.#writing = this.#reading = this.#claim = null;
    try {
      if (connection !== null && !connection.isLost && claim !== null)
        await connection.transaction([this.#position.release(claim.logId, claim.generation)]);
    } catch {
      // A claim that could not be given back goes stale, and the same queue may take it again at once.
    }
    await connection?.close();
    await (await reading?.catch(() => null))?.close();
  }

  async #commit(connection: PostgresConnection, batch: Batch): Promise<void> {
    // All of it before anything is sent: what cannot be said in steps has changed nothing.
    const steps = this.#steps(batch);
    const { sweepUpTo } = batch;
    const sweeps = sweepUpTo === null ? [] : (this.#mapped?.writes.sweep(sweepUpTo) ?? []);
    const isLong = batch.clear;
    if (sweepUpTo === null || sweeps.length === 0) return connection.transaction(steps, { isLong });
    try {
      // What the batch itself has left to be checked is not the sweep's fault, and the other way round.
      const check = { statement: this.#statements.checkConstraints };
      await connection.transaction([...steps, check, ...sweeps], { isLong });
    } catch (error) {
      const step = error instanceof PipelineError ? error.step : null;
      const isRefused = meaningOf(error)?.kind === "refused";
      if (!isRefused || this.#mapped?.writes.hasFailedSweep(step, sweepUpTo) !== true) throw error;
      // The batch is not to blame for expired rows that others still refer to.
      await connection.transaction(steps, { isLong });
    }
  }

  #steps(batch: Batch): Step[] {
    const { clear, rows, frames, parking, sweepUpTo } = batch;
    const { mappedSettings, deferConstraints } = this.#statements;
    const mapped = this.#mapped;
    const { own, steps } = mapped === null ? { own: rows, steps: [] } : divideBatch(mapped.plan, batch);
    const settings = [{ statement: mappedSettings }, { statement: deferConstraints }];
    return [
      this.#position.move(batch),
      ...(clear ? [...this.#rows.clear(), this.#parked.clear()] : []),
      ...this.#rows.writeAll(own),
      ...(mapped !== null && (steps.length > 0 || sweepUpTo !== null) ? settings : []),
      ...(mapped?.writes.write(steps, frames <= 1) ?? []),
      ...(parking === null ? [] : this.#parked.change(parking)),
      ...(sweepUpTo === null ? [] : [this.#rows.sweep(sweepUpTo)]),
    ];
  }

  async #look(run: Run): Promise<MappedWriting | null> {
    if (this.#routes.length === 0) return null;
    const mapping = await mappingOf(run, this.#routes, this.#where);
    return { ...mapping, writes: new PostgresTableWrites(mapping) };
  }

  async #mappingFor(reads: PostgresReads): Promise<Mapping | null> {
    if (this.#routes.length === 0) return null;
    return (this.#readMapping ??= await mappingOf((steps) => reads.snapshot(steps), this.#routes, this.#where));
  }

  /** Makes the own tables where they are missing, and sees whether they are what they should be. */
  async #checkTables(connection: PostgresConnection, run: Run): Promise<void> {
    const { encoding, shape, lockTables } = this.#statements;
    let found: string | null = null;
    await run([{ statement: encoding, onRow: ([name = null]) => (found = name) }]);
    if (found !== "UTF8") throw wrongEncoding(found, this.place);
    let missing = await this.#missing(run);
    if (missing.length > 0) {
      // Whoever makes them at this moment is waited for.
      await run([{ statement: lockTables }]);
      missing = await this.#missing(run);
    }
    const gone = rowTables.filter((table) => missing.includes(table));
    // Made anew they would be empty: rows that the queue has written would be gone without a word (promise 4).
    if (gone.length > 0 && !missing.includes("write_behind_position")) {
      const { position } = await this.#position.look(run);
      if (position !== null) throw tablesGone(this.place, gone);
    }
    if (missing.length > 0) {
      const sql = ownTablesSql(this.#where.schema);
      if (!this.#where.createTables) throw tablesMissing(this.place, missing, sql);
      await connection.exec(sql);
    }
    await run([{ statement: shape }]);
  }

  async #missing(run: Run): Promise<string[]> {
    const missing: string[] = [];
    await run([{ statement: this.#statements.missing, onRow: ([name]) => missing.push(name ?? "") }]);
    return missing;
  }

  /** Runs work on the writing connection, and classifies what it throws. */
  async #write<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    try {
      if (this.#writing?.isLost === true) this.#leaveWriting();
      // The claim is in the database, not in the connection: after a failure a new connection goes on with it.
      const connection = (this.#writing ??= await PostgresConnection.connect(this.#where, this.#statements));
      return await work(connection);
    } catch (error) {
      if (spoilsConnection(error)) this.#leaveWriting();
      throw storeErrorOf(error, this.place);
    }
  }

  async #read<T>(reached: ReachedMark | null, work: (reads: PostgresReads) => Promise<T>): Promise<T> {
    try {
      this.#reading ??= PostgresReads.connect(this.#where, this.#statements).catch((error: unknown) => {
        this.#reading = null;
        throw error;
      });
      const reads = await this.#reading;
      return await work(reads).catch((error: unknown) => {
        // Somebody may have changed a table, or mended it.
        this.#readMapping = null;
        if (!isStalePlan(error)) throw error;
        return work(reads);
      });
    } catch (error) {
      const step = error instanceof PipelineError ? error.step : null;
      // Not "absent": the writer has not been here yet, or this is another database than before.
      const { values, keys, keysAfter } = this.#statements;
      const isOwn = step !== null && [values, keys, keysAfter].includes(step.statement);
      if (isMissingTable(error) && isOwn) {
        const [kind, what] = reached === null ? (["retryable", "yet"] as const) : (["moved", "any more"] as const);
        throw new StoreError(kind, `there are no tables to read in ${this.place} ${what}`, error);
      }
      throw storeErrorOf(error, this.place);
    }
  }

  #leaveWriting(): void {
    void this.#writing?.close();
    this.#writing = null;
  }
}

/** The view shows text, and reasons are text in any language. */
function wrongEncoding(encoding: string | null, place: string): StoreError {
  return new StoreError("broken", `the database ${place} is in ${encoding ?? "?"}; write-behind needs UTF8`);
}
