/**
 * What a column of SQLite with NUMERIC affinity makes of a text. Pure.
 * https://www.sqlite.org/datatype3.html#type_affinity
 */
import type { Bytes } from "../../bytes.js";
import { integerWithin } from "./integer.js";
import { text } from "./text.js";
import { WrongValue } from "./wrong-value.js";

const numeric = /^[ \t-\r]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t-\r]*$/;
const two63 = 2 ** 63;

/** An integer where it is one within 64 bits, else a real as JavaScript writes it; what is no number stays as it is. */
export function affinity(value: Bytes): Bytes | WrongValue {
  const literal = numeric.exec(value)?.[1];
  if (literal === undefined) return text(null, false, value);
  const integer = integerWithin(64, literal);
  if (integer !== null) return integer;
  const real = Number(literal);
  // SQLite would keep it as infinite, which can be read and not be written again.
  if (!Number.isFinite(real)) return new WrongValue("is a number beyond the range of a float of 64 bits");
  if (!Number.isInteger(real) || real <= -two63 || real >= two63) return String(real) as Bytes;
  return BigInt(real).toString() as Bytes;
}
