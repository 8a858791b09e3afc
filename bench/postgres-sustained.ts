/**
 * Question: how many writes a second can be accepted for as long as one likes, beside a program that writes each of
 * them to PostgreSQL? Near, and over a network. The queue is kept short: when it is full callers wait, so what is
 * accepted is what the writer gets rid of. Should it be longer at the end than at the start, the difference is taken
 * off.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { WriteBehind, WriteBehindOptions } from "../src/index.js";
import { uniformWrites } from "./load.js";
import { delayed, openOn, withPool, withPostgres, type BenchServer } from "./postgres-server.js";
import { perSecond, type Answer, type Question, type Setting } from "./question.js";
import { callers } from "./set.js";

const poolSize = 16;
/** What the network takes in each direction. */
const delayMs = 3;

const configurations: readonly { readonly name: string; readonly options: Partial<WriteBehindOptions> }[] = [
  { name: ", queue of 64 MB", options: { queueBytes: 64 * 1024 * 1024 } },
  // Room for several writes of each key in one run: then only the last one of them is a row.
  {
    name: ", queue of 256 MB, batchRecords 100,000",
    options: { queueBytes: 256 * 1024 * 1024, batchRecords: 100_000 },
  },
];

function secondsOf({ quick }: Setting): number {
  return quick ? 1 : 30;
}

/** Calls a second from many callers, after a while in which it gets going. `mark` is called at both ends. */
async function sustained(setting: Setting, call: () => Promise<unknown>, mark: () => void): Promise<number> {
  const seconds = secondsOf(setting);
  let made = 0;
  let over = false;
  const caller = async (): Promise<void> => {
    while (!over) {
      await call();
      made += 1;
    }
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await Promise.race([all, wait(setting.quick ? 500 : 5000)]);
  const [before, start] = [made, performance.now()];
  mark();
  await Promise.race([all, wait(seconds * 1000)]);
  mark();
  const rate = ((made - before) * 1000) / (performance.now() - start);
  over = true;
  await all;
  return rate;
}

async function ours(setting: Setting, wb: WriteBehind): Promise<{ readonly rate: number; readonly growth: number }> {
  const next = uniformWrites(1);
  const pending: number[] = [];
  const rate = await sustained(
    setting,
    () => {
      const { key, value } = next();
      return wb.set(key, value);
    },
    () => pending.push(wb.status().queue.pendingChanges),
  );
  const [first, last] = pending as [number, number];
  return { rate, growth: Math.max(0, last - first) / secondsOf(setting) };
}

function theirs(setting: Setting, url: string): Promise<number> {
  return withPool(url, poolSize, (pool) => {
    const next = uniformWrites(1);
    const upsert = (): Promise<unknown> => {
      const { key, value } = next();
      return pool.query({
        name: "upsert",
        text: "INSERT INTO kv (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        values: [key, value],
      });
    };
    return sustained(setting, upsert, () => {});
  });
}

async function compare(setting: Setting, server: BenchServer, network: number): Promise<Answer[]> {
  const over = <T>(url: string, use: (url: string) => Promise<T>): Promise<T> =>
    network === 0 ? use(url) : delayed(url, network, use);
  const rival = await over(await server.newBare(), (url) => theirs(setting, url));
  const answers: Answer[] = [];
  for (const [index, { name, options }] of configurations.entries()) {
    const folder = join(setting.folder, `${network}-${index}`);
    mkdirSync(folder);
    const { rate, growth } = await over(await server.newDatabase(), async (url) => {
      const wb = await openOn(url, folder, { ...options, waitMs: 60_000 });
      const result = await ours(setting, wb);
      await wb.close({ deadlineMs: 60_000 });
      return result;
    });
    const far = network === 0 ? "" : `, ${network} ms of network each way`;
    answers.push({
      what: `writes accepted into PostgreSQL for ${secondsOf(setting)} s, queue not growing${far}${name}`,
      rival: "one upsert for each write, pool of 16",
      ours: perSecond(rate - growth),
      theirs: perSecond(rival),
      ratio: (rate - growth) / rival,
      goal: { atLeast: network === 0 ? 15 : 80 },
    });
  }
  return answers;
}

export const postgresSustained: Question = {
  name: "postgres-sustained",
  ask: (setting) => withPostgres((server) => compare(setting, server, 0)),
};

export const postgresFar: Question = {
  name: "postgres-far",
  ask: (setting) => withPostgres((server) => compare(setting, server, delayMs)),
};
