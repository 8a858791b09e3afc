/** What a workspace refuses for what it is, wherever the record's row may be: types, ends, sizes. Pure. */
import type { Address } from "./address.js";
import type { Bytes } from "./bytes.js";
import type { Content, Fields } from "./change.js";
import { WriteBehindError } from "./errors.js";

/** Fields of one hash at the most: V8's Map has 2^24 places, and half of them may be those of fields that left. */
export const fieldsMax = 2 ** 23;

/** Throws TOO_LARGE where a hash would have too many fields. */
export function checkFieldCount(key: Bytes, there: Fields, fields: Fields): void {
  if (there.size + fields.size <= fieldsMax) return;
  let count = there.size;
  for (const field of fields.keys()) if (!there.has(field)) count += 1;
  if (count <= fieldsMax) return;
  throw new WriteBehindError(
    "TOO_LARGE",
    `${JSON.stringify(key)} would have ${count} fields; the most is ${fieldsMax}`,
    {
      hint: "spread them over several hashes",
    },
  );
}

/** The fields of a hash. Throws WRONG_TYPE on a string. */
export function fieldsOf(content: Content, key: Bytes): Fields {
  if (typeof content === "string") throw wrongType(key, "a string", "a hash");
  return content;
}

/** The key holds something else than the operation needs. */
export function wrongType(key: Bytes, is: string, asked: string): WriteBehindError {
  return new WriteBehindError("WRONG_TYPE", `${JSON.stringify(key)} holds ${is}, the operation needs ${asked}`);
}

/**
 * A value of another key as this one can hold it, without columns that the database works out. Throws BAD_VALUE where
 * one is a string and the other a hash; the table's own door has yet to look at each field.
 */
export function contentFor({ field, table }: Address, key: Bytes, content: Content): Content {
  if (typeof content === "string") {
    if (field !== null || table === null) return content;
    throw cannotHold(key, `a row of ${table.schema.name}`, "a string", "name one of its columns");
  }
  if (field !== null) throw cannotHold(key, "one field of a record", "a hash", "name a whole record");
  if (table === null) {
    if (content.size > 0) return content;
    throw cannotHold(key, "a record of the own tables", "a row without fields", "set one of its fields first");
  }
  return new Map([...content].filter(([name]) => table.fields.get(name)?.generated !== true));
}

function cannotHold(key: Bytes, is: string, what: string, hint: string): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `${JSON.stringify(key)} is ${is} and cannot hold ${what}`, { hint });
}

/** One field cannot end by itself. */
export function fieldExpiry(key: Bytes): WriteBehindError {
  return new WriteBehindError(
    "BAD_VALUE",
    `${JSON.stringify(key)} is one field of a record and cannot expire by itself`,
    {
      hint: "set the expiry of the whole record",
    },
  );
}

/** A moment beyond 2^53 ms (the year 287396) is not exact, and a database's row with it could not be read. */
export function checkEnd(record: Bytes, expiresAt: number): void {
  if (expiresAt <= Number.MAX_SAFE_INTEGER) return;
  throw new WriteBehindError("BAD_VALUE", `${JSON.stringify(record)} would end at ${expiresAt}, beyond 2^53 ms`, {
    hint: "let it end sooner, or never",
  });
}

/** FLUSHALL is a frame of its own. */
export function changeAfterClear(): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", "a change cannot follow FLUSHALL or FLUSHDB in one transaction", {
    hint: "send it after the transaction",
  });
}
