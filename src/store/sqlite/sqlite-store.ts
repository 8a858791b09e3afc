/**
 * The store in an SQLite file. The driver is synchronous: the store belongs on the writer's thread, and cold reads on
 * one of their own (`reads: "thread"`), each with its own SqliteStore. Everything about rows is in sqlite-rows.ts, about
 * rows of mapped tables in sqlite-table-writes.ts and sqlite-table-reads.ts, about position and claim in
 * sqlite-position.ts, about dead letters in sqlite-parked.ts, about result codes in sqlite-errors.ts.
 */
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import type { Plan } from "../../routes/plan.js";
import type { RouteSpec } from "../../routes/route.js";
import type { TableSchema } from "../../routes/table.js";
import { divideBatch, type DividedBatch } from "../mapped-batch.js";
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
import { SqliteConnection, type Statement } from "./sqlite-connection.js";
import { isCannotOpen, isConstraint, isMissingTable, spoilsConnection, storeErrorOf } from "./sqlite-errors.js";
import { mappingIn, type Mapping } from "./sqlite-mapped.js";
import { SqliteParked } from "./sqlite-parked.js";
import { SqlitePosition } from "./sqlite-position.js";
import { SqliteReads } from "./sqlite-reads.js";
import { SqliteRows } from "./sqlite-rows.js";
import {
  allTables,
  anyPosition,
  columnsFound,
  laterColumns,
  ownTables,
  ownTablesSql,
  rowTables,
  tablesFound,
  upgrade,
} from "./sqlite-statements.js";
import { SqliteTableReads } from "./sqlite-table-reads.js";
import { SqliteTableWrites } from "./sqlite-table-writes.js";

/** What commits are made with. */
interface Prepared {
  readonly position: SqlitePosition;
  readonly rows: SqliteRows;
  readonly parked: SqliteParked;
  /** Null where no route maps a table. */
  readonly mapped: {
    readonly plan: Plan;
    readonly tables: readonly TableSchema[];
    readonly writes: SqliteTableWrites;
  } | null;
}

/** What a claim is given back with. */
interface Claim {
  readonly logId: string;
  readonly generation: number;
}

/** A connection that reads. */
interface Reading {
  readonly connection: SqliteConnection;
  readonly schemaVersion: Statement;
  readonly reads: SqliteReads;
  /** Made when it is needed, anew for every schema, and after a failure. */
  mapped: { readonly schema: number; readonly reads: SqliteTableReads } | null;
}

/** SQLite itself ends at a thousand million bytes; a longer key would make every page of its index one of overflow. */
export const sqliteLimits: StoreLimits = { keyBytesMax: 65_536, valueBytesMax: 2 ** 28 };

/** A store in an SQLite file. */
export class SqliteStore implements Store {
  readonly kind = "sqlite";
  readonly place: string;
  readonly limits = sqliteLimits;
  readonly #file: string;
  readonly #routes: readonly RouteSpec[];
  readonly #createTables: boolean;
  #writing: SqliteConnection | null = null;
  #prepared: Prepared | null = null;
  #reading: Reading | null = null;
  /** By partition. */
  readonly #claims = new Map<number, Claim>();

  constructor(file: string, routes: readonly RouteSpec[] = [], createTables = true) {
    this.#file = file;
    this.#createTables = createTables;
    this.#routes = routes.filter(({ table }) => table !== null);
    this.place = file;
  }

  async open(claim: StoreClaim): Promise<StoreOpened> {
    return this.#classified(() => {
      if (this.#writing?.isCurrent() === false) this.#leaveWriting();
      const connection = (this.#writing ??= SqliteConnection.forWriting(this.#file, this.#createTables));
      refuseUtf16(connection, this.#file);
      const opened = connection.transaction("BEGIN IMMEDIATE", () => {
        this.#makeTables(connection);
        const { position, parked, mapped } = (this.#prepared = this.#prepare(connection));
        return { ...position.claim(claim), parked: parked.all(claim.partition), tables: mapped?.tables ?? [] };
      });
      this.#claims.set(claim.partition ?? 0, { logId: claim.logId, generation: opened.generation });
      return opened;
    });
  }

  async commit(batch: Batch): Promise<void> {
    this.#classified(() => {
      if (this.#writing?.isCurrent() === false) {
        this.#leaveWriting();
        throw new StoreError("moved", `the database file ${this.#file} was replaced or deleted`);
      }
      // The claim is in the database, not in the connection: after a failure a new connection goes on with it.
      const connection = (this.#writing ??= SqliteConnection.forWriting(this.#file, false));
      const prepared = (this.#prepared ??= this.#prepare(connection));
      this.#commit(connection, prepared, batch);
      this.#claims.set(batch.partition ?? 0, { logId: batch.to.logId, generation: generationAfter(batch) });
    });
  }

  async read(records: readonly Bytes[], reached: Reached = null): Promise<readonly (RecordValue | null)[]> {
    return this.#read(reached, (reading) => {
      const { reads } = reading;
      if (!marksOf(reached).every((mark) => hasReached(reads.position(mark.partition), mark))) {
        const message = `the database ${this.#file} is not where it was: it was restored or exchanged`;
        throw new StoreError("moved", message);
      }
      const mapped = this.#mappedReads(reading);
      if (mapped === null) return records.map((record) => reads.value(record));
      return records.map((record) => {
        const address = mapped.plan.rowOf(record);
        return address === null ? reads.value(record) : this.#inTable(() => mapped.value(address));
      });
    });
  }

  async scan(after: Bytes | null, limit: number, nowMs: number, table: string | null = null): Promise<Page> {
    return this.#read(null, (reading) => {
      if (table === null) return reading.reads.page(after, limit, nowMs);
      const mapped = this.#mappedReads(reading);
      if (mapped === null) throw new StoreError("broken", `no route maps a table ${table}`);
      return this.#inTable(() => mapped.page(table, after, limit, nowMs));
    });
  }

  async release(partition: number): Promise<void> {
    this.#classified(() => this.#release([partition]));
  }

  async close(): Promise<void> {
    try {
      if (this.#release([...this.#claims.keys()])) this.#writing?.emptyWal();
    } catch {
      // A claim that could not be given back goes stale, and the same queue may take it again at once.
    } finally {
      this.#claims.clear();
      this.#leaveWriting();
      this.#leaveReading();
    }
  }

  #commit(connection: SqliteConnection, prepared: Prepared, batch: Batch): void {
    const { mapped } = prepared;
    const divided = mapped === null ? { own: batch.rows, steps: [] } : divideBatch(mapped.plan, batch);
    let sweeping = false;
    const attempt = (): void =>
      connection.transaction("BEGIN IMMEDIATE", () => {
        writeBatch(prepared, batch, divided);
        if (batch.sweepUpTo === null) return;
        prepared.rows.sweep(batch.sweepUpTo);
        sweeping = mapped !== null;
        sweeping = (mapped?.writes.sweep(batch.sweepUpTo) ?? 0) > 0;
      });
    try {
      attempt();
    } catch (error) {
      if (mapped === null || batch.sweepUpTo === null || !sweeping || !isConstraint(error)) throw error;
      // The batch is not to blame for expired rows that others still refer to.
      mapped.writes.restFromSweeping(batch.sweepUpTo);
      attempt();
    }
  }

  #prepare(connection: SqliteConnection): Prepared {
    const mapping = mappingIn(connection, this.#routes, this.#file);
    return {
      position: new SqlitePosition(connection, this.#file),
      rows: new SqliteRows(connection),
      parked: new SqliteParked(connection, this.#file),
      mapped: mapping === null ? null : { ...mapping, writes: new SqliteTableWrites(connection, mapping.plan) },
    };
  }

  /** Makes the own tables where they are missing, and brings those of an earlier version to what they are now. */
  #makeTables(connection: SqliteConnection): void {
    const missing = missingTables(connection);
    const gone = rowTables.filter((table) => missing.includes(table));
    // Made anew they would be empty: rows that the queue has written would be gone without a word (promise 4).
    const wasHere = !missing.includes("write_behind_position") && connection.prepare(anyPosition).get() !== undefined;
    if (gone.length > 0 && wasHere) throw tablesGone(this.#file, gone);
    const outdated = missingColumns(connection, missing);
    const lacking = [...missing, ...outdated];
    if (!this.#createTables && lacking.length > 0) throw tablesMissing(this.#file, lacking, ownTablesSql());
    connection.exec(ownTables);
    if (outdated.length > 0) connection.exec(upgrade);
  }

  /** Whether there was anything to be given back. */
  #release(partitions: readonly number[]): boolean {
    const connection = this.#writing;
    const claims = partitions.flatMap((partition) => {
      const claim = this.#claims.get(partition);
      return claim === undefined ? [] : [{ partition, ...claim }];
    });
    if (claims.length === 0 || connection === null || !connection.isCurrent()) return false;
    const { position } = (this.#prepared ??= this.#prepare(connection));
    connection.transaction("BEGIN IMMEDIATE", () => {
      for (const { partition, logId, generation } of claims) position.release(partition, logId, generation);
    });
    for (const { partition } of claims) this.#claims.delete(partition);
    return true;
  }

  /** Runs work of the writing connection, and classifies what it throws. */
  #classified<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (spoilsConnection(error)) this.#leaveWriting();
      throw storeErrorOf(error, this.#file);
    }
  }

  #mappedReads(reading: Reading): SqliteTableReads | null {
    if (this.#routes.length === 0) return null;
    // A column that was added must be read as soon as it may have been written (promise 2).
    const { schema } = reading.schemaVersion.get() as { schema: number };
    if (reading.mapped?.schema === schema) return reading.mapped.reads;
    const { plan } = mappingIn(reading.connection, this.#routes, this.#file) as Mapping;
    const reads = new SqliteTableReads(reading.connection, plan);
    reading.mapped = { schema, reads };
    return reads;
  }

  /** A mapped table that has gone is not one that is yet to be made. */
  #inTable<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw isMissingTable(error)
        ? new StoreError("broken", `a mapped table in ${this.#file} is gone (${(error as Error).message})`, error)
        : error;
    }
  }

  /** Runs work in one short read transaction: what it sees is one moment. */
  #read<T>(reached: Reached, work: (reading: Reading) => T): T {
    if (this.#reading?.connection.isCurrent() === false) this.#leaveReading();
    try {
      const reading = (this.#reading ??= this.#connectForReading());
      return reading.connection.transaction("BEGIN", () => work(reading));
    } catch (error) {
      if (this.#reading !== null) this.#reading.mapped = null;
      if (spoilsConnection(error)) this.#leaveReading();
      // Not "absent": the writer has not been here yet, or the disk is not mounted and the rows are on it.
      if (isCannotOpen(error) || isMissingTable(error)) {
        const [kind, what] = reached === null ? (["retryable", "yet"] as const) : (["moved", "any more"] as const);
        throw new StoreError(kind, `there are no tables to read in ${this.#file} ${what}`, error);
      }
      throw storeErrorOf(error, this.#file);
    }
  }

  #connectForReading(): Reading {
    const connection = SqliteConnection.forReading(this.#file);
    try {
      const schemaVersion = connection.prepare("SELECT schema_version AS schema FROM pragma_schema_version");
      return { connection, schemaVersion, reads: new SqliteReads(connection), mapped: null };
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #leaveWriting(): void {
    this.#writing?.close();
    this.#writing = null;
    this.#prepared = null;
  }

  #leaveReading(): void {
    this.#reading?.connection.close();
    this.#reading = null;
  }
}

/** Everything that a batch brings, after the position: whoever has lost the claim writes nothing. */
function writeBatch({ position, rows, parked, mapped }: Prepared, batch: Batch, { own, steps }: DividedBatch): void {
  position.move(batch);
  if (batch.clear) {
    rows.clear();
    parked.clear(batch.partition);
  }
  rows.writeAll(own);
  mapped?.writes.write(steps);
  if (batch.parking !== null) parked.change(batch.parking, batch.partition);
}

/** Own tables that are not there: none has been made yet, or somebody has dropped them. */
function missingTables(connection: SqliteConnection): string[] {
  const found = connection.prepare(tablesFound).all() as { name: string }[];
  return allTables.filter((table) => !found.some(({ name }) => name === table));
}

/** Columns that the tables of an earlier version do not have. */
function missingColumns(connection: SqliteConnection, missing: readonly string[]): string[] {
  const look = connection.prepare(columnsFound);
  return laterColumns.flatMap(([table, column]) => {
    const columns = look.all(table) as { name: string }[];
    const isThere = missing.includes(table) || columns.some(({ name }) => name === column);
    return isThere ? [] : [missingColumn(table, column)];
  });
}

/** Pages are in the order of the keys' bytes, which is the order of UTF-8 text and of no other. */
function refuseUtf16(connection: SqliteConnection, file: string): void {
  const { encoding } = connection.prepare("PRAGMA encoding").get() as { encoding: string };
  if (encoding !== "UTF-8") {
    throw new StoreError("broken", `the database ${file} is in ${encoding}; write-behind needs UTF-8`);
  }
}
