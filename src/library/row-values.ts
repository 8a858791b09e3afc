/** The values of a typed row: what a program has in hand, and the text of the column. Pure. */
import { bufferOfBytes, bytesOfBuffer, bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";
import type { Column } from "../routes/column.js";

/** The text of a value for a column. That it is one of the column's the door sees to. Throws BAD_VALUE. */
export function textOfTyped({ name, typeName, type }: Column, value: unknown): Bytes {
  if (type.kind === "json") {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return bytesOfText(text);
  }
  if (typeof value === "string") return bytesOfText(value);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return String(value) as Bytes;
  if (value instanceof Uint8Array) return bytesOfBuffer(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) {
    const iso = value.toISOString();
    if (type.kind === "date") return iso.slice(0, iso.indexOf("T")) as Bytes;
    return (type.kind === "timestamp" && !type.zone ? iso.slice(0, -1) : iso) as Bytes;
  }
  const what = typeof value === "object" ? (value?.constructor.name ?? "null") : typeof value;
  throw new WriteBehindError("BAD_VALUE", `the column ${name} (${typeName}) takes no ${what}`, {
    hint: "give it a string, number, bigint, boolean, Date or Uint8Array; objects go into json columns",
  });
}

/**
 * The value of a column's text: numbers for integers (a bigint beyond 2^53) and floats, booleans, dates and moments as
 * Date (without a zone: in UTC), what JSON says, bytes; everything else, exact decimals too, as text.
 */
export function typedOfText({ type }: Column, value: Bytes): unknown {
  switch (type.kind) {
    case "integer": {
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : BigInt(value);
    }
    case "float":
      return Number(value);
    case "boolean":
      return value === "true";
    case "date":
      return dateOr(value, `${value}T00:00:00Z`);
    case "timestamp":
      return dateOr(value, type.zone ? value : `${value}Z`);
    case "json":
      return JSON.parse(textOfBytes(value));
    case "bytes":
      return bufferOfBytes(value);
    default:
      return textOfBytes(value);
  }
}

/** `infinity`, and what else is no moment of JavaScript's, stays text. */
function dateOr(value: Bytes, iso: string): Date | string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? textOfBytes(value) : date;
}
