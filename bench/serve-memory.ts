/** Question: what does a record of 100 bytes cost in the memory of `serve`, beside redis-server? */
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { everyKeyOnce } from "./load.js";
import type { Question } from "./question.js";
import { withBoth } from "./serve.js";

/** Memory of a process in bytes, as the system counts it. */
function memoryOf(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Bytes for each record: what the process has grown by, once all is in the database. */
async function bytesEach(port: number, pid: number, records: number, isOurs: boolean): Promise<number> {
  const client = new Redis({ port, host: "127.0.0.1" });
  try {
    await client.ping();
    const before = memoryOf(pid);
    const writes = everyKeyOnce(1, records);
    for (let from = 0; from < records; from += 10_000) {
      const pipeline = client.pipeline();
      for (const { key, value } of writes.slice(from, from + 10_000)) pipeline.set(key, value);
      await pipeline.exec();
    }
    if (isOurs) await client.wait(1, 0);
    return (memoryOf(pid) - before) / records;
  } finally {
    client.disconnect();
  }
}

export const serveMemory: Question = {
  name: "serve-memory",
  ask: ({ folder, quick }) =>
    withBoth(
      folder,
      async (ours, redis) => {
        const records = quick ? 100_000 : 1_000_000;
        const [own, theirs] = [
          await bytesEach(ours.port, ours.process.pid as number, records, true),
          await bytesEach(redis.port, redis.process.pid as number, records, false),
        ];
        return [
          {
            what: `memory of serve for each of ${records.toLocaleString("en-US")} strings of 100 bytes, all in memory`,
            rival: "redis-server",
            ours: `${Math.round(own)} bytes`,
            theirs: `${Math.round(theirs)} bytes`,
            ratio: own / theirs,
            goal: { atMost: 2 },
          },
        ];
      },
      ["--cache-bytes", "2gb"],
    ),
};
