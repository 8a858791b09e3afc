/** Reads records and pages of keys from the own tables. */
import { bufferOfBytes, type Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import { rowIdOf } from "../own-tables.js";
import type { Page, ReachedMark } from "../store.js";
import { bytesOfCell, cellOfBytes, type Cell } from "./sqlite-cell.js";
import type { SqliteConnection, Statements } from "./sqlite-connection.js";
import { readStatements } from "./sqlite-statements.js";

interface PositionRow {
  readonly log_id: string | null;
  readonly sequence: number;
  readonly generation: number;
}

/** Reads through one connection, inside a transaction that the caller has begun. */
export class SqliteReads {
  readonly #run: Statements<keyof typeof readStatements>;

  constructor(connection: SqliteConnection) {
    this.#run = connection.prepareAll(readStatements);
    // A hash may have a million fields: an object for each would cost half as much time again.
    this.#run.fields.setReturnArrays(true);
  }

  /** How far a partition has been committed, at the same moment as everything else that is read. */
  position(partition = 0): ReachedMark | null {
    const row = this.#run.position.get(rowIdOf(partition)) as PositionRow | undefined;
    if (row === undefined || row.log_id === null) return null;
    const { log_id: logId, sequence, generation } = row;
    return { logId, sequence, generation };
  }

  /** The record's value, or null where it has no row. */
  value(record: Bytes): RecordValue | null {
    const key = cellOfBytes(record);
    const row = this.#run.row.get(key) as { type: string; value: unknown; expires_at: number | null } | undefined;
    if (row === undefined) return null;
    if (row.type !== "hash") return { content: bytesOfCell(row.value), expiresAt: row.expires_at };
    const fields = this.#run.fields.all(key) as unknown as [field: unknown, value: unknown][];
    const content = new Map(fields.map(([field, value]) => [bytesOfCell(field), bytesOfCell(value)]));
    return { content, expiresAt: row.expires_at };
  }

  /** One page of live keys in the order of their bytes. */
  page(after: Bytes | null, limit: number, nowMs: number): Page {
    const { textKeys, textKeysAfter, blobKeys, blobKeysAfter } = this.#run;
    const start = after === null ? null : bufferOfBytes(after);
    // One more than asked from each range tells whether there is another page.
    const texts = start === null ? textKeys.all(nowMs, limit + 1) : textKeysAfter.all(start, nowMs, limit + 1);
    const blobs = start === null ? blobKeys.all(nowMs, limit + 1) : blobKeysAfter.all(start, nowMs, limit + 1);
    const found = merged(keysOf(texts), keysOf(blobs));
    const records = found.slice(0, limit);
    return { records, next: found.length > limit ? (records.at(-1) ?? null) : null };
  }
}

function keysOf(rows: readonly unknown[]): Bytes[] {
  return (rows as readonly { key: Cell }[]).map(({ key }) => bytesOfCell(key));
}

/** Two ranges, each in order, as one. */
function merged(a: readonly Bytes[], b: readonly Bytes[]): Bytes[] {
  return a.length === 0
    ? [...b]
    : b.length === 0
      ? [...a]
      : [...a, ...b].toSorted((x, y) => (x < y ? -1 : x > y ? 1 : 0));
}
