/**
 * How values travel to PostgreSQL and back. A column of a batch is one array parameter in binary form: half as long as
 * text, and nothing is escaped. Answers come as text (the driver knows no other), where bytea is hexadecimal. Source
 * of the array format: array_send in PostgreSQL's src/backend/utils/adt/arrayfuncs.c.
 */
import type { Bytes } from "../../bytes.js";

/** What is bound to a parameter: a buffer in binary form, else text. */
export type Parameter = string | Buffer | null;

/** A field of an answer. */
export type Cell = string | null;

const byteaOid = 17;
const int8Oid = 20;
const textOid = 25;
/** Dimensions, whether there are nulls, the elements' type; then length and lower bound of the one dimension. */
const headerBytes = 20;

/** Bytes as a parameter. */
export function bytea(bytes: Bytes): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** A column of bytes. */
export function byteaArray(values: readonly (Bytes | null)[]): Buffer {
  return bytesArray(byteaOid, values);
}

/** A column of texts that are there as the bytes of their UTF-8. The server refuses what is none, and zero bytes. */
export function utf8Array(values: readonly (Bytes | null)[]): Buffer {
  return bytesArray(textOid, values);
}

function bytesArray(oid: number, values: readonly (Bytes | null)[]): Buffer {
  let size = headerBytes;
  for (const value of values) size += 4 + (value === null ? 0 : value.length);
  const buffer = arrayOf(oid, values.length, size);
  let offset = headerBytes;
  for (const value of values) {
    offset = buffer.writeInt32BE(value === null ? -1 : value.length, offset);
    if (value !== null) offset += buffer.write(value, offset, "latin1");
  }
  return buffer;
}

/** A column of whole numbers. */
export function int8Array(values: readonly (number | null)[]): Buffer {
  let size = headerBytes;
  for (const value of values) size += value === null ? 4 : 12;
  const buffer = arrayOf(int8Oid, values.length, size);
  let offset = headerBytes;
  for (const value of values) {
    offset = buffer.writeInt32BE(value === null ? -1 : 8, offset);
    if (value === null) continue;
    offset = buffer.writeInt32BE(Math.floor(value / 2 ** 32), offset);
    offset = buffer.writeUInt32BE(value >>> 0, offset);
  }
  return buffer;
}

/** A column of texts. PostgreSQL's text has no zero character: one that is there becomes U+FFFD. */
export function textArray(values: readonly (string | null)[]): Buffer {
  const parts = values.map((value) => (value === null ? null : Buffer.from(value.replaceAll("\0", "\ufffd"), "utf8")));
  let size = headerBytes;
  for (const part of parts) size += 4 + (part === null ? 0 : part.length);
  const buffer = arrayOf(textOid, values.length, size);
  let offset = headerBytes;
  for (const part of parts) {
    offset = buffer.writeInt32BE(part === null ? -1 : part.length, offset);
    if (part !== null) offset += part.copy(buffer, offset);
  }
  return buffer;
}

function arrayOf(oid: number, length: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}

/** The bytes of a bytea cell (`\x…`). A cell that somebody else has emptied reads as no bytes. */
export function bytesOfCell(cell: Cell): Bytes {
  return (cell === null ? "" : Buffer.from(cell.slice(2), "hex").toString("latin1")) as Bytes;
}

/** The number in a cell. */
export function numberOfCell(cell: Cell): number {
  return Number(cell);
}

/** The number in a cell, or null. */
export function numberOrNull(cell: Cell): number | null {
  return cell === null ? null : Number(cell);
}
