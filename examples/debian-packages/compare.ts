/** Compares every field of every record with the row that the database has for it, and finds rows nobody wrote. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { PackageRecord } from "./records.js";

/** What was compared. */
export interface Comparison {
  readonly records: number;
  readonly fields: number;
  /** A sentence for each field that is missing, different, or was never written. */
  readonly differences: readonly string[];
}

interface Row {
  readonly key: Uint8Array;
  readonly field: Uint8Array;
  readonly value: Uint8Array;
}

/** Compares records with the table `write_behind_field` of a database file. */
export function compare(records: readonly PackageRecord[], file: string): Comparison {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const stored = readRows(database);
    const differences: string[] = [];
    let fields = 0;
    for (const { key, fields: written } of records) {
      const row = stored.get(key) ?? new Map<string, string>();
      for (const [field, value] of written) {
        fields += 1;
        const is = row.get(field);
        if (is !== value) differences.push(`${key} ${field}: wrote ${shown(value)}, the database has ${shown(is)}`);
        row.delete(field);
      }
      for (const field of row.keys()) differences.push(`${key} ${field}: nobody wrote this field`);
      stored.delete(key);
    }
    for (const key of stored.keys()) differences.push(`${key}: nobody wrote this record`);
    return { records: records.length, fields, differences };
  } finally {
    database.close();
  }
}

function readRows(database: InstanceType<typeof DatabaseSync>): Map<string, Map<string, string>> {
  const select = database.prepare(
    `SELECT CAST(key AS BLOB) AS key, CAST(field AS BLOB) AS field, CAST(value AS BLOB) AS value
     FROM write_behind_field`,
  );
  const stored = new Map<string, Map<string, string>>();
  for (const { key, field, value } of select.iterate() as Iterable<Row>) {
    const record = stored.get(latin1(key)) ?? new Map<string, string>();
    stored.set(latin1(key), record.set(latin1(field), latin1(value)));
  }
  return stored;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function shown(value: string | undefined): string {
  return value === undefined ? "nothing" : JSON.stringify(value.slice(0, 60));
}
