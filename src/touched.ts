/** What a workspace knows of one record, and what it has done to it. Pure. */
import type { Address } from "./address.js";
import type { Bytes } from "./bytes.js";
import { compose, type Change, type Fields, type RecordValue } from "./change.js";
import type { FieldsDraft } from "./fields-draft.js";
import type { MappedTable } from "./routes/mapped-table.js";

/**
 * A record in a workspace. `value` undefined: not known. A hash is what memory holds, or a draft over it. A class,
 * because it lives until its change is kept (docs/decisions/0020).
 */
export class Touched {
  readonly record: Bytes;
  readonly table: MappedTable | null;
  readonly cacheOnly: boolean;
  value: RecordValue | null | undefined;
  change: Change | null = null;
  /** Which change of this work was its first. */
  changedAt = 0;
  /** The fields in `change`, where it has any. */
  draft: FieldsDraft | null = null;

  constructor({ record, table, cacheOnly }: Address, value: RecordValue | null | undefined) {
    this.record = record;
    this.table = table;
    this.cacheOnly = cacheOnly;
    this.value = value;
  }
}

/** The fields of what is a hash. */
export function hashOf(value: Touched["value"]): Fields | null {
  return value === undefined || value === null || typeof value.content === "string" ? null : value.content;
}

/** One change with the effect of what the work did to a record before, and then of this. */
export function composed(older: Change | null, newer: Change): Change {
  return older === null ? newer : compose(older, newer);
}

/** The change that a merge makes of a record without a draft. Its maps are the ones given: they become the draft's. */
export function merged({ value, change }: Touched, set: Fields, unset: ReadonlySet<Bytes>): Change {
  // On a record known to be absent, expired or deleted the change is always a whole one.
  if (value === null) return { kind: "replace", content: set, expiresAt: null, afterRemove: true };
  // Only a string can be here: a hash that this work made has a draft.
  if (change?.kind === "replace") return { ...change, content: set };
  return composed(change, { kind: "merge", fields: { set, unset }, expiresAt: undefined });
}
