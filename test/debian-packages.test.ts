/** The example on the sample of 500 records that lies in the repository. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare } from "../examples/debian-packages/compare.js";
import { load, type LoadReport } from "../examples/debian-packages/load.js";
import { parseRecords, readDump } from "../examples/debian-packages/records.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const records = parseRecords(readDump(join(root, "examples", "debian-packages", "sample.txt")));

test("the parser keeps every byte of a record, continued lines too", () => {
  const dump = "Package: a\nVersion: 1\nArchitecture: all\nTag: x::y,\n z::\xe9\n\n\nPackage: b\n";
  expect(parseRecords(Buffer.from(dump, "latin1"))).toEqual([
    {
      key: "debian:a:1:all",
      fields: new Map([
        ["Package", "a"],
        ["Version", "1"],
        ["Architecture", "all"],
        ["Tag", "x::y,\n z::\xe9"],
      ]),
    },
    { key: "debian:b:?:?", fields: new Map([["Package", "b"]]) },
  ]);
});

test("the sample is 500 real records", () => {
  expect(records).toHaveLength(500);
  expect(records.every(({ fields }) => fields.size >= 10)).toBe(true);
});

describe("500 packages through ioredis, the server killed in the middle", () => {
  const folder = mkdtempSync(join(tmpdir(), "debian-packages-"));
  const database = join(folder, "write-behind.db");
  let report: LoadReport;

  beforeAll(async () => {
    report = await load(records, folder);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test("the server was killed with about half of the writes answered, and stopped cleanly in the end", () => {
    expect(report.answeredBefore).toBeGreaterThanOrEqual(250);
    expect(report.answeredBefore).toBeLessThan(500);
    expect(report.exitCode).toBe(0);
  });

  test("every field is in the database, and nothing else", () => {
    const { fields, differences } = compare(records, database);
    expect(differences).toEqual([]);
    expect(fields).toBeGreaterThan(5000);
  });

  test("the comparison sees a changed, a missing and an invented field", () => {
    const [changed, missing] = records.map(({ key }) => key) as [string, string];
    const sqlite = new DatabaseSync(database);
    sqlite
      .prepare("UPDATE write_behind_field SET value = ? WHERE CAST(key AS TEXT) = ? AND field = ?")
      .run("9", changed, "Version");
    sqlite.prepare("DELETE FROM write_behind_field WHERE CAST(key AS TEXT) = ? AND field = ?").run(missing, "Version");
    sqlite.prepare("INSERT INTO write_behind_field (key, field, value) VALUES (?, ?, ?)").run("ghost", "a", "b");
    sqlite.close();
    expect(compare(records, database).differences).toEqual([
      expect.stringContaining(`${changed} Version: wrote`),
      expect.stringContaining(`${missing} Version: wrote`),
      "ghost: nobody wrote this record",
    ]);
  });
});
