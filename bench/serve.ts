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

/** Commands a second as redis-benchmark counts them: 50 connections, 100-byte values, 100,000 keys. */
export function commandRate(port: number, command: "SET" | "GET", pipeline: number, requests: number): number {
  const load = [
    "-t",
    command.toLowerCase(),
    "-n",
    String(requests),
    "-r",
    "100000",
    "-d",
    "100",
    "-c",
    "50",
    "-P",
    String(pipeline),
  ];
  const csv = runProgram("redis-benchmark", ["-h", "127.0.0.1", "-p", String(port), ...load, "--csv"]);
  const rate = new RegExp(`^"${command}","([\\d.]+)"`, "m").exec(csv)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark said: ${csv}`);
  return Number(rate);
}

export const serve: Question = {
  name: "serve",
  ask: async (setting) => {
    const ours = await startServe(setting.folder);
    const redis = await startRedis(["--appendonly", "yes", "--appendfsync", "always"], setting.folder);
    const answers: Answer[] = [];
    try {
      for (const { pipeline, requests, atLeast } of [
        { pipeline: 1, requests: 200_000, atLeast: 0.8 },
        { pipeline: 16, requests: 1_000_000, atLeast: 0.6 },
      ]) {
        const count = setting.quick ? requests / 10 : requests;
        commandRate(ours.port, "SET", pipeline, count / 2);
        commandRate(redis.port, "SET", pipeline, count / 2);
        const pair = await sideBySide(
          5,
          async () => commandRate(ours.port, "SET", pipeline, count),
          async () => commandRate(redis.port, "SET", pipeline, count),
        );
        answers.push({
          what: `serve SET, 50 connections, pipeline ${pipeline}, durability disk`,
          rival: "redis-server, appendfsync always",
          ours: perSecond(pair.ours),
          theirs: perSecond(pair.theirs),
          ratio: pair.ratio,
          goal: { atLeast },
        });
      }
    } finally {
      await ours.stop();
      await redis.stop();
    }
    return answers;
  },
};
