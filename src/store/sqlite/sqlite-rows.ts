/** Brings changes into the rows of the own tables: `apply` of change.ts, said in statements. */
import type { Bytes } from "../../bytes.js";
import type { Change, Fields, Merge, Replace } from "../../change.js";
import { cellOfBytes, type Cell } from "./sqlite-cell.js";
import type { SqliteConnection, Statements } from "./sqlite-connection.js";
import { rowStatements } from "./sqlite-statements.js";

/** So many expired rows go with one commit. */
const sweepRowsMax = 1000;

/** Writes rows through one connection, inside a transaction that the caller has begun. */
export class SqliteRows {
  readonly #run: Statements<keyof typeof rowStatements>;

  constructor(connection: SqliteConnection) {
    this.#run = connection.prepareAll(rowStatements);
  }

  /** Brings every change into its record's rows, in the order of the keys: neighbours lie in the same pages. */
  writeAll(changes: ReadonlyMap<Bytes, Change>): void {
    for (const record of [...changes.keys()].toSorted()) this.#write(record, changes.get(record) as Change);
  }

  #write(record: Bytes, change: Change): void {
    const key = cellOfBytes(record);
    if (change.kind === "replace") this.#replace(key, change);
    else if (change.kind === "merge") this.#merge(key, change);
    else this.#remove(key);
  }

  /** Deletes rows that expired at or before this log time, the oldest first, but none of a parked record. */
  sweep(upTo: number): void {
    const rows = this.#run.expired.all(upTo, sweepRowsMax) as { key: Cell }[];
    for (const { key } of rows) this.#remove(key);
  }

  /** Empties the own tables. */
  clear(): void {
    this.#run.clearRows.run();
    this.#run.clearFields.run();
  }

  #replace(key: Cell, { content, expiresAt, afterRemove }: Replace): void {
    if (afterRemove) this.#remove(key);
    if (typeof content !== "string") {
      this.#run.putHash.run(key, expiresAt);
      this.#run.deleteFields.run(key);
      this.#putFields(key, content);
      return;
    }
    const value = cellOfBytes(content);
    if (this.#putString(key, value, expiresAt)) return;
    // There was a hash: it goes with all its fields.
    this.#remove(key);
    this.#putString(key, value, expiresAt);
  }

  #putString(key: Cell, value: Cell, expiresAt: number | null): boolean {
    const { putString, putStringUntil } = this.#run;
    const done = expiresAt === null ? putString.run(key, value) : putStringUntil.run(key, value, expiresAt);
    return done.changes > 0;
  }

  #merge(key: Cell, { fields, expiresAt }: Merge): void {
    if (fields === null) {
      if (expiresAt === undefined) this.#run.touch.run(key);
      else this.#run.putExpiry.run(key, expiresAt);
      return;
    }
    if (expiresAt === undefined) this.#run.makeHash.run(key);
    else this.#run.putHash.run(key, expiresAt);
    for (const field of fields.unset) this.#run.deleteField.run(key, cellOfBytes(field));
    this.#putFields(key, fields.set);
  }

  #putFields(key: Cell, fields: Fields): void {
    for (const [field, value] of fields) this.#run.putField.run(key, cellOfBytes(field), cellOfBytes(value));
  }

  #remove(key: Cell): void {
    const deleted = this.#run.deleteRow.get(key) as { type: string } | undefined;
    if (deleted !== undefined && deleted.type !== "string") this.#run.deleteFields.run(key);
  }
}
