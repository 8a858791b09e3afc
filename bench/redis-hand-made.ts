/**
 * Question: how many writes a second reach PostgreSQL for as long as one likes, beside the pattern as it is drawn
 * everywhere: SET and LPUSH, and a worker that takes one element after the other and writes it by an upsert? Both keep
 * their queue short, and what counts is what has reached the database.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { WriteBehind } from "../src/index.js";
import { uniformWrites } from "./load.js";
import { withClient, withPostgres, type BenchServer } from "./postgres-server.js";
import { perSecond, type Answer, type Question, type Setting } from "./question.js";
import { openShared, until, withPlainClient, withRedis, type BenchRedis } from "./redis-server.js";

const callers = 512;
/** Elements of the list at which its writers wait. */
const listMax = 10_000;

/** What a side does, and how much of it is in the database by now. */
interface Side {
  readonly call: () => Promise<unknown>;
  readonly stored: () => Promise<number>;
}

/** Writes that reach the database in a second, after a while in which it gets going. */
async function storedRate({ quick }: Setting, { call, stored }: Side): Promise<number> {
  let over = false;
  const caller = async (): Promise<void> => {
    while (!over) await call();
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  await Promise.race([all, sleep(quick ? 1000 : 5000)]);
  const [before, start] = [await stored(), performance.now()];
  await Promise.race([all, sleep(quick ? 2000 : 20_000)]);
  const rate = (((await stored()) - before) * 1000) / (performance.now() - start);
  over = true;
  await all;
  return rate;
}

async function ours(setting: Setting, redis: BenchRedis, postgres: BenchServer): Promise<number> {
  await redis.empty();
  const wb = await openShared(redis, await postgres.newDatabase(), { queueBytes: 64 * 1024 * 1024, waitMs: 60_000 });
  try {
    const next = uniformWrites(1);
    return await storedRate(setting, {
      call: () => {
        const { key, value } = next();
        return wb.set(key, value);
      },
      stored: () => storedOf(wb),
    });
  } finally {
    await wb.close({ deadlineMs: 0 });
  }
}

async function storedOf(wb: WriteBehind): Promise<number> {
  await until(wb, () => true);
  return Number(wb.status().queue.stored?.split(":")[1]);
}

async function handMade(setting: Setting, redis: BenchRedis, postgres: BenchServer): Promise<number> {
  await redis.empty();
  const url = await postgres.newBare();
  let stored = 0;
  let over = false;
  const worker = withClient(url, async (client) => {
    const taking = new Redis({ port: redis.port });
    while (!over) {
      const taken = await taking.brpop("queue", 1);
      if (taken === null) continue;
      const { key, value } = JSON.parse(taken[1]) as { readonly key: string; readonly value: string };
      await client.query({
        name: "upsert",
        text: "INSERT INTO kv (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        values: [key, value],
      });
      stored += 1;
    }
    taking.disconnect();
  });
  const rate = await withPlainClient(redis, async (client) => {
    const next = uniformWrites(1);
    const call = async (): Promise<void> => {
      const { key, value } = next();
      const [, length] = await Promise.all([
        client.set(key, value),
        client.lpush("queue", JSON.stringify({ key, value })),
      ]);
      // As our side's queue does: its writers wait for room.
      if (length > listMax) await sleep(50);
    };
    return storedRate(setting, { call, stored: async () => stored });
  });
  over = true;
  await worker;
  return rate;
}

export const redisHandMade: Question = {
  name: "redis-hand-made",
  ask: (setting) =>
    withRedis((redis) =>
      withPostgres(async (postgres): Promise<Answer[]> => {
        const theirs = await handMade(setting, redis, postgres);
        const rate = await ours(setting, redis, postgres);
        return [
          {
            what: "writes through a Redis that reach PostgreSQL, sustained, one process with a worker",
            rival: "SET and LPUSH, a worker with BRPOP and one upsert for each",
            ours: perSecond(rate),
            theirs: perSecond(theirs),
            ratio: rate / theirs,
            goal: { atLeast: 10 },
          },
        ];
      }),
    ),
};
