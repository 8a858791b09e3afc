/**
 * Questions about workers in processes of their own: do two of them do more than one, and how long is a dead one
 * missed?
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { WriteBehind } from "../src/index.js";
import { partitionOf } from "../src/redis/partition.js";
import type { Bytes } from "../src/bytes.js";
import { keys, values } from "./load.js";
import { delayed, withPostgres } from "./postgres-server.js";
import { median, perSecond, secondsOf, sideBySide, type Answer, type Question, type Setting } from "./question.js";
import { openShared, ownersOf, startWorkerProcess, until, withRedis, type WorkerProcess } from "./redis-server.js";

/** What the network to the database takes in each direction. */
const delayMs = 3;
/** Callers, each of which waits until its write is stored: so runs are small, and the round trip is what counts. */
const callers = 64;
const farRounds = 3;

const killRounds = 5;
const leaseMs = 2000;

/** Writes a second that are stored, of callers that wait for each. */
async function storedRate(wb: WriteBehind, { quick }: Setting): Promise<number> {
  let stored = 0;
  let over = false;
  const caller = async (_: unknown, number: number): Promise<void> => {
    for (let at = number; !over; at += callers) {
      const receipt = await wb.set(keys[at % keys.length] as string, values[at % values.length] as string);
      await receipt.stored();
      stored += 1;
    }
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  await Promise.race([all, sleep(quick ? 500 : 2000)]);
  const [before, start] = [stored, performance.now()];
  await Promise.race([all, sleep(quick ? 1000 : 8000)]);
  const rate = ((stored - before) * 1000) / (performance.now() - start);
  over = true;
  await all;
  return rate;
}

/** Resolves when each of these processes owns as many partitions as the others. */
async function untilShared(wb: WriteBehind, workers: readonly WorkerProcess[]): Promise<void> {
  await until(wb, () => {
    const owners = ownersOf(wb);
    return workers.every(
      ({ pid }) => owners.filter((owner) => owner === pid).length * workers.length === owners.length,
    );
  });
}

async function withWorkers(count: number, setting: Setting): Promise<number> {
  return withRedis((redis) =>
    withPostgres(async (postgres) =>
      delayed(await postgres.newDatabase(), delayMs, async (store) => {
        const workers: WorkerProcess[] = [];
        const wb = await openShared(redis, null);
        try {
          for (let i = 0; i < count; i += 1) {
            workers.push(await startWorkerProcess({ cache: redis.url, store, options: { delayMs: 1 } }));
          }
          await untilShared(wb, workers);
          return await storedRate(wb, setting);
        } finally {
          await wb.close({ deadlineMs: 0 });
          for (const worker of workers) await worker.kill();
        }
      }),
    ),
  );
}

export const redisWorkers: Question = {
  name: "redis-workers",
  ask: async (setting): Promise<Answer[]> => {
    const pair = await sideBySide(
      setting.quick ? 1 : farRounds,
      () => withWorkers(2, setting),
      () => withWorkers(1, setting),
    );
    return [
      {
        what: `two workers, PostgreSQL ${delayMs} ms away each way, ${callers} callers that wait until each write is stored`,
        rival: "one worker",
        ours: perSecond(pair.ours),
        theirs: perSecond(pair.theirs),
        ratio: pair.ratio,
        goal: { atLeast: 1.7 },
      },
    ];
  },
};

/** A key of each of these partitions. */
function keysOf(partitions: readonly number[], count: number): string[] {
  return partitions.map((partition) => keys.find((key) => partitionOf(key as Bytes, count) === partition) as string);
}

/** Milliseconds from the death of a worker to the next commit of each partition that it owned. */
async function takeoverMs(wb: WriteBehind, victim: WorkerProcess): Promise<number> {
  const owners = ownersOf(wb);
  const lost = owners.flatMap((owner, partition) => (owner === victim.pid ? [partition] : []));
  await victim.kill();
  const seconds = await secondsOf(() =>
    Promise.all(
      keysOf(lost, owners.length).map(async (key) => {
        const receipt = await wb.set(key, "after the death");
        await receipt.stored();
      }),
    ),
  );
  return seconds * 1000;
}

export const redisTakeover: Question = {
  name: "redis-takeover",
  ask: (setting) =>
    withRedis((redis) =>
      withPostgres(async (postgres) => {
        const setup = { cache: redis.url, store: await postgres.newDatabase(), options: { leaseMs } };
        const wb = await openShared(redis, null, { leaseMs });
        const workers = [await startWorkerProcess(setup), await startWorkerProcess(setup)];
        const times: number[] = [];
        try {
          for (let round = 0; round < (setting.quick ? 1 : killRounds); round += 1) {
            await untilShared(wb, workers);
            times.push(await takeoverMs(wb, workers.shift() as WorkerProcess));
            workers.push(await startWorkerProcess(setup));
          }
        } finally {
          await wb.close({ deadlineMs: 0 });
          for (const worker of workers) await worker.kill();
        }
        const took = median(times);
        return [
          {
            what: "SIGKILL of a worker: until the next commit of all of its partitions",
            rival: "its lease",
            ours: `${Math.round(took)} ms`,
            theirs: `${leaseMs} ms`,
            ratio: took / leaseMs,
            goal: { atMost: 2 },
          },
        ];
      }),
    ),
};
