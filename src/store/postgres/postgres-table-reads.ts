/** Reads records and pages of records from mapped tables, in steps. */
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import { canonical } from "../../routes/canonical.js";
import type { Column } from "../../routes/column.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import { recordOfRow, type RowKey } from "../mapped-batch.js";
import { StoreError, type Page } from "../store.js";
import { numberOfCell, type Cell } from "./postgres-cell.js";
import type { Mapping } from "./postgres-mapped.js";
import { inParts } from "./postgres-parts.js";
import type { Step } from "./postgres-pipeline.js";
import type { TableSql } from "./postgres-table-sql.js";
import { boundOf, momentOfCell, textOfCell } from "./postgres-value.js";

type Run = (steps: readonly Step[]) => Promise<void>;

/** A record that is a row, and its place among what was asked. */
interface AskedRow {
  readonly at: number;
  readonly key: RowKey;
}

/** What is asked, divided. */
export interface DividedRead {
  /** Records of the own tables, with their places. */
  readonly own: readonly (readonly [at: number, record: Bytes])[];
  /** Reads the others; each is given to `onValue` with its place. What is not there is not given. */
  readonly steps: readonly Step[];
}

/** Divides what is asked. A key that is no value of its column's type leads to no row. */
export function divideRead(
  { plan, sql }: Mapping,
  records: readonly Bytes[],
  onValue: (at: number, value: RecordValue) => void,
): DividedRead {
  const own: [number, Bytes][] = [];
  const byTable = new Map<MappedTable, AskedRow[]>();
  for (const [at, record] of records.entries()) {
    const address = plan.rowOf(record);
    if (address === null) {
      own.push([at, record]);
      continue;
    }
    const { table, key } = address;
    if (key.some((value, place) => canonical((table.keyColumns[place] as Column).type, value) !== value)) continue;
    const rows = byTable.get(table);
    if (rows === undefined) byTable.set(table, [{ at, key }]);
    else rows.push({ at, key });
  }
  const steps = [...byTable].flatMap(([table, rows]) => readSteps(sql.get(table) as TableSql, rows, onValue));
  return { own, steps };
}

function readSteps(
  { table, rows: statement }: TableSql,
  asked: readonly AskedRow[],
  onValue: (at: number, value: RecordValue) => void,
): Step[] {
  return inParts(asked, ({ key }) => bytesOfKey(key)).map((part) => ({
    statement,
    parameters: boundKeys(
      table,
      part.map(({ key }) => key),
    ),
    onRow: ([n = null, ...cells]) => {
      const { at } = part[numberOfCell(n) - 1] as AskedRow;
      onValue(at, valueOf(table, cells));
    },
  }));
}

function valueOf(table: MappedTable, cells: readonly Cell[]): RecordValue {
  const content = new Map<Bytes, Bytes>();
  let at = 0;
  for (const [field, column] of table.fields) {
    const text = textOfCell(column, cells[at++] ?? null);
    if (text !== null) content.set(field, text);
  }
  return { content, expiresAt: momentOfCell(cells[at] ?? null) };
}

/** What is bound for keys: an array for each of the key's columns. */
export function boundKeys(table: MappedTable, keys: readonly RowKey[]): (string | Buffer | null)[] {
  return table.keyColumns.map((column, at) =>
    boundOf(
      column,
      keys.map((key) => key[at] as Bytes),
    ),
  );
}

/** As many bytes are bound for a key. */
export function bytesOfKey(key: RowKey): number {
  let bytes = 0;
  for (const value of key) bytes += value.length;
  return bytes;
}

/** One page of a table's live records, in the order of its key. Rows that no key leads to are left out. */
export async function pageOf(
  mapping: Mapping,
  asked: { readonly table: string; readonly after: Bytes | null; readonly limit: number; readonly nowMs: number },
  run: Run,
): Promise<Page> {
  const { plan } = mapping;
  const { limit, nowMs } = asked;
  const table = plan.tables.find(({ schema }) => schema.name === asked.table);
  if (table === undefined) throw new StoreError("broken", `no route maps a table ${asked.table}`);
  const { firstPage, nextPage } = mapping.sql.get(table) as TableSql;
  let from = asked.after === null ? null : keyOfRecord(mapping, table, asked.after);
  const records: Bytes[] = [];
  // One more than asked tells whether there is another page.
  while (records.length <= limit) {
    const rows: (Bytes | null)[][] = [];
    const key = from?.map((value, at) =>
      table.keyColumns[at]?.type.kind === "bytes" ? Buffer.from(value, "latin1") : textOfKey(value),
    );
    const parameters = [String(nowMs), String(limit + 1), ...(key ?? [])];
    const onRow = (cells: readonly Cell[]): void => {
      rows.push(table.keyColumns.map((column, at) => textOfCell(column, cells[at] ?? null)));
    };
    await run([{ statement: key === undefined ? firstPage : nextPage, parameters, onRow }]);
    for (const row of rows) {
      const record = recordOfRow(plan, table, row);
      if (record !== null) records.push(record);
    }
    if (rows.length <= limit) break;
    from = rows.at(-1) as RowKey;
  }
  const page = records.slice(0, limit);
  return { records: page, next: records.length > limit ? (page.at(-1) ?? null) : null };
}

function keyOfRecord({ plan }: Mapping, table: MappedTable, record: Bytes): RowKey {
  const address = plan.rowOf(record);
  if (address?.table === table) return address.key;
  throw new StoreError("broken", `a page of ${table.schema.name} cannot begin there`);
}

function textOfKey(value: Bytes): string {
  return Buffer.from(value, "latin1").toString("utf8");
}
