/** The lesson of `write-behind trace`, with cache and queue in a Redis and PostgreSQL as the database. */
import { Redis } from "ioredis";
import { redis } from "../../src/redis/index.js";
import { lessonOn, type LessonOnPostgres } from "../lesson-postgres/lesson.js";

/** What the redis-server must be started with: an answered write is on its disk. */
export const redisSettings = ["--appendonly", "yes", "--appendfsync", "always"];

/** What the lesson showed, and what any client of the Redis and of the database sees after it. */
export interface LessonOnRedis extends LessonOnPostgres {
  readonly keys: readonly { readonly command: string; readonly reply: string }[];
}

/** Runs the lesson on the Redis at this port of the loopback interface, each run in a database (SELECT) of its own. */
export async function lessonOnRedis(port: number, postgresUrl: string): Promise<LessonOnRedis> {
  const shown = await lessonOn(postgresUrl, (run) => redis(`redis://127.0.0.1:${port}/${run}`));
  const client = new Redis(port, "127.0.0.1");
  try {
    const value = await client.get("user:1:name");
    const logs = await client.keys("write-behind:*:log");
    return {
      ...shown,
      keys: [
        { command: "GET user:1:name", reply: JSON.stringify(value) },
        { command: "KEYS write-behind:*:log", reply: JSON.stringify(logs) },
      ],
    };
  } finally {
    client.disconnect();
  }
}
