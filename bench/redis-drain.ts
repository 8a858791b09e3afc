/** Question: does one worker write what waits in a Redis to PostgreSQL as fast as the embedded writer its journal? */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { WriteBehind } from "../src/index.js";
import { everyKeyOnce, type Write } from "./load.js";
import { openOn, withClient, withPostgres, type BenchServer } from "./postgres-server.js";
import { perSecond, secondsOf, sideBySide, type Answer, type Question, type Setting } from "./question.js";
import { openShared, ownersOf, until, withRedis, type BenchRedis } from "./redis-server.js";

/** How many rows wait, and how often that is measured. The worker begins by opening its partitions anew. */
const loads = [
  { rows: 100_000, rounds: 5 },
  { rows: 400_000, rounds: 3 },
];

/** Every key once: nothing can be coalesced, so both sides write the same number of rows. */
function writesOf({ quick }: Setting, round: number, rows: number): Write[] {
  return everyKeyOnce(round + 1, quick ? rows / 10 : rows);
}

/** Rows a second of these writes, which have waited for the writer. */
async function drainRate(wb: WriteBehind, url: string, writes: readonly Write[]): Promise<number> {
  await wb.pause();
  await Promise.all(writes.map(({ key, value }) => wb.set(key, value)));
  const seconds = await secondsOf(async () => {
    await wb.resume();
    await wb.flush();
  });
  const rows = await withClient(url, async (client) => {
    const found = await client.query<{ rows: string }>("SELECT count(*) AS rows FROM write_behind_kv");
    return Number(found.rows[0]?.rows);
  });
  if (rows !== writes.length) throw new Error(`${rows} rows were written, not ${writes.length}`);
  return rows / seconds;
}

async function ours(redis: BenchRedis, postgres: BenchServer, writes: readonly Write[]): Promise<number> {
  await redis.empty();
  const url = await postgres.newDatabase();
  const wb = await openShared(redis, url);
  try {
    await until(wb, () => ownersOf(wb).every((owner) => owner !== null) && wb.status().store.state === "up");
    return await drainRate(wb, url, writes);
  } finally {
    await wb.close();
  }
}

async function embedded(folder: string, postgres: BenchServer, writes: readonly Write[]): Promise<number> {
  mkdirSync(folder);
  const url = await postgres.newDatabase();
  const wb = await openOn(url, folder);
  try {
    return await drainRate(wb, url, writes);
  } finally {
    await wb.close();
  }
}

export const redisDrain: Question = {
  name: "redis-drain",
  ask: (setting) =>
    withRedis((redis) =>
      withPostgres(async (postgres) => {
        const answers: Answer[] = [];
        for (const { rows, rounds } of loads) {
          const pair = await sideBySide(
            setting.quick ? 1 : rounds,
            (round) => ours(redis, postgres, writesOf(setting, round, rows)),
            (round) =>
              embedded(join(setting.folder, `embedded-${rows}-${round}`), postgres, writesOf(setting, round, rows)),
          );
          answers.push({
            what: `one worker's drain of a Redis into PostgreSQL, ${rows.toLocaleString("en-US")} new rows`,
            rival: "the embedded drain of a journal into PostgreSQL",
            ours: perSecond(pair.ours),
            theirs: perSecond(pair.theirs),
            ratio: pair.ratio,
            goal: { atLeast: 0.8 },
          });
        }
        return answers;
      }),
    ),
};
