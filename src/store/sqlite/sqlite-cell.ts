/**
 * How bytes lie in a cell: as text where they are valid UTF-8, so that a person with the sqlite3 shell reads
 * `user:1:name|string|Alice`, else as a blob. Each byte string has exactly one form, so a key is found again.
 */
import { isUtf8 } from "node:buffer";
import { bytesOfBuffer, bytesOfText, type Bytes } from "../../bytes.js";

/** What is bound to a statement. */
export type Cell = string | Uint8Array;

// A text with a zero byte ends there for SQLite's C interface: such bytes are a blob.
const plainText = /^[\x01-\x7f]*$/;

/** The cell for bytes. */
export function cellOfBytes(bytes: Bytes): Cell {
  if (plainText.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, "latin1");
  return !isUtf8(buffer) || buffer.includes(0) ? buffer : buffer.toString("utf8");
}

/** The bytes in a cell. A cell that somebody else has emptied reads as no bytes, a number as its digits. */
export function bytesOfCell(cell: unknown): Bytes {
  if (typeof cell === "string") return bytesOfText(cell);
  if (cell instanceof Uint8Array) return bytesOfBuffer(cell);
  return bytesOfText(typeof cell === "number" || typeof cell === "bigint" ? String(cell) : "");
}
