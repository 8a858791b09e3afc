import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, test } from "vitest";
import { mappedStoreContract, storeContract, type MappedStoreWorld, type StoreWorld } from "../contract/store.js";
import { bytesOfText } from "../src/bytes.js";
import { memoryStore } from "../src/store/memory/memory-store.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";

async function memoryWorld(): Promise<StoreWorld> {
  let now = 1_000_000;
  const database = memoryStore({ now: () => now });
  return {
    connect: () => database.connect(),
    age: async (ms) => {
      now += ms;
    },
    end: async () => {},
  };
}

async function sqliteWorld(): Promise<MappedStoreWorld> {
  const folder = mkdtempSync(join(tmpdir(), "write-behind-store-"));
  const file = join(folder, "app.db");
  return {
    connect: () => new SqliteStore(file),
    connectWith: (routes) => new SqliteStore(file, routes),
    run: async (sql) => withDatabase(file, (database) => database.exec(sql)),
    query: async (sql) =>
      withDatabase(file, (database) => {
        const rows = database.prepare(sql).all() as Record<string, unknown>[];
        return rows.map((row) => Object.values(row).map(textOfCell));
      }),
    momentType: "TIMESTAMP",
    bytesType: "BLOB",
    samples: sqliteSamples,
    age: async (ms) =>
      withDatabase(file, (database) => {
        database.prepare("UPDATE write_behind_position SET heartbeat_at = heartbeat_at - ?").run(ms);
      }),
    end: async () => rmSync(folder, { recursive: true }),
  };
}

function withDatabase<T>(file: string, work: (database: InstanceType<typeof DatabaseSync>) => T): T {
  const database = new DatabaseSync(file);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function textOfCell(cell: unknown): string | null {
  return typeof cell === "string" ? cell : typeof cell === "number" || typeof cell === "bigint" ? `${cell}` : null;
}

const sqliteSamples = [
  { declared: "BOOLEAN", values: ["true", "false"] },
  { declared: "REAL", values: ["0", "-1", "1.5", "-0.25", "1e+300", "1e-7", "123456789012", "Infinity"] },
  { declared: "NUMERIC(10,2)", values: ["0", "12", "1.5", "x", "", "0x10", "9007199254740993"] },
  { declared: "DATETIME", values: ["2026-11-24 21:43:18", "2026", "now"] },
  { declared: "JSON", values: ['{"a":1}', "[]", '"x"', "5", "1.50", "9223372036854775808", "null"] },
  { declared: "UUID", values: ["01234567-89ab-cdef-0123-456789abcdef", "00000000-0000-0000-0000-000000000000"] },
  { declared: "VARCHAR(3)", values: ["longer than three"] },
  { declared: "", values: ["text", "5", "", "\0", "\u00e9"] },
].map(({ declared, values }) => ({ declared, values: values.map(bytesOfText) }));

const stores = { memory: memoryWorld, sqlite: sqliteWorld };

for (const [name, make] of Object.entries(stores)) {
  describe(`the ${name} store`, () => {
    for (const { name: sentence, run } of storeContract(make)) test(sentence, run);
  });
}

describe("mapped tables of the sqlite store", () => {
  for (const { name, run } of mappedStoreContract(sqliteWorld)) test(name, run);
});
