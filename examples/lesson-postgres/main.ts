/**
 * `npm run demo:postgres [-- --store URL]`: the lesson on a PostgreSQL that is started for it, or on yours. Ends with 1
 * where the run does not bear out what the lesson says.
 */
import { parseArgs } from "node:util";
import { drawTerminal } from "../../src/lesson/draw-terminal.js";
import { lessonHolds } from "../../src/lesson/lesson.js";
import { embeddedPostgres, startPostgres, systemPostgres } from "../../test/postgres-server.js";
import { lessonOn } from "./lesson.js";

async function show(url: string): Promise<void> {
  const { lesson, query, rows } = await lessonOn(url);
  process.stdout.write(`${drawTerminal(lesson)}\nWhat any other client of the database sees\n\n  ${query}\n`);
  for (const row of rows) process.stdout.write(`  ${JSON.stringify(row)}\n`);
  process.exitCode = lessonHolds(lesson) ? 0 : 1;
}

const { values } = parseArgs({ options: { store: { type: "string" } } });
if (values.store === undefined) {
  const programs = embeddedPostgres() ?? systemPostgres();
  if (programs === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
  const server = await startPostgres(programs);
  try {
    await show(server.url());
  } finally {
    await server.stop();
  }
} else {
  await show(values.store);
}
