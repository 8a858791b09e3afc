/** The lesson with cache and queue in a real Redis: the same table as in one process. */
import { expect, test } from "vitest";
import { lessonOnRedis, redisSettings } from "../examples/lesson-redis/lesson.js";
import { inTemporaryFolder } from "../src/cli/temporary-folders.js";
import { lessonHolds } from "../src/lesson/lesson.js";
import { runLesson } from "../src/lesson/run-lesson.js";
import { executionTable, trackerTable } from "../src/lesson/tables.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

describeRedis(
  "the lesson on Redis",
  (redisServer) =>
    describePostgres("and PostgreSQL", postgresVersions(), (postgresServer) => {
      test("shows the same steps as in one process", async () => {
        const { lesson, keys, rows } = await lessonOnRedis(redisServer().port, postgresServer().url());
        const inOneProcess = await inTemporaryFolder(runLesson);
        expect(executionTable(lesson)).toEqual(executionTable(inOneProcess));
        expect(trackerTable(lesson)).toEqual(trackerTable(inOneProcess));
        expect(lessonHolds(lesson)).toBe(true);
        expect(keys[0]).toEqual({ command: "GET user:1:name", reply: '"Alice"' });
        expect(rows).toEqual([{ key: "user:1:name", type: "string", value: "Alice" }]);
      });
    }),
  redisSettings,
);
