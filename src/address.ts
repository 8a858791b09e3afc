/**
 * A key is an address: it resolves to a record, or to one field of one. Everything behind this line (cache, queue,
 * writer, store) knows records only, so two keys can never name the same cell without knowing it. Pure.
 */
import type { Bytes } from "./bytes.js";
import type { MappedTable } from "./routes/mapped-table.js";

/** Where a key leads: the record, and the field of it where the key names only a field. */
export interface Address {
  readonly record: Bytes;
  readonly field: Bytes | null;
  /** The mapped table that has the record's row; null where it is in the own tables. */
  readonly table: MappedTable | null;
  /** The record is in the cache and nowhere else (`store: none`). */
  readonly cacheOnly: boolean;
}

/** Resolves a key. Without routes a key is its own record. */
export type Resolve = (key: Bytes) => Address;

/** The resolver without routes. */
export const keyIsRecord: Resolve = (key) => ({ record: key, field: null, table: null, cacheOnly: false });
