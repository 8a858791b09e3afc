/** Reads records and pages of records from mapped tables. */
import type { Bytes } from "../../bytes.js";
import { hasEnded, type RecordValue } from "../../change.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import type { Plan, RowAddress } from "../../routes/plan.js";
import { recordOfRow } from "../mapped-batch.js";
import { StoreError, type Page } from "../store.js";
import type { SqliteConnection, Statement } from "./sqlite-connection.js";
import { TableSql } from "./sqlite-table-sql.js";
import { boundKey, momentOfRead, textOfKey, textOfRead, type Bound } from "./sqlite-value.js";

/** Statements of one table that read. */
interface ReadTable {
  readonly row: Statement;
  readonly firstPage: Statement;
  readonly nextPage: Statement;
}

/** Reads mapped rows through one connection, inside a transaction that the caller has begun. */
export class SqliteTableReads {
  readonly plan: Plan;
  readonly #tables: ReadonlyMap<MappedTable, ReadTable>;

  constructor(connection: SqliteConnection, plan: Plan) {
    this.plan = plan;
    const prepare = (sql: string): Statement => {
      const statement = connection.prepare(sql);
      statement.setReturnArrays(true);
      // Numbers beyond 2^53 lose no digits.
      statement.setReadBigInts(true);
      return statement;
    };
    this.#tables = new Map(
      plan.tables.map((table) => {
        const { row, firstPage, nextPage } = new TableSql(table);
        return [table, { row: prepare(row), firstPage: prepare(firstPage), nextPage: prepare(nextPage) }];
      }),
    );
  }

  /** The row as a hash of what is not NULL, or null where there is none. */
  value({ table, key }: RowAddress): RecordValue | null {
    const { row } = this.#tables.get(table) as ReadTable;
    const read = row.get(...boundKey(table, key)) as readonly unknown[] | undefined;
    if (read === undefined) return null;
    const content = new Map<Bytes, Bytes>();
    let at = 0;
    for (const [field, { type }] of table.fields) {
      const text = textOfRead(type, read[at++]);
      if (text !== null) content.set(field, text);
    }
    return { content, expiresAt: momentOfRead(read[at]) };
  }

  /** One page of a table's live records, in the order of its key. Rows that no key leads to are left out. */
  page(name: string, after: Bytes | null, limit: number, nowMs: number): Page {
    const table = this.plan.tables.find(({ schema }) => schema.name === name);
    if (table === undefined) throw new StoreError("broken", `no route maps a table ${name}`);
    const { firstPage, nextPage } = this.#tables.get(table) as ReadTable;
    let from = after === null ? null : this.#boundOfRecord(table, after);
    const records: Bytes[] = [];
    // One more than asked tells whether there is another page.
    while (records.length <= limit) {
      const rows = (from === null
        ? firstPage.all(limit + 1)
        : nextPage.all(...from, limit + 1)) as unknown as Bound[][];
      for (const row of rows) {
        const record = this.#liveRecord(table, row, nowMs);
        if (record !== null) records.push(record);
      }
      if (rows.length <= limit) break;
      from = (rows.at(-1) as Bound[]).slice(0, table.keyColumns.length);
    }
    const page = records.slice(0, limit);
    return { records: page, next: records.length > limit ? (page.at(-1) ?? null) : null };
  }

  #liveRecord(table: MappedTable, row: readonly unknown[], nowMs: number): Bytes | null {
    const keys = table.keyColumns.map((column, at) => textOfKey(column, row[at]));
    return hasEnded(momentOfRead(row[keys.length]), nowMs) ? null : recordOfRow(this.plan, table, keys);
  }

  #boundOfRecord(table: MappedTable, record: Bytes): readonly Bound[] {
    const address = this.plan.rowOf(record);
    if (address?.table !== table) throw new StoreError("broken", `a page of ${table.schema.name} cannot begin there`);
    return boundKey(table, address.key);
  }
}
