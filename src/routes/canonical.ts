/** The one text that a value of a column has. Pure. (A first form: the full one is in the making.) */
import type { Bytes } from "../bytes.js";
import type { ColumnType } from "./column.js";

/** Why bytes are no value of a column's type: the end of a sentence that began with the value. */
export class WrongValue {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/**
 * The text that the database gives back for a value that was given as this text, or why it is no value of the type.
 * What was read from a database goes through here too, so both are the same: canonical(canonical(x)) is canonical(x).
 */
export function canonical(type: ColumnType, value: Bytes): Bytes | WrongValue {
  if (type.kind === "integer" && !/^(0|-?[1-9][0-9]*)$/.test(value)) return new WrongValue("is not an integer");
  return value;
}
