/**
 * Plays the shop: `node dist/examples/shop/main.js [--seconds 10] [--seed N] [--on sqlite|postgres]`. Ends with 1 where
 * something was not as it must be. README.md in this folder tells the rest.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { embeddedPostgres, startPostgres, systemPostgres, type PostgresServer } from "../../test/postgres-server.js";
import { play } from "./play.js";
import { onPostgres, onSqlite } from "./servers.js";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    on: { type: "string", default: "sqlite" },
  },
});
const [seconds, seed] = [Number(flags.seconds), Number(flags.seed)];
process.stdout.write(`seed ${seed}, ${seconds} s, ${flags.on}\n`);

const folder = mkdtempSync(join(tmpdir(), "shop-"));
let server: PostgresServer | null = null;
try {
  const programs = flags.on === "postgres" ? (embeddedPostgres() ?? systemPostgres()) : null;
  if (programs !== null) server = await startPostgres(programs, ["fsync=on", "full_page_writes=on"]);
  const place = server === null ? await onSqlite(folder) : await onPostgres(folder, server);
  const { done, refused, kills, outages, looks, broken, closed, expected, found } = await play({
    ...place,
    seconds,
    seed,
  });
  const wrong = [
    ...broken,
    ...closed.deadLetters.map((reason) => `dead letter: ${reason}`),
    ...(closed.drained ? [] : ["not all of it was stored"]),
    ...Object.keys(expected).filter(
      (table) => !isDeepStrictEqual(expected[table as "orders"], found[table as "orders"]),
    ),
  ];
  process.stdout.write(
    `${done} requests done, ${refused} refused, ${kills} kills, ${outages} outages, ${looks} looks at the tables, ` +
      `${found.orders.length} orders with ${found.order_lines.length} lines at the end, ${wrong.length} things wrong\n`,
  );
  for (const what of wrong) process.stdout.write(`  ${what}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}
