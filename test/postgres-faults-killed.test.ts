/**
 * PostgreSQL is killed, away for long, read-only, locked and migrated under a running engine. After each: what was
 * answered is in the database, nothing was written twice or out of order, by a witness in the database itself.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Client } from "pg";
import { expect, test } from "vitest";
import { postgres } from "../src/store/postgres/index.js";
import { allIsRight, batches, eventually, faultsKit, Load, moreBatches, quick } from "./postgres-faults-kit.js";
import type { PostgresServer } from "./postgres-server.js";
import type { Side, TcpProxy } from "./tcp-proxy.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

/** What a server sends first of all to whom it lets in: the process that serves him. */
const backendKey = Buffer.from([0x4b, 0, 0, 0, 12]);

/** The compare-and-set of a run, by the name that its statement has, and the COMMIT at the end of a run. */
const [runBegins, runEnds] = ["write_behind_move", "write_behind_commit"];

/** Looks at all that passes, with the process behind the connection. What `look` returns false for is swallowed. */
function watch(proxy: TcpProxy, look: (side: Side, data: Buffer, pid: number | null) => boolean): void {
  const pids = new Map<unknown, number>();
  proxy.onData = (side, data, way) => {
    const at = side === "server" && !pids.has(way) ? data.indexOf(backendKey) : -1;
    if (at >= 0) pids.set(way, data.readInt32BE(at + 5));
    return look(side, data, pids.get(way) ?? null);
  };
}

/** When somebody is killed: before the run is sent, once it is on its way, when all is done and nobody knows of it. */
type Instant = "before" | "during" | "after";

/** Kills at the next run of the writer, and waits until that was done. `kill` is told the writer's process. */
async function killAtRun(proxy: TcpProxy, instant: Instant, kill: (pid: number) => void): Promise<void> {
  let [seen, done] = [0, false];
  // Which process is behind a connection is said at its beginning only.
  proxy.cut();
  watch(proxy, (side, data, pid) => {
    if (seen > 0 && side === "server" && pid === seen && !done) {
      if (instant !== "after") return true;
      kill(seen);
      done = true;
      return false;
    }
    if (seen > 0 || pid === null || side === "server") return true;
    if (!data.includes(instant === "after" ? runEnds : runBegins)) return true;
    seen = pid;
    if (instant === "after") return true;
    if (instant === "before") kill(seen);
    else setImmediate(kill, seen);
    done = true;
    return true;
  });
  await expect.poll(() => done, eventually).toBe(true);
  proxy.onData = null;
}

const [first, ...others] = postgresVersions();

for (const programs of [first, ...others]) {
  describePostgres("PostgreSQL is killed", programs === undefined ? [] : [programs], (server) => {
    const { engine, sql, proxy } = faultsKit(server);

    test("SIGKILL of the writer's own process: before, in the midst of and behind a commit", async () => {
      const wb = await engine();
      const load = new Load(wb);
      for (const instant of ["before", "during", "after", "during", "after"] as const) {
        await moreBatches(wb, 2);
        await killAtRun(proxy(), instant, (pid) => process.kill(pid, "SIGKILL"));
        // One process that dies takes all the others with it, and the server recovers by itself.
        await expect.poll(() => sql("SELECT 1").catch(() => []), eventually).toEqual(["1"]);
      }
      await moreBatches(wb, 1);
      await allIsRight(sql, wb, load);
    });

    test("SIGKILL of the whole server: in the midst of a run, at its COMMIT, behind it, and started again", async () => {
      const wb = await engine();
      const load = new Load(wb);
      for (const instant of ["before", "during", "after"] as const) {
        await moreBatches(wb, 2);
        const killed: Promise<void>[] = [];
        await killAtRun(proxy(), instant, () => void killed.push(server().sigkill()));
        await expect.poll(() => killed.length, eventually).toBe(1);
        await Promise.all(killed);
        await expect.poll(() => wb.status().store, eventually).toMatchObject({ state: "down" });
        await server().start();
      }
      await moreBatches(wb, 1);
      await allIsRight(sql, wb, load);
    });

    test("SIGKILL of the whole server while it is connected to, and started again", async () => {
      const wb = await engine();
      const load = new Load(wb);
      await moreBatches(wb, 1);
      const killed: Promise<void>[] = [];
      watch(proxy(), (side, _data, pid) => {
        if (side === "client" && pid === null && killed.length === 0) killed.push(server().sigkill());
        return true;
      });
      proxy().cut();
      await expect.poll(() => killed.length, eventually).toBe(1);
      await Promise.all(killed);
      await server().start();
      proxy().onData = null;
      await moreBatches(wb, 1);
      await allIsRight(sql, wb, load);
    });
  });
}

describePostgres("PostgreSQL is away, or busy with something else", postgresVersions(), (server) => {
  const { engine, sql, proxy, database, folder, start, url } = faultsKit(server);

  test("away while 100,000 writes are taken: memory is bounded by the distinct records, and nothing is lost", async () => {
    const wb = await engine();
    const answered = new Map<string, number>();
    const filling = "x".repeat(500);
    let value = 0;
    const write = async (many: number): Promise<void> => {
      const end = value + many;
      while (value < end) {
        const together = Array.from({ length: 1000 }, () => {
          const [key, mine] = [`key:${value % 1000}`, (value += 1)];
          return wb.set(key, `${mine} ${filling}`).then(() => answered.set(key, mine));
        });
        await Promise.all(together);
      }
    };
    await write(10_000);
    await wb.flush();
    proxy().refuse();
    await expect.poll(async () => (await write(1000), wb.status().store), eventually).toMatchObject({ state: "down" });
    const before = used();
    await write(100_000);
    const grown = used();
    const { queue } = wb.status();
    expect(queue.pendingChanges).toBeGreaterThanOrEqual(100_000);
    expect(queue.pendingRecords).toBe(1000);
    // 50 MB of values were taken; 1,000 records of 500 bytes are kept.
    expect(grown.heap - before.heap).toBeLessThan(10 * 2 ** 20);
    expect(grown.resident - before.resident).toBeLessThan(100 * 2 ** 20);
    proxy().heal();
    await allIsRight(sql, wb, { answered, end: async () => {} });
  });

  test("a commit takes long: nobody waits for it, neither who writes nor who reads, warm or cold", async () => {
    const data = folder();
    const before = await engine(undefined, data);
    await before.set("cold", 1);
    await before.flush();
    await before.close();
    const wb = await start(postgres(url("statement_timeout=60000")), { data, ...quick });
    const other = await session(server(), database());
    await sql(`
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(7);
        RETURN new;
      END $$;
      CREATE TRIGGER wait BEFORE INSERT ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION wait();
    `);
    await other.query("SELECT pg_advisory_lock(7)");
    const seen = batches(wb);
    await wb.set("slow", 2);
    await expect.poll(() => sql("SELECT count(*) FROM pg_locks WHERE NOT granted"), eventually).toEqual(["1"]);
    expect(await wb.getMany(["slow", "cold", "never"])).toEqual(["2", "1", null]);
    await wb.set("more", 3);
    expect(await wb.get("more")).toBe("3");
    expect([seen(), wb.status().store.state]).toEqual([0, "up"]);
    await other.end();
    const answered = new Map(Object.entries({ cold: 1, slow: 2, more: 3 }));
    await allIsRight(sql, wb, { answered, end: async () => {} });
  });

  test("made read-only and writable again, for one database and for the whole server", async () => {
    const wb = await engine();
    const load = new Load(wb);
    const on = "SET default_transaction_read_only = on";
    const off = "RESET default_transaction_read_only";
    for (const [turnOn, turnOff] of [
      [`ALTER DATABASE ${database()} ${on}`, `ALTER DATABASE ${database()} ${off}`],
      [`ALTER SYSTEM ${on}`, `ALTER SYSTEM ${off}`],
    ] as const) {
      await moreBatches(wb, 1);
      await server().sql(turnOn);
      await server().sql("SELECT pg_reload_conf()");
      // A database's setting holds for new sessions only.
      proxy().cut();
      await expect
        .poll(() => wb.status().store, eventually)
        .toMatchObject({ state: "down", error: expect.stringContaining("takes no writes") as string });
      expect(await wb.get("key:1")).not.toBe(null);
      await server().sql(turnOff);
      await server().sql("SELECT pg_reload_conf()");
      await moreBatches(wb, 1);
    }
    await allIsRight(sql, wb, load);
  });

  test("a migration holds the tables: without a pause, then pause, migrate, resume", async () => {
    const wb = await engine("statement_timeout=2000&lock_timeout=50");
    const load = new Load(wb);
    await moreBatches(wb, 1);
    await sql("CREATE TABLE unrelated (id int)");
    const migrations = holdAndMigrate(server(), database());
    await expect
      .poll(() => wb.status().store, eventually)
      .toMatchObject({ state: "down", error: expect.stringContaining("has locks on rows") as string });
    (await migrations).goOn();
    await (
      await migrations
    ).done;
    await moreBatches(wb, 1);

    await wb.pause();
    const written = await sql("SELECT count(*) FROM history");
    await sql("ALTER TABLE write_behind_kv ADD COLUMN noted_at timestamptz NOT NULL DEFAULT now()");
    await sql("VACUUM FULL write_behind_kv");
    await sql("REINDEX TABLE write_behind_position");
    expect(await sql("SELECT count(*) FROM history")).toEqual(written);
    await wb.resume();
    await moreBatches(wb, 1);
    await allIsRight(sql, wb, load);
  });
});

/** Somebody else's session. */
async function session(server: PostgresServer, name: string): Promise<Client> {
  const client = new Client({ connectionString: server.url(name) });
  await client.connect();
  return client;
}

/** A transaction that alters tables and stands still with its locks until it is told to go on; VACUUM FULL after it. */
async function holdAndMigrate(server: PostgresServer, name: string): Promise<{ goOn(): void; done: Promise<void> }> {
  let goOn = (): void => {};
  const told = new Promise<void>((resolve) => (goOn = resolve));
  const client = await session(server, name);
  await client.query("BEGIN; ALTER TABLE unrelated ADD COLUMN more int; LOCK TABLE write_behind_kv");
  const finish = async (): Promise<void> => {
    await told;
    await client.query("COMMIT");
    await client.query("VACUUM FULL write_behind_kv");
    await client.query("VACUUM FULL write_behind_position");
    await client.end();
  };
  return { goOn: () => goOn(), done: finish() };
}

/** What this process, with the writer's thread, holds after garbage has been collected. */
function used(): { heap: number; resident: number } {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}
