/** Question: does the writer write to PostgreSQL as fast as the best upsert that one would write by hand? */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { everyKeyOnce, type Write } from "./load.js";
import { openOn, withClient, withPostgres } from "./postgres-server.js";
import { perSecond, secondsOf, sideBySide, type Answer, type Question } from "./question.js";
import type { WriteBehind } from "../src/index.js";

/** Rows of one transaction, on both sides: the default of `batchRecords`. */
const batchRows = 20_000;
const rounds = 5;

/** Upserts in batches, each a prepared statement with two arrays, and a transaction by itself. */
async function upsertAll(client: Client, writes: readonly Write[]): Promise<void> {
  for (let start = 0; start < writes.length; start += batchRows) {
    // In the order of the keys, which is faster: neighbours lie in the same pages of the index.
    const batch = writes.slice(start, start + batchRows).sort((a, b) => (a.key < b.key ? -1 : 1));
    await client.query({
      name: "upsert",
      text: `INSERT INTO kv (key, value) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      values: [batch.map(({ key }) => key), batch.map(({ value }) => value)],
    });
  }
}

/** Seconds that the writer takes for these writes, which have waited for it. */
async function drainSeconds(wb: WriteBehind, writes: readonly Write[]): Promise<number> {
  await wb.pause();
  const before = wb.status().writer.rows;
  await Promise.all(writes.map(({ key, value }) => wb.set(key, value)));
  const seconds = await secondsOf(async () => {
    await wb.resume();
    await wb.flush();
  });
  const rows = wb.status().writer.rows - before;
  if (rows !== writes.length) throw new Error(`${rows} rows were written, not ${writes.length}`);
  return seconds;
}

export const postgresDrain: Question = {
  name: "postgres-drain",
  ask: (setting) =>
    withPostgres(async (server) => {
      // Every key once: nothing can be coalesced, so both sides write the same number of rows.
      const writesOf = (round: number) => everyKeyOnce(round + 1).slice(0, setting.quick ? 10_000 : undefined);
      const fresh = await sideBySide(
        setting.quick ? 1 : rounds,
        async (round) => {
          const folder = join(setting.folder, `ours-${round}`);
          mkdirSync(folder);
          const wb = await openOn(await server.newDatabase(), folder);
          const rate = writesOf(round).length / (await drainSeconds(wb, writesOf(round)));
          await wb.close();
          return rate;
        },
        async (round) =>
          withClient(await server.newBare(), async (client) => {
            const writes = writesOf(round);
            return writes.length / (await secondsOf(() => upsertAll(client, writes)));
          }),
      );
      const wb = await openOn(await server.newDatabase(), setting.folder);
      await drainSeconds(wb, writesOf(0));
      const again = await withClient(await server.newBare(), async (client) => {
        await upsertAll(client, writesOf(0));
        return sideBySide(
          setting.quick ? 1 : rounds,
          async (round) => writesOf(round).length / (await drainSeconds(wb, writesOf(round + 1))),
          async (round) => {
            const writes = writesOf(round + 1);
            return writes.length / (await secondsOf(() => upsertAll(client, writes)));
          },
        );
      });
      await wb.close();
      return [
        { what: "new rows", ...fresh },
        { what: "rows that are there", ...again },
      ].map(({ what, ours, theirs, ratio }): Answer => ({
        what: `drain into PostgreSQL, one connection, ${what}`,
        rival: "hand-written unnest upserts of 20,000 rows, prepared, sorted",
        ours: perSecond(ours),
        theirs: perSecond(theirs),
        ratio,
        goal: { atLeast: 0.85 },
      }));
    }),
};
