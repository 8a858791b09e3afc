/**
 * A column's value: text everywhere in the engine, and here what is bound to a statement for it and what is read back.
 * SQLite's types belong to values, not to columns, so whatever somebody else has put into a column is read as it is.
 */
import { bufferOfBytes, bytesOfText, type Bytes } from "../../bytes.js";
import { canonical } from "../../routes/canonical.js";
import type { Column, ColumnType } from "../../routes/column.js";
import type { MappedTable } from "../../routes/mapped-table.js";
import { bytesOfCell, cellOfBytes, type Cell } from "./sqlite-cell.js";

/** What is bound for a value. */
export type Bound = Cell | number | bigint | null;

const integer = /^-?[0-9]+$/;
const fewDigits = 15;

/** What is bound for a value of a column; null is NULL. */
export function boundOf({ type, typeName }: Pick<Column, "type" | "typeName">, value: Bytes | null): Bound {
  if (value === null) return null;
  switch (type.kind) {
    case "integer":
      if (!integer.test(value)) return cellOfBytes(value);
      return value.length <= fewDigits ? Number(value) : boundOfLong(value);
    case "float":
      return boundOfFloat(value);
    case "boolean":
      return value === "true" ? 1 : value === "false" ? 0 : cellOfBytes(value);
    case "json":
      return boundOfJson(value);
    case "bytes":
      // A column without a type keeps text as text, and people read it.
      return isBlob(typeName) ? bufferOfBytes(value) : cellOfBytes(value);
    default:
      return cellOfBytes(value);
  }
}

/** What is bound for a row's key. */
export function boundKey({ keyColumns }: MappedTable, key: readonly Bytes[]): Bound[] {
  return keyColumns.map((column, at) => boundOf(column, key[at] as Bytes));
}

/** The text of a value that was read; null is NULL. Never fails: what is not of the column's type is given as it is. */
export function textOfRead(type: ColumnType, read: unknown): Bytes | null {
  if (read === null || read === undefined) return null;
  const plain = type.kind === "boolean" ? textOfBoolean(read) : bytesOfCell(read);
  const text = canonical(type, plain);
  return typeof text === "string" ? text : plain;
}

/**
 * The text of a column in a key of a row that was found. Null where no key leads to it: what others have put there is
 * not what is bound for the same text, so it would be looked for and not be found.
 */
export function textOfKey(column: Column, read: unknown): Bytes | null {
  if (read === null || read === undefined) return null;
  const text = column.type.kind === "boolean" ? textOfBoolean(read) : bytesOfCell(read);
  return storageOf(boundOf(column, text)) === storageOf(read) ? text : null;
}

function storageOf(value: unknown): "number" | "text" | "blob" {
  return typeof value === "string" ? "text" : value instanceof Uint8Array ? "blob" : "number";
}

/** More than 64 bits cannot be bound: SQLite makes of such a text what it can. */
function boundOfLong(value: Bytes): Bound {
  const number = BigInt(value);
  return BigInt.asIntN(64, number) === number ? number : value;
}

/**
 * SQLite reads the text of a number exactly, and the driver does not bind every number exactly: what lies less than
 * 2^-52 above an integer it takes for one. Of what is no number SQLite would make NULL.
 */
function boundOfFloat(value: Bytes): Bound {
  const number = Number(value);
  if (Number.isInteger(number) && value !== "") return number;
  return number - Math.floor(number) >= Number.EPSILON || Math.abs(number) === Infinity ? number : cellOfBytes(value);
}

/**
 * A column that is declared as JSON turns text that looks like a number into one, and digits may be lost: such a number
 * is kept as a blob, which SQLite's JSON functions read as well.
 */
function boundOfJson(value: Bytes): Cell {
  const number = Number(value);
  return Number.isNaN(number) || String(number) === value ? cellOfBytes(value) : bufferOfBytes(value);
}

function isBlob(typeName: string): boolean {
  return typeName.toUpperCase().includes("BLOB");
}

function textOfBoolean(read: unknown): Bytes {
  return read === 1n || read === 1 ? yes : read === 0n || read === 0 ? no : bytesOfCell(read);
}

const yes = bytesOfText("true");
const no = bytesOfText("false");

/** The moment in an `expiresAt` column, in milliseconds since 1970; null where there is none, or none is understood. */
export function momentOfRead(read: unknown): number | null {
  if (typeof read === "bigint" || typeof read === "number") return Number.isFinite(Number(read)) ? Number(read) : null;
  if (typeof read !== "string") return null;
  const iso = read.trim().replace(" ", "T");
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(iso) || !iso.includes("T") ? iso : `${iso}Z`;
  const ms = Date.parse(zoned);
  return Number.isNaN(ms) ? null : ms;
}

/** Whether moments in a column are numbers, milliseconds since 1970; else they are text as SQLite writes it. */
export function keepsMomentsAsNumbers({ kind }: ColumnType): boolean {
  return kind === "integer";
}

/** What is bound for a moment: in text the form of `datetime()`, UTC with milliseconds, so that the two compare. */
export function boundOfMoment({ type }: Column, ms: number | null): Bound {
  if (ms === null || keepsMomentsAsNumbers(type)) return ms;
  return new Date(ms).toISOString().replace("T", " ").replace("Z", "");
}
