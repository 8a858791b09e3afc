/**
 * The door of mapped tables: what the database would refuse or change is refused or changed here, before it is queued
 * (what is cached is what the database will give back). Pure; own tables take everything.
 */
import { textOfBytes, type Bytes } from "../bytes.js";
import type { Change, Fields, RecordChange } from "../change.js";
import { WriteBehindError } from "../errors.js";
import { canonical } from "./canonical.js";
import type { Column } from "./column.js";
import type { MappedTable } from "./mapped-table.js";
import { keyText } from "./pattern.js";

/** So much of a value is shown. */
const shownBytes = 40;

/** A value as the column of this field has it. Throws BAD_VALUE with column, type and value. */
export function valueFor(table: MappedTable | null, key: Bytes, field: Bytes, value: Bytes): Bytes {
  if (table === null) return value;
  const column = columnOf(table, key, field);
  const text = canonical(column.type, value);
  if (typeof text === "string") return text;
  const shown = value.length > shownBytes ? `${keyText(value.slice(0, shownBytes) as Bytes)}…` : keyText(value);
  throw badValue(key, `${shown} for ${nameOf(table, column)} ${text.why}`, "correct the value");
}

/** Fields as their columns have them. */
export function fieldsFor(table: MappedTable | null, key: Bytes, fields: Fields): Fields {
  if (table === null) return fields;
  const made = new Map<Bytes, Bytes>();
  for (const [field, value] of fields) made.set(field, valueFor(table, key, field, value));
  return made;
}

/** Throws BAD_VALUE where a field cannot be absent: its column takes no NULL. */
export function checkUnset(table: MappedTable | null, key: Bytes, field: Bytes): void {
  if (table === null) return;
  const column = columnOf(table, key, field);
  if (!column.nullable)
    throw badValue(key, `${nameOf(table, column)} takes no NULL, so the field cannot go`, "delete the whole record");
}

/** Throws BAD_VALUE where the records of a table cannot end. */
export function checkEnds(table: MappedTable | null, key: Bytes): void {
  if (table !== null && table.expiresAt === null)
    throw badValue(key, `rows of ${table.schema.name} do not expire`, "name a column for it: expiresAt in the route");
}

/** Throws BAD_VALUE where a new row would lack a column that must have a value. */
export function checkRows(changes: readonly (RecordChange & { readonly table: MappedTable | null })[]): void {
  for (const { table, record, change } of changes) if (table !== null) checkRow(table, record, change);
}

/** FLUSHALL empties the own tables and no other, so it cannot be had where routes map some. */
export function tablesStay(): WriteBehindError {
  return new WriteBehindError(
    "BAD_VALUE",
    "FLUSHALL and FLUSHDB are refused: routes map tables, which they do not empty",
    {
      hint: "delete the records by their keys",
    },
  );
}

function checkRow(table: MappedTable, record: Bytes, change: Change): void {
  if (change.kind !== "replace" || typeof change.content === "string") return;
  for (const [field, column] of table.needed)
    if (!change.content.has(field))
      throw badValue(
        record,
        `${nameOf(table, column)} has no value and no default`,
        "write it together with the others",
      );
}

/** Whether the row may hold more, or something else, than it was given: defaults, triggers, what is worked out. */
export function mayDiffer(table: MappedTable, change: Change): boolean {
  if (table.reloads) return change.kind !== "remove";
  if (change.kind !== "replace" || typeof change.content === "string") return false;
  const { content } = change;
  return table.defaulted.some((field) => !content.has(field));
}

function columnOf(table: MappedTable, key: Bytes, field: Bytes): Column {
  const column = table.fields.get(field);
  if (column === undefined) {
    const hint = `fields are ${[...table.fieldNames.keys()].join(", ")}`;
    throw badValue(key, table.whyNoField(textOfBytes(field)), hint);
  }
  if (column.generated) throw badValue(key, `${nameOf(table, column)} is worked out by the database`, "leave it out");
  return column;
}

function nameOf(table: MappedTable, { name, typeName }: Column): string {
  return `the column ${name} (${typeName}) of ${table.schema.name}`;
}

function badValue(key: Bytes, what: string, hint: string): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `${keyText(key)}: ${what}`, { hint });
}
