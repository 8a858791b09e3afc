import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, test } from "vitest";
import { storeContract, type StoreWorld } from "../contract/store.js";
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

async function sqliteWorld(): Promise<StoreWorld> {
  const folder = mkdtempSync(join(tmpdir(), "write-behind-store-"));
  const file = join(folder, "app.db");
  return {
    connect: () => new SqliteStore(file),
    age: async (ms) => {
      const database = new DatabaseSync(file);
      database.prepare("UPDATE write_behind_position SET heartbeat_at = heartbeat_at - ?").run(ms);
      database.close();
    },
    end: async () => rmSync(folder, { recursive: true }),
  };
}

const stores = { memory: memoryWorld, sqlite: sqliteWorld };

for (const [name, make] of Object.entries(stores)) {
  describe(`the ${name} store`, () => {
    for (const { name: sentence, run } of storeContract(make)) test(sentence, run);
  });
}
