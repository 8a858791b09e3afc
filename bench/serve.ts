/** Question: how near is `serve` to redis-server at the same durability, measured by Redis' own benchmark? */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { freePort, listening, runProgram, startRedis, type RunningServer } from "../test/servers.js";
import { perSecond, root, sideBySide, type Answer, type Question } from "./question.js";

/** Starts `serve` with a folder of its own and these flags. */
export async function startServe(folder: string, flags: readonly string[] = []): Promise<RunningServer> {
  const port = await freePort();
  const args = ["serve", "--port", String(port), "--admin-port", "0", "--data", join(folder, "serve"), ...flags];
  const child = spawn(process.execPath, [join(root, "dist", "src", "cli", "main.js"), ...args], { stdio: "ignore" });
  const ended = once(child, "exit");
  await listening(port);
  return {
    port,
    process: child,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Runs `use` with a `serve` and a redis-server of the same durability, both empty and on the same disk. */
export async function withBoth<T>(
  folder: string,
  use: (ours: RunningServer, redis: RunningServer) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const ours = await startServe(folder, flags);
  try {
    const redis = await startRedis(["--appendonly", "yes", "--appendfsync", "always"], folder);
    try {
      return await use(ours, redis);
    } finally {
      await redis.stop();
    }
  } finally {
    await ours.stop();
  }
}

const value = "x".repeat(100);

/** Commands as redis-benchmark writes them; each names one of 100,000 keys, and values have 100 bytes. */
export const commands = {
  SET: ["SET", "key:__rand_int__", value],
  GET: ["GET", "key:__rand_int__"],
  HSET: ["HSET", "hash:__rand_int__", "field", value],
  INCR: ["INCR", "counter:__rand_int__"],
} as const;

/** Commands a second as redis-benchmark counts them: 50 connections. */
export function commandRate(
  port: number,
  command: keyof typeof commands,
  pipeline: number,
  requests: number,
  connections = 50,
): number {
  const load = ["-n", requests, "-r", 100_000, "-c", connections, "-P", pipeline, "--csv"].map(String);
  const csv = runProgram("redis-benchmark", ["-h", "127.0.0.1", "-p", String(port), ...load, ...commands[command]]);
  const rate = new RegExp(`^"${command} [^"]*","([\\d.]+)"`, "m").exec(csv)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark said: ${csv}`);
  return Number(rate);
}

const loads = [
  { command: "SET", pipeline: 1, requests: 200_000, atLeast: 0.8 },
  { command: "GET", pipeline: 1, requests: 200_000, atLeast: 0.8 },
  { command: "SET", pipeline: 16, requests: 1_000_000, atLeast: 0.8 },
  { command: "SET", pipeline: 64, requests: 1_000_000, atLeast: 0.8 },
  { command: "GET", pipeline: 16, requests: 1_000_000, atLeast: 0.7 },
  { command: "GET", pipeline: 64, requests: 1_000_000, atLeast: 0.7 },
  { command: "HSET", pipeline: 16, requests: 600_000, atLeast: 0.5 },
  { command: "INCR", pipeline: 16, requests: 600_000, atLeast: 0.5 },
] as const;

export const serve: Question = {
  name: "serve",
  ask: ({ folder, quick }) =>
    withBoth(folder, async (ours, redis) => {
      const answers: Answer[] = [];
      for (const { command, pipeline, requests, atLeast } of loads) {
        const count = quick ? requests / 10 : requests;
        // Both have every key that is asked for, in memory.
        for (const { port } of [ours, redis]) commandRate(port, command, 64, 400_000);
        const pair = await sideBySide(
          quick ? 1 : 5,
          async () => commandRate(ours.port, command, pipeline, count),
          async () => commandRate(redis.port, command, pipeline, count),
        );
        answers.push({
          what: `serve ${command}, 50 connections, pipeline ${pipeline}, durability disk`,
          rival: "redis-server, appendfsync always",
          ours: perSecond(pair.ours),
          theirs: perSecond(pair.theirs),
          ratio: pair.ratio,
          goal: { atLeast },
        });
      }
      return answers;
    }),
};
