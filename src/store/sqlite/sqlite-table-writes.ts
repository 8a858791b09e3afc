/** Brings a batch into the rows of mapped tables. What comes in which order is decided in mapped-batch.ts. */
import type { Bytes } from "../../bytes.js";
import type { Fields, Merge } from "../../change.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import type { Plan } from "../../routes/plan.js";
import {
  fieldsOfReplace,
  givenColumns,
  recordOfRow,
  refuseExpiry,
  type GivenColumns,
  type MappedStep,
  type RowKey,
  type RowWrite,
} from "../mapped-batch.js";
import { cellOfBytes } from "./sqlite-cell.js";
import type { SqliteConnection, Statement } from "./sqlite-connection.js";
import { isConstraint } from "./sqlite-errors.js";
import { StatementCache } from "./sqlite-statement-cache.js";
import { nameInFile, TableSql } from "./sqlite-table-sql.js";
import { boundKey, boundOf, boundOfMoment, textOfKey, type Bound } from "./sqlite-value.js";

/** So many expired rows of a table go with one commit. */
const sweepRowsMax = 1000;
/** How long a table is left alone that cannot be swept cheaply, or has rows that may not go. Log time, milliseconds. */
const sweepRestMs = 60_000;

const noFields: Fields = new Map<Bytes, Bytes>();
const noNames: ReadonlySet<Bytes> = new Set();

/** A table, and its statements. */
interface Written {
  /** Its place in the plan: names of statements begin with it. */
  readonly at: number;
  readonly table: MappedTable;
  readonly sql: TableSql;
  /** Whether expired rows are found without looking at every row. */
  readonly endsAreIndexed: boolean;
  /** In log time. */
  sweepNotBefore: number;
  /** Whether the last row that was merged was a new one. Then the next one is likely to be new as well. */
  rowsAreNew: boolean;
}

/** Writes mapped rows through one connection, inside a transaction that the caller has begun. */
export class SqliteTableWrites {
  readonly #connection: SqliteConnection;
  readonly #plan: Plan;
  readonly #statements: StatementCache;
  readonly #tables: ReadonlyMap<MappedTable, Written>;

  constructor(connection: SqliteConnection, plan: Plan) {
    this.#connection = connection;
    this.#plan = plan;
    this.#statements = new StatementCache(connection);
    this.#tables = new Map(
      plan.tables.map((table, at) => {
        const endsAreIndexed = table.expiresAt !== null && isIndexed(connection, table, table.expiresAt.name);
        return [
          table,
          { at, table, sql: new TableSql(table), endsAreIndexed, sweepNotBefore: -Infinity, rowsAreNew: false },
        ];
      }),
    );
  }

  /**
   * Does the steps of a batch. Foreign keys that may wait are checked when all is done: rows of one table may refer to
   * each other, and tables in a circle.
   */
  write(steps: readonly MappedStep[]): void {
    if (steps.length > 0) this.#connection.exec("PRAGMA defer_foreign_keys = ON");
    for (const step of steps) {
      const written = this.#tables.get(step.table) as Written;
      if (step.kind === "write") for (const row of step.rows) this.#write(written, row);
      else if (step.kind === "delete") this.#delete(written, step.keys);
      else this.#remove(written, step.keys);
    }
  }

  /**
   * Deletes or marks rows that expired at or before this log time, but none of a parked record. A row that may not go
   * (others refer to it) stays, and harms nobody. How many went.
   */
  sweep(upTo: number): number {
    let gone = 0;
    for (const written of this.#tables.values()) {
      if (written.sql.expired === null || upTo < written.sweepNotBefore) continue;
      if (gone === 0) this.#connection.exec("PRAGMA defer_foreign_keys = OFF");
      gone += this.#sweepTable(written, upTo);
    }
    return gone;
  }

  /** Leaves all tables unswept for a while. */
  restFromSweeping(upTo: number): void {
    for (const written of this.#tables.values()) written.sweepNotBefore = upTo + sweepRestMs;
  }

  #write(written: Written, { record, key, change }: RowWrite): void {
    const { table } = written;
    const expiresAt = change.expiresAt ?? null;
    if (expiresAt !== null && table.expiresAt === null) refuseExpiry(table, record);
    const keyBound = boundKey(table, key);
    const isMerge = change.kind === "merge";
    const likelyNew = isMerge && written.rowsAreNew;
    if (isMerge && !likelyNew && this.#update(written, keyBound, change)) return;
    const fields = isMerge ? (change.fields?.set ?? noFields) : fieldsOfReplace(table, record, change);
    const given = givenColumns(table, fields);
    const bound = keyBound.concat(boundGiven(given));
    if (table.expiresAt !== null) bound.push(boundOfMoment(table.expiresAt, expiresAt));
    if (likelyNew) {
      if (this.#insert(written, given, bound)) return;
      written.rowsAreNew = false;
      if (this.#update(written, keyBound, change)) return;
    }
    this.#upsert(written, given, bound);
    // Whom an insert sets off is not known of a row that is there.
    if (isMerge) written.rowsAreNew = !table.schema.hasTriggers;
  }

  #upsert({ at, sql }: Written, { shape, columns }: GivenColumns, bound: readonly Bound[]): void {
    this.#statements.get(`${at} upsert ${shape}`, () => sql.upsert(columns)).run(...bound);
  }

  /**
   * A new row: one statement instead of an update in vain before it. False where there is a row, or a new one would be
   * refused: whether the change is, only the update can tell.
   */
  #insert({ at, sql }: Written, { shape, columns }: GivenColumns, bound: readonly Bound[]): boolean {
    return this.#mayFail(
      this.#statements.get(`${at} insert ${shape}`, () => sql.insert(columns)),
      bound,
    );
  }

  /** Changes some columns of a row. False where there is no row, or it is marked as deleted. */
  #update({ at, table, sql }: Written, keyBound: readonly Bound[], { fields, expiresAt }: Merge): boolean {
    const given = givenColumns(table, fields?.set ?? noFields, fields?.unset ?? noNames);
    const { shape, columns } = given;
    const ends = expiresAt !== undefined && table.expiresAt !== null;
    if (columns.length === 0 && !ends) {
      return this.#statements.get(`${at} exists`, () => sql.exists).get(...keyBound) !== undefined;
    }
    const name = `${at} ${ends ? "update with end" : "update"} ${shape}`;
    const bound = boundGiven(given);
    if (ends) bound.push(boundOfMoment(table.expiresAt, expiresAt));
    const done = this.#statements.get(name, () => sql.update(columns, ends)).run(...bound.concat(keyBound));
    return done.changes > 0;
  }

  #delete(written: Written, keys: readonly RowKey[]): void {
    const statement = this.#deleteStatement(written);
    for (const key of keys) statement.run(...boundKey(written.table, key));
  }

  #remove(written: Written, keys: readonly RowKey[]): void {
    const statement = this.#removeStatement(written);
    for (const key of keys) statement.run(...boundKey(written.table, key));
  }

  #deleteStatement({ at, sql }: Written): Statement {
    return this.#statements.get(`${at} delete`, () => sql.deleteRow);
  }

  #removeStatement(written: Written): Statement {
    const { markRow } = written.sql;
    return markRow === null
      ? this.#deleteStatement(written)
      : this.#statements.get(`${written.at} mark`, () => markRow);
  }

  #sweepTable(written: Written, upTo: number): number {
    const keys = this.#expiredKeys(written, upTo);
    const statement = this.#removeStatement(written);
    let gone = 0;
    for (const key of keys) if (this.#mayFail(statement, key)) gone++;
    if (!written.endsAreIndexed || gone < keys.length) written.sweepNotBefore = upTo + sweepRestMs;
    // There is more: what costs a look at every row is then at least not in vain.
    if (gone === sweepRowsMax) written.sweepNotBefore = -Infinity;
    return gone;
  }

  /** Whether a statement has changed something. One that is refused has not, and the transaction goes on. */
  #mayFail(statement: Statement, bound: readonly Bound[]): boolean {
    try {
      return statement.run(...bound).changes > 0;
    } catch (error) {
      if (!isConstraint(error) || !this.#connection.inTransaction) throw error;
      return false;
    }
  }

  #expiredKeys({ table, sql }: Written, upTo: number): readonly (readonly Bound[])[] {
    if (table.expiresAt === null || sql.expired === null) return [];
    const expired = this.#connection.prepare(sql.expired);
    expired.setReturnArrays(true);
    expired.setReadBigInts(true);
    const parked = this.#connection.prepare("SELECT 1 FROM write_behind_dead_letters WHERE record = ?");
    const keys: (readonly Bound[])[] = [];
    const bounds = [boundOfMoment(table.expiresAt, upTo), upTo];
    for (const key of expired.iterate(...bounds) as Iterable<readonly Bound[]>) {
      const texts = table.keyColumns.map((column, at) => textOfKey(column, key[at]));
      const record = recordOfRow(this.#plan, table, texts);
      // What is parked may have prolonged its life.
      if (record !== null && parked.get(cellOfBytes(record)) !== undefined) continue;
      keys.push(key);
      if (keys.length === sweepRowsMax) break;
    }
    return keys;
  }
}

function boundGiven({ columns, values }: GivenColumns): Bound[] {
  return columns.map((column, at) => boundOf(column, values[at] ?? null));
}

/** Whether an index begins with this column. */
function isIndexed(connection: SqliteConnection, table: MappedTable, column: string): boolean {
  const sql = `SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS part
    WHERE part.seqno = 0 AND part.name = ?`;
  return connection.prepare(sql).get(nameInFile(table), column) !== undefined;
}
