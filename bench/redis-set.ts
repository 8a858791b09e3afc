/**
 * Questions: what do a write and a read cost that go through the library to a Redis, beside the same client's SET,
 * GET?
 */
import type { Redis } from "ioredis";
import type { WriteBehind } from "../src/index.js";
import { everyKeyOnce, manyCallers, uniformWrites, type Write } from "./load.js";
import { perSecond, secondsOf, sideBySide, type Answer, type Question, type Setting } from "./question.js";
import { openShared, withPlainClient, withRedis, type BenchRedis } from "./redis-server.js";

const callers = 512;
const rounds = 7;

function callsOf({ quick }: Setting): number {
  return quick ? 30_000 : 300_000;
}

async function rateOf(seed: number, total: number, call: (write: Write) => Promise<unknown>): Promise<number> {
  const next = uniformWrites(seed);
  return total / (await secondsOf(() => manyCallers(callers, total, () => call(next()))));
}

/** Each round has the Redis to itself, with nothing in it; a part of the work before warms the side up. */
async function setRate(setting: Setting, round: number, call: (write: Write) => Promise<unknown>): Promise<number> {
  await rateOf(round, callsOf(setting) / 4, call);
  return rateOf(round + 100, callsOf(setting), call);
}

async function ourSets(server: BenchRedis, setting: Setting, round: number): Promise<number> {
  await server.empty();
  const wb = await openShared(server, null);
  try {
    return await setRate(setting, round, ({ key, value }) => wb.set(key, value));
  } finally {
    await wb.close({ deadlineMs: 0 });
  }
}

async function plainSets(server: BenchRedis, setting: Setting, round: number): Promise<number> {
  await server.empty();
  return withPlainClient(server, (client) => setRate(setting, round, ({ key, value }) => client.set(key, value)));
}

export const redisSet: Question = {
  name: "redis-set",
  ask: (setting) =>
    withRedis(async (server): Promise<Answer[]> => {
      const pair = await sideBySide(
        setting.quick ? 3 : rounds,
        (round) => ourSets(server, setting, round),
        (round) => plainSets(server, setting, round),
      );
      return [
        {
          what: `set through the library into a Redis, ${callers} callers`,
          rival: "the same client's SET, autopipelining",
          ours: perSecond(pair.ours),
          theirs: perSecond(pair.theirs),
          ratio: pair.ratio,
          goal: { atLeast: 1.2 },
        },
      ];
    }),
};

async function readRates(setting: Setting, wb: WriteBehind, client: Redis): Promise<Answer[]> {
  const total = callsOf(setting);
  await manyCallers(callers, total / 4, () => wb.get("key:000000000000"));
  await manyCallers(callers, total / 4, () => client.get("key:000000000000"));
  const check = (value: string | null): void => {
    if (value === null) throw new Error("a key is not there");
  };
  const pair = await sideBySide(
    setting.quick ? 3 : rounds,
    (round) => rateOf(round, total, async ({ key }) => check(await wb.get(key))),
    (round) => rateOf(round, total, async ({ key }) => check(await client.get(key))),
  );
  return [
    {
      what: `get through the library of what is in a Redis, ${callers} callers`,
      rival: "the same client's GET, autopipelining",
      ours: perSecond(pair.ours),
      theirs: perSecond(pair.theirs),
      ratio: pair.ratio,
      goal: { atLeast: 0.9 },
    },
  ];
}

export const redisGet: Question = {
  name: "redis-get",
  ask: (setting) =>
    withRedis(async (server) => {
      const wb = await openShared(server, null);
      try {
        await Promise.all(everyKeyOnce(1).map(({ key, value }) => wb.set(key, value)));
        return await withPlainClient(server, (client) => readRates(setting, wb, client));
      } finally {
        await wb.close({ deadlineMs: 0 });
      }
    }),
};
