/**
 * The store in an SQLite file. The driver is synchronous: the store belongs on the writer's thread, and cold reads on
 * one of their own (`reads: "thread"`), each with its own SqliteStore. Everything about rows is in sqlite-rows.ts,
 * about position and claim in sqlite-position.ts, about dead letters in sqlite-parked.ts, about result codes in
 * sqlite-errors.ts.
 */
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
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
import { SqliteConnection } from "./sqlite-connection.js";
import { isCannotOpen, isMissingTable, spoilsConnection, storeErrorOf } from "./sqlite-errors.js";
import { SqliteParked } from "./sqlite-parked.js";
import { SqlitePosition } from "./sqlite-position.js";
import { SqliteReads } from "./sqlite-reads.js";
import { SqliteRows } from "./sqlite-rows.js";
import { ownTables, rowTables, rowTablesFound } from "./sqlite-statements.js";

/** What commits are made with. */
interface Prepared {
  readonly position: SqlitePosition;
  readonly rows: SqliteRows;
  readonly parked: SqliteParked;
}

/** A connection that reads. */
interface Reading {
  readonly connection: SqliteConnection;
  readonly reads: SqliteReads;
}

/** SQLite itself ends at a thousand million bytes; a longer key would make every page of its index one of overflow. */
export const sqliteLimits: StoreLimits = { keyBytesMax: 65_536, valueBytesMax: 2 ** 28 };

/** A store in an SQLite file. */
export class SqliteStore implements Store {
  readonly kind = "sqlite";
  readonly place: string;
  readonly limits = sqliteLimits;
  readonly #file: string;
  #writing: SqliteConnection | null = null;
  #prepared: Prepared | null = null;
  #reading: Reading | null = null;
  #claim: { readonly logId: string; readonly generation: number } | null = null;

  constructor(file: string) {
    this.#file = file;
    this.place = file;
  }

  async open(claim: StoreClaim): Promise<StoreOpened> {
    return this.#classified(() => {
      if (this.#writing?.isCurrent() === false) this.#leaveWriting();
      const connection = (this.#writing ??= SqliteConnection.forWriting(this.#file, true));
      refuseUtf16(connection, this.#file);
      const opened = connection.transaction("BEGIN IMMEDIATE", () => {
        const gone = missingRowTables(connection);
        connection.exec(ownTables);
        const { position, parked } = (this.#prepared = this.#prepare(connection));
        // Made anew they would be empty: rows that the queue has written would be gone without a word (promise 4).
        if (gone.length > 0 && position.isSet()) throw tablesGone(this.#file, gone);
        return { ...position.claim(claim), parked: parked.all() };
      });
      this.#claim = { logId: claim.logId, generation: opened.generation };
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
      const { position, rows, parked } = (this.#prepared ??= this.#prepare(connection));
      connection.transaction("BEGIN IMMEDIATE", () => {
        position.move(batch);
        if (batch.clear) {
          rows.clear();
          parked.clear();
        }
        rows.writeAll(batch.rows);
        if (batch.parking !== null) parked.change(batch.parking);
        if (batch.sweepUpTo !== null) rows.sweep(batch.sweepUpTo);
      });
      this.#claim = { logId: batch.to.logId, generation: generationAfter(batch) };
    });
  }

  async read(records: readonly Bytes[], reached: ReachedMark | null = null): Promise<readonly (RecordValue | null)[]> {
    return this.#read(reached, (reads) => {
      if (reached !== null && !hasReached(reads.position(), reached)) {
        const message = `the database ${this.#file} is not where it was: it was restored or exchanged`;
        throw new StoreError("moved", message);
      }
      return records.map((record) => reads.value(record));
    });
  }

  async scan(after: Bytes | null, limit: number, nowMs: number): Promise<Page> {
    return this.#read(null, (reads) => reads.page(after, limit, nowMs));
  }

  async close(): Promise<void> {
    try {
      this.#release();
    } catch {
      // A claim that could not be given back goes stale, and the same queue may take it again at once.
    } finally {
      this.#claim = null;
      this.#leaveWriting();
      this.#leaveReading();
    }
  }

  #prepare(connection: SqliteConnection): Prepared {
    return {
      position: new SqlitePosition(connection, this.#file),
      rows: new SqliteRows(connection),
      parked: new SqliteParked(connection, this.#file),
    };
  }

  #release(): void {
    const connection = this.#writing;
    const claim = this.#claim;
    if (claim === null || connection === null || !connection.isCurrent()) return;
    const { position } = (this.#prepared ??= this.#prepare(connection));
    connection.transaction("BEGIN IMMEDIATE", () => position.release(claim.logId, claim.generation));
    connection.emptyWal();
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

  /** Runs work in one short read transaction: what it sees is one moment. */
  #read<T>(reached: ReachedMark | null, work: (reads: SqliteReads) => T): T {
    if (this.#reading?.connection.isCurrent() === false) this.#leaveReading();
    try {
      const { connection, reads } = (this.#reading ??= this.#connectForReading());
      return connection.transaction("BEGIN", () => work(reads));
    } catch (error) {
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
      return { connection, reads: new SqliteReads(connection) };
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

/** Tables of users' rows that are not there: none has been made yet, or somebody has dropped them. */
function missingRowTables(connection: SqliteConnection): string[] {
  const found = connection.prepare(rowTablesFound).all() as { name: string }[];
  return rowTables.filter((table) => !found.some(({ name }) => name === table));
}

function tablesGone(file: string, gone: readonly string[]): StoreError {
  const message =
    `${gone.join(" and ")} in the database ${file} ${gone.length === 1 ? "is" : "are"} gone, and the rows with them: ` +
    "bring them back from a backup, or make the tables anew by hand to go on without those rows";
  return new StoreError("broken", message);
}

/** Pages are in the order of the keys' bytes, which is the order of UTF-8 text and of no other. */
function refuseUtf16(connection: SqliteConnection, file: string): void {
  const { encoding } = connection.prepare("PRAGMA encoding").get() as { encoding: string };
  if (encoding !== "UTF-8") {
    throw new StoreError("broken", `the database ${file} is in ${encoding}; write-behind needs UTF-8`);
  }
}
