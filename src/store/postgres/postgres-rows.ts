/**
 * Brings changes into the rows of the own tables: `apply` of change.ts, said in steps. One statement does for all
 * changes of a kind, so a batch is a handful of them however many records it has.
 */
import type { Bytes } from "../../bytes.js";
import type { Change, Fields, Merge, Replace } from "../../change.js";
import { byteaArray, int8Array } from "./postgres-cell.js";
import { inParts } from "./postgres-parts.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statement, Statements } from "./postgres-statements.js";

/** So many expired rows go with one commit. */
const sweepRowsMax = 1000;

interface StringRow {
  readonly key: Bytes;
  readonly value: Bytes;
  readonly expiresAt: number | null;
}

interface HashRow {
  readonly key: Bytes;
  readonly expiresAt: number | null;
}

interface FieldRow {
  readonly key: Bytes;
  readonly field: Bytes;
  readonly value: Bytes;
}

/** The changes of a batch, by what is to be done. Every list is in the order of the keys. */
class Sorted {
  readonly gone: Bytes[] = [];
  readonly emptied: Bytes[] = [];
  readonly strings: StringRow[] = [];
  readonly newHashes: HashRow[] = [];
  readonly hashes: HashRow[] = [];
  readonly expiries: HashRow[] = [];
  readonly touched: HashRow[] = [];
  readonly unset: Pick<FieldRow, "key" | "field">[] = [];
  readonly set: FieldRow[] = [];

  add(key: Bytes, change: Change): void {
    if (change.kind === "replace") this.#replace(key, change);
    else if (change.kind === "merge") this.#merge(key, change);
    else this.gone.push(key);
  }

  #replace(key: Bytes, { content, expiresAt, afterRemove }: Replace): void {
    (afterRemove ? this.gone : this.emptied).push(key);
    if (typeof content === "string") {
      this.strings.push({ key, value: content, expiresAt });
      return;
    }
    this.newHashes.push({ key, expiresAt });
    this.#setFields(key, content);
  }

  #merge(key: Bytes, { fields, expiresAt }: Merge): void {
    const row = { key, expiresAt: expiresAt ?? null };
    if (fields === null) (expiresAt === undefined ? this.touched : this.expiries).push(row);
    else {
      (expiresAt === undefined ? this.hashes : this.newHashes).push(row);
      for (const field of fields.unset) this.unset.push({ key, field });
      this.#setFields(key, fields.set);
    }
  }

  #setFields(key: Bytes, fields: Fields): void {
    for (const [field, value] of fields) this.set.push({ key, field, value });
  }
}

/** Steps that write the rows of one database. */
export class PostgresRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Brings every change into its record's rows, in the order of the keys: neighbours lie in the same pages. */
  writeAll(changes: ReadonlyMap<Bytes, Change>): Step[] {
    const sorted = new Sorted();
    for (const record of [...changes.keys()].toSorted()) sorted.add(record, changes.get(record) as Change);
    const { deleteRows, deleteFieldsOf, putStrings, putHashes, makeHashes } = this.#statements;
    const { putExpiries, touch, deleteFields, putFields } = this.#statements;
    return [
      ...keySteps(deleteRows, sorted.gone),
      ...keySteps(deleteFieldsOf, sorted.emptied),
      ...inParts(sorted.strings, ({ key, value }) => key.length + value.length).map((rows) => ({
        statement: putStrings,
        parameters: [keysOf(rows), byteaArray(rows.map(({ value }) => value)), expiriesOf(rows)],
      })),
      ...hashSteps(putHashes, sorted.newHashes),
      ...hashSteps(makeHashes, sorted.hashes),
      ...hashSteps(putExpiries, sorted.expiries),
      ...hashSteps(touch, sorted.touched),
      ...inParts(sorted.unset, ({ key, field }) => key.length + field.length).map((rows) => ({
        statement: deleteFields,
        parameters: [keysOf(rows), byteaArray(rows.map(({ field }) => field))],
      })),
      ...inParts(sorted.set, ({ key, field, value }) => key.length + field.length + value.length).map((rows) => ({
        statement: putFields,
        parameters: [
          keysOf(rows),
          byteaArray(rows.map(({ field }) => field)),
          byteaArray(rows.map(({ value }) => value)),
        ],
      })),
    ];
  }

  /** Deletes rows that expired at or before this log time, the oldest first, but none of a parked record. */
  sweep(upTo: number): Step {
    return { statement: this.#statements.sweep, parameters: [String(upTo), String(sweepRowsMax)] };
  }

  /** Empties the own tables. */
  clear(): Step[] {
    return [{ statement: this.#statements.clearRows }, { statement: this.#statements.clearFields }];
  }
}

function keySteps(statement: Statement, keys: readonly Bytes[]): Step[] {
  return inParts(keys, (key) => key.length).map((part) => ({ statement, parameters: [byteaArray(part)] }));
}

function hashSteps(statement: Statement, hashes: readonly HashRow[]): Step[] {
  return inParts(hashes, ({ key }) => key.length).map((rows) => ({
    statement,
    parameters: [keysOf(rows), expiriesOf(rows)],
  }));
}

function keysOf(rows: readonly { readonly key: Bytes }[]): Buffer {
  return byteaArray(rows.map(({ key }) => key));
}

function expiriesOf(rows: readonly { readonly expiresAt: number | null }[]): Buffer {
  return int8Array(rows.map(({ expiresAt }) => expiresAt));
}
