/** Question: how fast is `serve` in front of a Redis, beside that Redis itself, measured by Redis' own benchmark? */
import { everyKeyOnce } from "./load.js";
import { perSecond, sideBySide, type Answer, type Question } from "./question.js";
import { openShared, withRedis, type BenchRedis } from "./redis-server.js";
import { commandRate, startServe } from "./serve.js";

const rounds = 3;
const loads = [
  { command: "SET", pipeline: 1, requests: 60_000 },
  { command: "SET", pipeline: 16, requests: 100_000 },
  { command: "GET", pipeline: 1, requests: 60_000 },
  { command: "GET", pipeline: 16, requests: 100_000 },
] as const;

/** All keys that redis-benchmark asks for: nothing is to be looked for in a database. */
async function fill(server: BenchRedis): Promise<void> {
  const wb = await openShared(server, null);
  await Promise.all(everyKeyOnce(1).map(({ key, value }) => wb.set(key, value)));
  await wb.close({ deadlineMs: 0 });
}

async function compare(ours: number, bare: BenchRedis, quick: boolean): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const { command, pipeline, requests } of loads) {
    const count = quick ? requests / 10 : requests;
    commandRate(ours, command, pipeline, count / 2);
    const pair = await sideBySide(
      quick ? 1 : rounds,
      async () => commandRate(ours, command, pipeline, count),
      async () => commandRate(bare.port, command, pipeline, count),
    );
    answers.push({
      what: `serve in front of a Redis, ${command}, 50 connections, pipeline ${pipeline}, no worker`,
      rival: "redis-server itself",
      ours: perSecond(pair.ours),
      theirs: perSecond(pair.theirs),
      ratio: pair.ratio,
      goal: null,
    });
  }
  return answers;
}

export const redisServe: Question = {
  name: "redis-serve",
  ask: (setting) =>
    withRedis((behind) =>
      withRedis(async (bare) => {
        await fill(behind);
        const flags = ["--cache", behind.url, "--store", "postgres://nobody@127.0.0.1:1/none", "--no-worker"];
        const ours = await startServe(setting.folder, [...flags, "--durability", "memory"]);
        try {
          return await compare(ours.port, bare, setting.quick);
        } finally {
          await ours.stop();
        }
      }),
    ),
};
