/**
 * The one text that a value of a column has. Pure, and the same whatever database the column is in.
 * Two laws hold for every value that is accepted: canonical(canonical(x)) is canonical(x), and what a database gives
 * back for canonical(x) has the canonical text canonical(x) again: so what is cached is what is read after an eviction.
 * The rules of each kind are in canonical/, one file for kinds that are read alike.
 */
import { bufferOfBytes, type Bytes, bytesOfBuffer } from "../bytes.js";
import { affinity } from "./canonical/affinity.js";
import { decimal } from "./canonical/decimal.js";
import { float } from "./canonical/float.js";
import { integer } from "./canonical/integer.js";
import { json } from "./canonical/json.js";
import { text } from "./canonical/text.js";
import { date, time, timestamp } from "./canonical/time.js";
import { boolean, label, uuid } from "./canonical/words.js";
import { WrongValue } from "./canonical/wrong-value.js";
import type { ColumnType } from "./column.js";

/** So many bytes more than are counted may be kept. */
const partOfOtherMax = 64;

export { WrongValue } from "./canonical/wrong-value.js";

/**
 * The canonical text of a value, or why it is no value of the type. A client's text goes through here at the door, and
 * so does what was read from a database as text (PostgreSQL: DateStyle ISO, TimeZone UTC, bytea as its bytes; SQLite:
 * integers in decimal digits, reals as JavaScript writes a number).
 */
export function canonical(type: ColumnType, value: Bytes): Bytes | WrongValue {
  const found = canonicalOf(type, value);
  if (found instanceof WrongValue || found.length + partOfOtherMax >= value.length) return found;
  // A part of a string keeps all of it in memory, and the cache counts only the part (promise 8).
  return bytesOfBuffer(bufferOfBytes(found));
}

function canonicalOf(type: ColumnType, value: Bytes): Bytes | WrongValue {
  switch (type.kind) {
    case "integer":
      return integer(type.bits, value);
    case "decimal":
      return decimal(type.precision, type.scale, value);
    case "float":
      return float(type.bits, value);
    case "affinity":
      return affinity(value);
    case "boolean":
      return boolean(value);
    case "text":
      return text(type.charsMax, type.padded, value);
    case "bytes":
      return value;
    case "uuid":
      return uuid(value);
    case "enum":
      return label(type.labels, value);
    case "date":
      return date(value);
    case "time":
      return time(type.digits, value);
    case "timestamp":
      return timestamp(type.zone, type.digits, value);
    case "json":
      return json(type.verbatim, value);
    case "unknown":
      return new WrongValue("is of a type that is left alone");
  }
}
