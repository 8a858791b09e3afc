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
import { missingColumn, tablesGone, tablesMissing } from "../own-tables.js";
import {
  generationAfter,
  hasReached,
  marksOf,
  StoreError,
  type Batch,
  type Page,
  type Reached,
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
import { numberOfCell, type Cell } from "./postgres-cell.js";
import { pageOf } from "./postgres-table-reads.js";
import { PostgresTableWrites } from "./postgres-table-writes.js";
import { Takeover } from "./postgres-takeover.js";
import type { PostgresPlace } from "./postgres-url.js";

/**
 * An index row of PostgreSQL has at most 2,704 bytes, and a key (with a hash, key and field together) is in one. A
 * value is read as hexadecimal text, which must fit into one string of Node.
 */
export const postgresLimits: StoreLimits = { keyBytesMax: 2600, valueBytesMax: 2 ** 27 };

/** Steps whose rows come before `run` resolves. */
type Run = (steps: readonly Step[]) => Promise<void>;

/** What a claim is given back with. */
interface Claim {
  readonly logId: string;
  readonly generation: number;
}

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
  /** By partition. */
  #claims = new Map<number, Claim>();
  /** What is done on the writing connection, one after the other, whichever partition it is for. */
  #last: Promise<unknown> = Promise.resolve();

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
        const takeover = await this.#checkTables(connection, run);
        // Afresh, for reads too: somebody may have changed a table.
        this.#mapped = this.#readMapping = null;
        this.#mapped = await this.#look(run);
        const tables = this.#mapped?.tables ?? [];
        const claimed = await this.#position.claim(claim, run, (steps) => takeover.wait(steps, run));
        return { ...claimed, parked: await this.#parked.all(run, claim.partition), tables };
      }),
    );
    this.#claims.set(claim.partition ?? 0, { logId: claim.logId, generation: opened.generation });
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
    this.#claims.set(batch.partition ?? 0, { logId: batch.to.logId, generation: generationAfter(batch) });
  }

  async read(records: readonly Bytes[], reached: Reached = null): Promise<readonly (RecordValue | null)[]> {
    const marks = marksOf(reached);
    const partitions = marks.map(({ partition = 0 }) => partition);
    const { positions, values } = await this.#read(reached, async (reads) =>
      reads.values(records, partitions, await this.#mappingFor(reads)),
    );
    if (marks.every((mark) => hasReached(positions.get(mark.partition ?? 0) ?? null, mark))) return values;
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

  async release(partition: number): Promise<void> {
    const claim = this.#claims.get(partition);
    if (claim === undefined) return;
    await this.#write((connection) => connection.transaction(this.#releases([[partition, claim]])));
    this.#claims.delete(partition);
  }

  async close(): Promise<void> {
    const [connection, reading, claims] = [this.#writing, this.#reading, this.#claims];
    this.#writing = this.#reading = null;
    this.#claims = new Map();
    try {
      if (connection !== null && !connection.isLost && claims.size > 0)
        await connection.transaction(this.#releases(claims));
    } catch {
      // A claim that could not be given back goes stale, and the same queue may take it again at once.
    }
    await connection?.close();
    await (await reading?.catch(() => null))?.close();
  }

  /** In the order of the rows, as everybody locks several. */
  #releases(claims: Iterable<readonly [number, Claim]>): Step[] {
    return [...claims]
      .toSorted(([a], [b]) => a - b)
      .map(([partition, { logId, generation }]) => this.#position.release(partition, logId, generation));
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
    const { partition, clear, rows, frames, parking, sweepUpTo } = batch;
    const { mappedSettings, deferConstraints } = this.#statements;
    const mapped = this.#mapped;
    const { own, steps } = mapped === null ? { own: rows, steps: [] } : divideBatch(mapped.plan, batch);
    const settings = [{ statement: mappedSettings }, { statement: deferConstraints }];
    return [
      this.#position.move(batch),
      ...(clear ? [...this.#rows.clear(), this.#parked.clear(partition)] : []),
      ...this.#rows.writeAll(own),
      ...(mapped !== null && (steps.length > 0 || sweepUpTo !== null) ? settings : []),
      ...(mapped?.writes.write(steps, frames <= 1) ?? []),
      ...(parking === null ? [] : this.#parked.change(parking, partition)),
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
  async #checkTables(connection: PostgresConnection, run: Run): Promise<Takeover> {
    const { session, shape, lockTables } = this.#statements;
    let [encoding, pid]: readonly Cell[] = [];
    await run([{ statement: session, onRow: (row) => ([encoding, pid] = row) }]);
    if (encoding !== "UTF8") throw wrongEncoding(encoding ?? null, this.place);
    let missing = await this.#missing(run);
    if (missing.length > 0) {
      // Whoever makes them at this moment is waited for.
      await run([{ statement: lockTables }]);
      missing = await this.#missing(run);
    }
    const gone = rowTables.filter((table) => missing.includes(table));
    // Made anew they would be empty: rows that the queue has written would be gone without a word (promise 4).
    if (gone.length > 0 && !missing.includes("write_behind_position")) {
      if (await this.#position.isSet(run)) throw tablesGone(this.place, gone);
    }
    if (missing.length > 0) {
      const sql = ownTablesSql(this.#where.schema);
      if (!this.#where.createTables) throw tablesMissing(this.place, missing, sql);
      await connection.exec(sql);
    }
    await run([{ statement: shape }]);
    return new Takeover(this.#where, this.#statements, numberOfCell(pid ?? null));
  }

  async #missing(run: Run): Promise<string[]> {
    const missing: string[] = [];
    const add = ([relation = null, column = null]: readonly Cell[]): void => {
      missing.push(column === null ? (relation ?? "") : missingColumn(relation ?? "", column));
    };
    await run([{ statement: this.#statements.missing, onRow: add }]);
    return missing;
  }

  /** Runs work on the writing connection, and classifies what it throws. */
  #write<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const done = this.#last.then(() => this.#writeNow(work));
    this.#last = done.catch(() => {});
    return done;
  }

  async #writeNow<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
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

  async #read<T>(reached: Reached, work: (reads: PostgresReads) => Promise<T>): Promise<T> {
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
