/**
 * A PostgreSQL database that went back under a running engine: restored from a backup, put back in place, failed over
 * to a standby that had not everything. What it lacks is written again from what the queue has kept, or it is named.
 */
import { expect, test } from "vitest";
import {
  allIsRight,
  eventually,
  faultsKit,
  Load,
  moreBatches,
  quick,
  rowsOf,
  witnessed,
  type Sql,
} from "./postgres-faults-kit.js";
import type { WriteBehind } from "../src/library/library.js";
import { postgres } from "../src/store/postgres/index.js";
import type { PostgresServer } from "./postgres-server.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

/** What the log says while it is done. */
function warningsOf(wb: WriteBehind): string[] {
  const warnings: string[] = [];
  wb.on("warning", ({ text }) => warnings.push(text));
  return warnings;
}

const wentBack = /went back .* frames? of the queue (?:is|are) written again/;

/** Keeps what the own tables hold, position and witness too, as a backup would. */
async function backUp(sql: Sql): Promise<void> {
  await sql("CREATE SCHEMA backup");
  for (const table of tables) await sql(`CREATE TABLE backup.${table} AS TABLE ${table}`);
}

/** Puts it back in one transaction. The position goes first, as in a commit: else each would wait for the other. */
async function restore(sql: Sql): Promise<void> {
  const put = tables.map((table) => `DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM backup.${table};`);
  await sql(`BEGIN; SET LOCAL session_replication_role = replica; ${put.join(" ")} COMMIT`);
}

const tables = ["write_behind_position", "write_behind_kv", "write_behind_field", "write_behind_dead_letters"].concat([
  "history",
  "moves",
]);

describePostgres("PostgreSQL goes back under a running engine", postgresVersions(), (server) => {
  const { engine, sql, pointTo, folder, start, url } = faultsKit(server);

  async function ended(...servers: PostgresServer[]): Promise<void> {
    for (const each of servers) await each.stop();
  }

  test("another server with an older copy of the data: found with the next commit, and written again", async () => {
    const wb = await engine();
    const load = new Load(wb);
    await moreBatches(wb, 2);
    const backup = await server().copy();
    try {
      await moreBatches(wb, 3);
      const warnings = warningsOf(wb);
      await backup.start();
      pointTo(backup);
      await moreBatches(wb, 1);
      await allIsRight(sql, wb, load);
      expect(warnings).toEqual([expect.stringMatching(wentBack)]);
    } finally {
      await wb.close({ deadlineMs: 0 });
      await ended(backup);
    }
  });

  test("the tables put back in place: a cold read finds it, and is never given the older value", async () => {
    const data = folder();
    const first = await engine(undefined, data);
    for (const key of ["a", "b"]) await first.set(key, 1);
    await first.flush();
    await backUp(sql);
    for (const key of ["a", "c"]) await first.set(key, 2);
    await first.flush();
    await first.close();
    const wb = await restartOf(data);
    await restore(sql);
    expect(await rowsOf(sql)).toEqual(["a=1", "b=1"]);
    // Nothing was written since, and the writer is idle: it is the read that notices.
    expect(await wb.getMany(["a", "b", "c"])).toEqual(["2", "1", "2"]);
    expect(await rowsOf(sql)).toEqual(["a=2", "b=1", "c=2"]);
    await witnessed(sql);
  });

  test("the tables put back in place under load, again and again", async () => {
    const wb = await engine();
    const load = new Load(wb);
    const warnings = warningsOf(wb);
    await moreBatches(wb, 2);
    await backUp(sql);
    for (let n = 1; n <= 3; n++) {
      await moreBatches(wb, 2);
      await restore(sql);
      await expect.poll(() => warnings.length, eventually).toBe(n);
    }
    await allIsRight(sql, wb, load);
    for (const warning of warnings) expect(warning).toMatch(wentBack);
  });

  test("older than what the queue has kept: named and not guessed at; it goes on with a newer backup", async () => {
    const wb = await engine(undefined, folder(), { segmentBytes: "64kb", retainBytes: 0 });
    await wb.set("a", 1);
    await wb.flush();
    await backUp(sql);
    const filling = "x".repeat(10_000);
    for (let n = 1; n <= 40; n++) await wb.set(`big:${n % 4}`, `${n} ${filling}`);
    await wb.flush();
    await sql("CREATE SCHEMA newer");
    for (const table of tables) await sql(`CREATE TABLE newer.${table} AS TABLE ${table}`);
    await restore(sql);
    await wb.set("a", 2);
    await expect.poll(() => wb.status(), eventually).toMatchObject({ state: "broken", store: { state: "broken" } });
    expect(wb.status().store.error).toMatch(/the journal begins at|is asked for/);
    await expect(wb.get("never read")).rejects.toMatchObject({ code: "STORE_DOWN" });
    expect(await rowsOf(sql)).toEqual(["a=1"]);
    await sql("ALTER SCHEMA backup RENAME TO older; ALTER SCHEMA newer RENAME TO backup");
    await restore(sql);
    await wb.flush();
    expect(await rowsOf(sql)).toEqual(["a=2", "big:0=40", "big:1=37", "big:2=38", "big:3=39"]);
    await witnessed(sql);
    expect(wb.status()).toMatchObject({ state: "running", store: { state: "up" } });
  });

  test("failover to an asynchronous standby that is behind: written again from what the queue has kept", async () => {
    const wb = await engine();
    const load = new Load(wb);
    await moreBatches(wb, 1);
    const standby = await server().copy(true);
    try {
      await standby.start();
      const following = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
      await expect.poll(() => sql(following), eventually).toEqual(["1"]);
      await moreBatches(wb, 2);
      // It receives no more: what is committed from here on is on the primary alone.
      await standby.sql("ALTER SYSTEM SET primary_conninfo = ''");
      await standby.sql("SELECT pg_reload_conf()");
      await expect.poll(() => sql(following), eventually).toEqual(["0"]);
      await moreBatches(wb, 3);
      const warnings = warningsOf(wb);
      // Before it is promoted it is a standby, and takes no writes.
      pointTo(standby);
      await expect
        .poll(() => wb.status().store, eventually)
        .toMatchObject({ state: "down", error: expect.stringContaining("takes no writes") as string });
      await standby.sql("SELECT pg_promote()");
      await moreBatches(wb, 1);
      await allIsRight(sql, wb, load);
      expect(warnings).toEqual([expect.stringMatching(wentBack)]);
    } finally {
      await wb.close({ deadlineMs: 0 });
      await ended(standby);
    }
  });

  function restartOf(data: string): Promise<WriteBehind> {
    return start(postgres(url()), { data, ...quick });
  }
});
