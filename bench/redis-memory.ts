/** Question: what memory does a Redis need while the database is down, beside that of the values alone? */
import { setTimeout as sleep } from "node:timers/promises";
import { TcpProxy } from "../test/tcp-proxy.js";
import { dice, keys, manyCallers, values } from "./load.js";
import { withPostgres } from "./postgres-server.js";
import { type Answer, type Question, type Setting } from "./question.js";
import { openShared, ownersOf, until, withPlainClient, withRedis, type BenchRedis } from "./redis-server.js";

const keyCount = 10_000;
const callers = 512;

function writesOf({ quick }: Setting): number {
  return quick ? 100_000 : 1_000_000;
}

function roll(): () => readonly [string, string] {
  const next = dice(1);
  return () => [keys[Math.floor(next() * keyCount)] as string, values[Math.floor(next() * values.length)] as string];
}

/** Memory of the values alone. */
async function plainBytes(redis: BenchRedis): Promise<number> {
  await redis.empty();
  const before = await redis.memory();
  await withPlainClient(redis, async (client) => {
    await Promise.all(keys.slice(0, keyCount).map((key, i) => client.set(key, values[i % values.length] as string)));
  });
  return (await redis.memory()) - before;
}

/** What it uses at the most while writes come in, and once it uses no less any more. */
async function outageBytes(redis: BenchRedis, url: string, setting: Setting): Promise<{ peak: number; rest: number }> {
  const target = new URL(url);
  const proxy = await TcpProxy.start(Number(target.port));
  target.port = String(proxy.port);
  await redis.empty();
  const before = await redis.memory();
  const wb = await openShared(redis, target.href, { waitMs: 60_000 });
  try {
    // A first write that is stored: the worker knows the database, and it knows the worker.
    await (await wb.set("first", "write")).stored();
    await until(wb, () => ownersOf(wb).every((owner) => owner !== null));
    proxy.refuse();
    let peak = 0;
    const look = async (): Promise<number> => {
      const used = (await redis.memory()) - before;
      peak = Math.max(peak, used);
      return used;
    };
    const looking = setInterval(() => void look(), 100);
    const next = roll();
    await manyCallers(callers, writesOf(setting), () => wb.set(...next()));
    clearInterval(looking);
    return { rest: await atRest(look), peak };
  } finally {
    await wb.close({ deadlineMs: 0 });
    await proxy.stop();
  }
}

/** What is looked at, once it has fallen no more for two seconds. */
async function atRest(look: () => Promise<number>): Promise<number> {
  let lowest = await look();
  for (let still = 0; still < 20; still += 1) {
    await sleep(100);
    const used = await look();
    if (used < lowest * 0.99) still = 0;
    lowest = Math.min(lowest, used);
  }
  return lowest;
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString("en-US")} KB`;
}

export const redisMemory: Question = {
  name: "redis-memory",
  ask: (setting) =>
    withRedis((redis) =>
      withPostgres(async (postgres): Promise<Answer[]> => {
        const plain = await plainBytes(redis);
        const { peak, rest } = await outageBytes(redis, await postgres.newDatabase(), setting);
        const writes = writesOf(setting).toLocaleString("en-US");
        const answer = (what: string, used: number, goal: Answer["goal"]): Answer => ({
          what: `memory of a Redis, ${writes} writes to 10,000 keys while the database is down, ${what}`,
          rival: "the 10,000 values alone",
          ours: kilobytes(used),
          theirs: kilobytes(plain),
          ratio: used / plain,
          goal,
        });
        return [answer("afterwards", rest, { atMost: 5 }), answer("the most on the way", peak, null)];
      }),
    ),
};
