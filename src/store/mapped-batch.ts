/**
 * What a batch does to mapped tables, in the order in which a database takes it: the same for every database, and no
 * SQL. A batch has one change for each record, so the order of its log is gone; what comes first so that foreign keys
 * hold is decided here. Pure.
 */
import { textOfBytes, type Bytes } from "../bytes.js";
import type { Change, Fields, Merge, Replace } from "../change.js";
import { canonical } from "../routes/canonical.js";
import type { Column } from "../routes/column.js";
import type { MappedTable } from "../routes/mapped-table.js";
import { keyText } from "../routes/pattern.js";
import type { Plan, RowAddress } from "../routes/plan.js";
import { StoreError, type Batch } from "./store.js";

/** The values of a row's key, in the order of `table.keyColumns`. */
export type RowKey = readonly Bytes[];

/** A row that is written, and by what. */
export interface RowWrite {
  readonly record: Bytes;
  readonly key: RowKey;
  readonly change: Replace | Merge;
}

/**
 * One step: `delete` takes rows out so that they can be written anew, `write` writes rows in the order of their first
 * changes, `remove` makes rows be gone, by deleting or by marking them.
 */
export type MappedStep =
  | { readonly kind: "delete" | "remove"; readonly table: MappedTable; readonly keys: readonly RowKey[] }
  | { readonly kind: "write"; readonly table: MappedTable; readonly rows: readonly RowWrite[] };

/** A batch, divided. */
export interface DividedBatch {
  /** Changes of records that are in the own tables. */
  readonly own: ReadonlyMap<Bytes, Change>;
  /** What mapped tables get, step by step. */
  readonly steps: readonly MappedStep[];
}

/** What one table gets. */
interface TableWork {
  readonly table: MappedTable;
  readonly deletes: RowKey[];
  readonly writes: RowWrite[];
  readonly removes: RowKey[];
}

/**
 * Divides a batch. Of one frame, writes and removals stay in its order: what one row gives up another may take. Throws
 * `refused`, before anything was done, where rows of several frames would meet in an order that is not the log's (see
 * `refuseCascades`): the writer then gives them one after the other.
 */
export function divideBatch(plan: Plan, { rows, frames }: Pick<Batch, "rows" | "frames">): DividedBatch {
  const own = new Map<Bytes, Change>();
  const stretches: Map<MappedTable, TableWork>[] = [];
  let removing: boolean | null = null;
  for (const [record, change] of rows) {
    const address = plan.rowOf(record);
    if (address === null) {
      own.set(record, change);
      continue;
    }
    const removes = frames <= 1 && change.kind === "remove";
    if (removes !== removing) stretches.push(new Map());
    removing = removes;
    addChange(stretches.at(-1) as Map<MappedTable, TableWork>, address, record, change);
  }
  if (frames > 1) for (const works of stretches) refuseCascades(plan, works);
  return { own, steps: stretches.flatMap(stepsOf) };
}

function stepsOf(works: ReadonlyMap<MappedTable, TableWork>): MappedStep[] {
  const parentsFirst = inOrderOfReferences(works);
  const childrenFirst = parentsFirst.toReversed();
  return [
    ...childrenFirst.flatMap(({ table, deletes }) => keysStep("delete", table, deletes)),
    ...parentsFirst.flatMap(({ table, writes }): MappedStep[] =>
      writes.length === 0 ? [] : [{ kind: "write", table, rows: writes }],
    ),
    ...childrenFirst.flatMap(({ table, removes }) => keysStep("remove", table, removes)),
  ];
}

function addChange(
  works: Map<MappedTable, TableWork>,
  { table, key }: RowAddress,
  record: Bytes,
  change: Change,
): void {
  let work = works.get(table);
  if (work === undefined) works.set(table, (work = { table, deletes: [], writes: [], removes: [] }));
  if (change.kind === "remove") {
    work.removes.push(key);
    return;
  }
  // A row that is only marked as deleted stays where it is: everything in it is written anew, the mark is cleared.
  if (change.kind === "replace" && change.afterRemove && table.marks === null) work.deletes.push(key);
  work.writes.push({ record, key, change });
}

function keysStep(kind: "delete" | "remove", table: MappedTable, keys: readonly RowKey[]): MappedStep[] {
  return keys.length === 0 ? [] : [{ kind, table, keys }];
}

/**
 * Tables that others refer to come first. In a circle of references those count that are checked at once, and in a
 * circle of such ones the order of the first changes: no row of it can be written without one that is there.
 */
function inOrderOfReferences(works: ReadonlyMap<MappedTable, TableWork>): readonly TableWork[] {
  const left = new Map([...works.values()].map((work) => [work.table.schema.name, work]));
  const isFree = ({ table }: TableWork, atOnce: boolean): boolean =>
    table.schema.references.every(
      (reference) => reference.table === table.schema.name || !left.has(reference.table) || (atOnce && reference.waits),
    );
  const ordered: TableWork[] = [];
  while (left.size > 0) {
    const rest = [...left.values()];
    const next = rest.find((work) => isFree(work, false)) ?? rest.find((work) => isFree(work, true)) ?? rest[0];
    left.delete((next as TableWork).table.schema.name);
    ordered.push(next as TableWork);
  }
  return ordered;
}

/**
 * A row that is deleted takes its children along, or empties their references: also those that the batch writes, and
 * whether that was before or after only the log knows (promise 4). So such a batch is refused and halved until each
 * frame stands alone.
 */
function refuseCascades(plan: Plan, works: ReadonlyMap<MappedTable, TableWork>): void {
  for (const { table, deletes, removes } of works.values()) {
    if (deletes.length + (table.marks === null ? removes.length : 0) === 0) continue;
    for (const child of touchedByDeletes(plan, table)) {
      const work = works.get(child);
      if (work === undefined || (child === table && work.writes.length + work.removes.length < 2)) continue;
      throw new StoreError(
        "refused",
        `rows of ${table.schema.name} are deleted, and with them or in them the database changes rows of ` +
          `${child.schema.name}, which has changes of its own in the same batch`,
      );
    }
  }
}

/** Mapped tables whose rows the database may change when rows of this table are deleted. */
function touchedByDeletes(plan: Plan, table: MappedTable): ReadonlySet<MappedTable> {
  const touched = new Set<MappedTable>();
  const deleted = [table];
  for (let parent = deleted.pop(); parent !== undefined; parent = deleted.pop()) {
    for (const child of plan.tables) {
      const rules = child.schema.references.filter((reference) => reference.table === parent?.schema.name);
      if (!rules.some(({ onDelete }) => onDelete !== "refuse")) continue;
      if (rules.some(({ onDelete }) => onDelete === "cascade") && !touched.has(child)) deleted.push(child);
      touched.add(child);
    }
  }
  return touched;
}

/**
 * Columns that a change gives values to, in the order of the table, and the values as text; null is NULL. Changes with
 * one `shape` have one statement.
 */
export interface GivenColumns {
  readonly shape: string;
  readonly columns: readonly Column[];
  readonly values: readonly (Bytes | null)[];
}

const nothing: ReadonlySet<Bytes> = new Set();

/** No name of a column has it. */
const shapeSeparator = "\0";

/**
 * The columns that fields go to. What the database works out by itself is left to it. Throws `broken` for a field that
 * is no column any more.
 */
export function givenColumns(table: MappedTable, set: Fields, unset: ReadonlySet<Bytes> = nothing): GivenColumns {
  if (set.size === 1 && unset.size === 0) return givenColumn(table, set);
  const names: Bytes[] = [];
  const columns: Column[] = [];
  const values: (Bytes | null)[] = [];
  let known = 0;
  for (const [field, column] of table.fields) {
    const value = set.get(field) ?? null;
    if (value === null && !unset.has(field)) continue;
    known++;
    if (column.generated) continue;
    names.push(field);
    columns.push(column);
    values.push(value);
  }
  if (known < set.size + unset.size) {
    const unknown = [...set.keys(), ...unset].filter((field) => !table.fields.has(field));
    if (unknown.length > 0) throw unknownFields(table, unknown);
  }
  return { shape: names.join(shapeSeparator), columns, values };
}

/** One column: what nearly every change is that comes of a key that names one. */
function givenColumn(table: MappedTable, set: Fields): GivenColumns {
  const [first] = set;
  const [field, value] = first as [Bytes, Bytes];
  const column = table.fields.get(field);
  if (column === undefined) throw unknownFields(table, [field]);
  return column.generated
    ? { shape: "", columns: [], values: [] }
    : { shape: field, columns: [column], values: [value] };
}

function unknownFields(table: MappedTable, fields: readonly Bytes[]): StoreError {
  return new StoreError("broken", fields.map((field) => table.whyNoField(textOfBytes(field))).join("; "));
}

/** The fields of a replace. Throws `refused` where it makes the record a string: a row is a hash. */
export function fieldsOfReplace(table: MappedTable, record: Bytes, { content }: Replace): Fields {
  if (typeof content !== "string") return content;
  throw new StoreError("refused", `${keyText(record)} is a row of ${table.schema.name} and cannot be a string`);
}

/** Throws `refused` for an expiry that no column takes. */
export function refuseExpiry(table: MappedTable, record: Bytes): never {
  throw new StoreError(
    "refused",
    `${keyText(record)} cannot expire: no route of ${table.schema.name} names a column with expiresAt`,
  );
}

/**
 * The record of a row that was found, by its key; null where no key leads to the row: its values are not written as
 * keys are (others may write what they like), or hold what stands between placeholders.
 */
export function recordOfRow(plan: Plan, table: MappedTable, key: readonly (Bytes | null)[]): Bytes | null {
  const values: Bytes[] = [];
  for (const [at, value] of key.entries()) {
    const column = table.keyColumns[at] as Column;
    if (value === null || canonical(column.type, value) !== value) return null;
    values[table.keyOrder[at] as number] = value;
  }
  const record = table.recordOf(values);
  const named = plan.rowOf(record);
  return named !== null && named.table === table && named.key.every((value, at) => value === key[at]) ? record : null;
}
