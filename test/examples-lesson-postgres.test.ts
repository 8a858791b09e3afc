/** The lesson on a real PostgreSQL: the same table as on SQLite. */
import { expect, test } from "vitest";
import { lessonOn } from "../examples/lesson-postgres/lesson.js";
import { inTemporaryFolder } from "../src/cli/temporary-folders.js";
import { lessonHolds } from "../src/lesson/lesson.js";
import { runLesson } from "../src/lesson/run-lesson.js";
import { executionTable, trackerTable } from "../src/lesson/tables.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

describePostgres("the lesson on PostgreSQL", postgresVersions(), (server) => {
  test("shows the same steps as on SQLite, and PostgreSQL has the row", async () => {
    const { lesson, rows } = await lessonOn(server().url());
    const onSqlite = await inTemporaryFolder(runLesson);
    expect(executionTable(lesson)).toEqual(executionTable(onSqlite));
    expect(trackerTable(lesson)).toEqual(trackerTable(onSqlite));
    expect(lesson.rows.map((row) => row.cells.database)).toEqual([
      '{"user:1:name": null}',
      '{"user:1:name": null}',
      '{"user:1:name": "Alice"}',
      '{"user:1:name": "Alice"}',
      '{"user:1:name": "Alice"}',
    ]);
    expect(lessonHolds(lesson)).toBe(true);
    expect(rows).toEqual([{ key: "user:1:name", type: "string", value: "Alice" }]);
  });

  test("leaves the database as it was", async () => {
    const schemas = "SELECT schema_name FROM information_schema.schemata ORDER BY 1";
    const before = await server().sql(schemas);
    await lessonOn(server().url());
    expect(await server().sql(schemas)).toEqual(before);
  });
});
