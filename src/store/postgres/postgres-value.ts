/**
 * A column's value: text everywhere in the engine. Texts are bound as arrays of text, and the statement makes them what
 * the column takes; bytes are bound as they are. Answers are text, read with `textSettings` in force.
 */
import { bytesOfText, type Bytes } from "../../bytes.js";
import { canonical } from "../../routes/canonical.js";
import type { Column } from "../../routes/column.js";
import { byteaArray, bytesOfCell, utf8Array, type Cell, type Parameter } from "./postgres-cell.js";

/** What is bound for the values of a column; null is NULL. */
export function boundOf({ type }: Column, values: readonly (Bytes | null)[]): Parameter {
  return type.kind === "bytes" ? byteaArray(values) : utf8Array(values);
}

/** The type of that parameter. */
export function boundType({ type }: Column): string {
  return type.kind === "bytes" ? "bytea[]" : "text[]";
}

/** What is selected of a column to be read as text. */
export function readable({ type }: Column, expression: string): string {
  return type.kind === "bytes" ? expression : `${expression}::text`;
}

/** The text of a value that was read; null is NULL. Never fails: what is not of the column's type is given as it is. */
export function textOfCell({ type }: Column, cell: Cell): Bytes | null {
  if (cell === null) return null;
  if (type.kind === "bytes") return bytesOfCell(cell);
  const plain = bytesOfText(cell);
  const text = canonical(type, plain);
  return typeof text === "string" ? text : plain;
}

/** A moment in milliseconds since 1970 (bigint) as a column has it. Exact: no number with a point is in between. */
export function momentIn({ type }: Column, ms: string): string {
  if (type.kind === "integer") return ms;
  const day = 86_400_000;
  const plain = `(timestamp 'epoch' + (${ms} / ${day}) * interval '1 day' + (${ms} % ${day}) * interval '1 millisecond')`;
  return type.kind === "timestamp" && type.zone ? `(${plain} AT TIME ZONE 'UTC')` : plain;
}

/** A column's moment in milliseconds since 1970. */
export function millisecondsOf({ type }: Column, expression: string): string {
  return type.kind === "integer" ? expression : `floor(extract(epoch FROM ${expression}) * 1000)`;
}

/** The database's own time as a column has it. Times without a zone are UTC. */
export function nowIn({ type }: Column): string {
  if (type.kind === "integer") return "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
  if (type.kind === "timestamp" && type.zone) return "clock_timestamp()";
  return "clock_timestamp() AT TIME ZONE 'UTC'";
}

/** The moment that was read; null where there is none. A moment without end is none; one before all times is past. */
export function momentOfCell(cell: Cell): number | null {
  if (cell === null) return null;
  const ms = Number(cell);
  return Number.isFinite(ms) ? ms : ms < 0 ? 0 : null;
}
