/**
 * What committing through the SQLite store costs beside bare prepared upserts into a similar table: the same rows in
 * the same order, WAL and synchronous=FULL both, taking turns so that both meet the same disk. Prints ratios; above 1
 * the store is faster. `node dist/bench/sqlite.js [rounds]`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import type { Bytes } from "../src/bytes.js";
import type { Change } from "../src/change.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";

const keyCount = 100_000;
const rivalBatch = 5000;

/** A contender: takes rows and returns when they are on the disk. */
interface Contender {
  readonly name: string;
  write(rows: ReadonlyMap<Bytes, Change>): Promise<void>;
  ms: number;
}

/** Bare upserts. `cacheKb` null leaves SQLite's default of 2 MB. */
function bare(folder: string, name: string, cacheKb: number | null): Contender {
  const database = new DatabaseSync(join(folder, `${name.replaceAll(" ", "-")}.db`));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (cacheKb !== null) database.exec(`PRAGMA cache_size = -${cacheKb}`);
  database.exec("CREATE TABLE kv (key TEXT PRIMARY KEY, value)");
  const upsert = database.prepare(
    "INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  return {
    name,
    ms: 0,
    write: async (rows) => {
      let left = rivalBatch;
      database.exec("BEGIN IMMEDIATE");
      for (const [key, change] of rows) {
        upsert.run(key, (change as { content: Bytes }).content);
        if (--left > 0) continue;
        database.exec("COMMIT; BEGIN IMMEDIATE");
        left = rivalBatch;
      }
      database.exec("COMMIT");
    },
  };
}

/** The store, in batches of so many rows. */
async function store(folder: string, batchRows: number): Promise<Contender> {
  const sqlite = new SqliteStore(join(folder, `store-${batchRows}.db`));
  const logId = "c".repeat(32);
  const { generation } = await sqlite.open({ logId });
  let sequence = 0;
  const commit = async (rows: ReadonlyMap<Bytes, Change>): Promise<void> => {
    const expected = sequence === 0 ? null : { logId, sequence, tag: 0 };
    sequence++;
    const to = { logId, sequence, tag: 0 };
    await sqlite.commit({ expected, generation, to, clear: false, rows, frames: 1, sweepUpTo: 0, parking: null });
  };
  return {
    name: `store, batches of ${batchRows}`,
    ms: 0,
    write: async (rows) => {
      const list = [...rows];
      for (let from = 0; from < list.length; from += batchRows)
        await commit(new Map(list.slice(from, from + batchRows)));
    },
  };
}

/** Distinct keys, uniform over all, with values of 100 bytes. */
function someRows(count: number, round: number): Map<Bytes, Change> {
  const rows = new Map<Bytes, Change>();
  while (rows.size < count) {
    const key = `user:${Math.floor(Math.random() * keyCount)}:name` as Bytes;
    const content = `${round}:${rows.size}:`.padEnd(100, "x") as Bytes;
    rows.set(key, { kind: "replace", content, expiresAt: null, afterRemove: false });
  }
  return rows;
}

async function main(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "write-behind-bench-"));
  const batch = 20_000;
  const contenders = [
    bare(folder, "bare upserts", null),
    bare(folder, "bare upserts, 64 MB cache", 65_536),
    await store(folder, 5000),
    await store(folder, 20_000),
  ];
  for (let round = 0; round < rounds; round++) {
    const rows = someRows(batch, round);
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const before = performance.now();
      await contender.write(rows);
      contender.ms += performance.now() - before;
    }
  }
  rmSync(folder, { recursive: true });
  const rival = contenders[0] as Contender;
  for (const { name, ms } of contenders) {
    const rate = Math.round((batch * rounds * 1000) / ms);
    process.stdout.write(`${name.padEnd(28)} ${String(rate).padStart(8)} rows/s  ${(rival.ms / ms).toFixed(2)}\n`);
  }
}

await main(Number(process.argv[2] ?? 20));
