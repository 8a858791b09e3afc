/**
 * Brings a batch into the rows of mapped tables, in steps that go with all others of its transaction. What comes in
 * which order is decided in mapped-batch.ts.
 */
import type { Bytes } from "../../bytes.js";
import type { Fields } from "../../change.js";
import type { Column } from "../../routes/column.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import {
  fieldsOfReplace,
  givenColumns,
  refuseExpiry,
  type GivenColumns,
  type MappedStep,
  type RowKey,
  type RowWrite,
} from "../mapped-batch.js";
import { int8Array, numberOfCell, type Parameter } from "./postgres-cell.js";
import type { Mapping } from "./postgres-mapped.js";
import { inParts } from "./postgres-parts.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statement } from "./postgres-statements.js";
import { boundKeys, bytesOfKey } from "./postgres-table-reads.js";
import type { TableSql } from "./postgres-table-sql.js";
import { boundOf } from "./postgres-value.js";

/** So many expired rows of a table go with one commit. */
const sweepRowsMax = 1000;
/** After as many rows that may not go a table is left alone for a while: each has cost a commit. */
const sweepFailuresMax = 16;
/** How long a table is left alone that cannot be swept cheaply, or has rows that may not go. Log time, milliseconds. */
const sweepRestMs = 60_000;

const noFields: Fields = new Map<Bytes, Bytes>();
const nothingGiven: GivenColumns = { shape: "", columns: [], values: [] };
/** No name of a column has it. */
const unsetSeparator = "\0\0";

/** A row of a statement. */
interface Bound {
  readonly key: RowKey;
  readonly values: readonly (Bytes | null)[];
  readonly expiresAt: number | null;
}

/** Rows of one statement. */
interface Group {
  readonly statement: Statement;
  readonly columns: readonly Column[];
  readonly ends: boolean;
  readonly rows: Bound[];
}

/** How far a table's expired rows have gone. */
interface Sweeping {
  /** In log time. */
  notBefore: number;
  /** How many rows go at once: fewer after a failure, until the row is found that may not go. */
  rows: number;
  /** How many of the oldest are left out, for they may not go. */
  leftOut: number;
}

/** Steps that write the mapped rows of one database. */
export class PostgresTableWrites {
  readonly #tables: ReadonlyMap<MappedTable, TableSql>;
  readonly #sweeping: ReadonlyMap<TableSql, Sweeping>;

  constructor({ sql }: Pick<Mapping, "sql">) {
    this.#tables = sql;
    this.#sweeping = new Map(
      [...sql.values()].map((table) => [table, { notBefore: -Infinity, rows: sweepRowsMax, leftOut: 0 }]),
    );
  }

  /**
   * The steps of a batch. `oneByOne`: each row by a statement of its own, in their order, so that a value that is free
   * only after an earlier change finds it so: what one frame does is refused only if it is to be.
   */
  write(steps: readonly MappedStep[], oneByOne: boolean): Step[] {
    return steps.flatMap((step) => {
      const sql = this.#tables.get(step.table) as TableSql;
      if (step.kind === "write") return writeSteps(sql, step.rows, oneByOne);
      const statement = step.kind === "delete" ? sql.deleteRows : sql.removeRows;
      return inParts(step.keys, bytesOfKey).map((keys) => ({ statement, parameters: boundKeys(step.table, keys) }));
    });
  }

  /** Steps that remove rows that expired at or before this log time, none of them of a parked record. */
  sweep(upTo: number): Step[] {
    return [...this.#sweeping].flatMap(([{ sweep, endsAreIndexed }, sweeping]) => {
      if (sweep === null || upTo < sweeping.notBefore) return [];
      const { rows, leftOut } = sweeping;
      const onRow: Step["onRow"] = ([expired = null]) => {
        // Called before the commit: where that fails, rows wait a little longer for the next sweep.
        const all = numberOfCell(expired) === rows;
        sweeping.rows = Math.min(sweepRowsMax, rows * 2);
        if (all) return;
        if (!endsAreIndexed || leftOut > 0) sweeping.notBefore = upTo + sweepRestMs;
        sweeping.leftOut = 0;
      };
      return [{ statement: sweep, parameters: [upTo, rows, leftOut].map(String), onRow }];
    });
  }

  /** Whether a step was a sweep. Its rows may not go: fewer of them are tried next, and one alone is left out. */
  hasFailedSweep(step: Step | null, upTo: number): boolean {
    for (const [{ sweep }, sweeping] of this.#sweeping) {
      if (sweep === null || step?.statement !== sweep) continue;
      if (sweeping.rows > 1) sweeping.rows = Math.floor(sweeping.rows / 2);
      else if (++sweeping.leftOut % sweepFailuresMax === 0) sweeping.notBefore = upTo + sweepRestMs;
      return true;
    }
    return false;
  }
}

function writeSteps(sql: TableSql, rows: readonly RowWrite[], oneByOne: boolean): Step[] {
  const groups: Group[] = [];
  const byShape = new Map<Statement, Group>();
  for (const row of rows) {
    const { bound, ...shape } = shapeOf(sql, row);
    let group = oneByOne ? undefined : byShape.get(shape.statement);
    if (group === undefined) {
      group = { ...shape, rows: [] };
      groups.push(group);
      byShape.set(shape.statement, group);
    }
    group.rows.push(bound);
  }
  return groups.flatMap((group) =>
    inParts(group.rows, bytesOfRow).map((part) => ({
      statement: group.statement,
      parameters: parametersOf(sql.table, group, part),
    })),
  );
}

/** The statement of a change, and what is bound to it. */
function shapeOf(sql: TableSql, { record, key, change }: RowWrite): Omit<Group, "rows"> & { readonly bound: Bound } {
  const { table } = sql;
  const expiresAt = change.expiresAt ?? null;
  if (expiresAt !== null && table.expiresAt === null) refuseExpiry(table, record);
  if (change.kind === "replace") {
    const { shape, columns, values } = givenColumns(table, fieldsOfReplace(table, record, change));
    const ends = table.expiresAt !== null;
    return { statement: sql.upsert(shape, columns), columns, ends, bound: { key, values, expiresAt } };
  }
  const { fields } = change;
  const set = fields === null ? nothingGiven : givenColumns(table, fields.set);
  const hasUnset = fields !== null && fields.unset.size > 0;
  const unset = hasUnset ? givenColumns(table, noFields, fields.unset) : nothingGiven;
  const ends = table.expiresAt !== null && change.expiresAt !== undefined;
  const shape = hasUnset ? `${set.shape}${unsetSeparator}${unset.shape}` : set.shape;
  const statement = sql.merge(shape, set.columns, unset.columns, ends);
  return { statement, columns: set.columns, ends, bound: { key, values: set.values, expiresAt } };
}

function parametersOf(table: MappedTable, { columns, ends }: Group, rows: readonly Bound[]): Parameter[] {
  const parameters: Parameter[] = boundKeys(
    table,
    rows.map(({ key }) => key),
  );
  for (const [at, column] of columns.entries())
    parameters.push(
      boundOf(
        column,
        rows.map(({ values }) => values[at] ?? null),
      ),
    );
  if (ends) parameters.push(int8Array(rows.map(({ expiresAt }) => expiresAt)));
  return parameters;
}

function bytesOfRow({ key, values }: Bound): number {
  let bytes = bytesOfKey(key);
  for (const value of values) bytes += value?.length ?? 0;
  return bytes;
}
