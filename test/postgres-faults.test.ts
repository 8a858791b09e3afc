/**
 * PostgreSQL behind a bad network, and ended and started again, under a running engine. After each fault: what was
 * answered is in the database, nothing was written twice or out of order (a table that triggers keep tells), and
 * nobody had to do anything. Real server, real engine, a proxy between them.
 */
import { beforeAll, expect, test } from "vitest";
import { postgres } from "../src/store/postgres/index.js";
import { allIsRight, batches, eventually, faultsKit, Load, moreBatches, quick } from "./postgres-faults-kit.js";
import type { TcpProxy } from "./tcp-proxy.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

/** In the protocol a client's Sync is the last message of what it has sent at once. */
const sync = Buffer.from([0x53, 0, 0, 0, 4]);

describePostgres("PostgreSQL behind a bad network", postgresVersions(), (server) => {
  const { folder, start, url, engine, sql, database, proxy: proxyOf } = faultsKit(server);
  let proxy: TcpProxy;
  beforeAll(() => (proxy = proxyOf()));

  test("the connection is lost again and again, before, in the midst of and behind a commit", async () => {
    const wb = await engine();
    const load = new Load(wb);
    let cuts = 0;
    // At another byte each time: of what the client sends, and of what the server answers.
    let budget = 3000;
    proxy.onData = (side, data, way) => {
      budget -= data.length;
      if (budget > 0) return true;
      budget = 1000 + ((cuts * 7919) % 9000);
      cuts++;
      if (side === "client") way.server.write(data.subarray(0, data.length >> 1));
      way.client.resetAndDestroy();
      way.server.destroy();
      return false;
    };
    await expect.poll(() => cuts, eventually).toBeGreaterThan(25);
    proxy.onData = null;
    await allIsRight(sql, wb, load);
  });

  test("the answer to COMMIT is lost: it is not written again", async () => {
    const wb = await engine();
    const load = new Load(wb);
    await moreBatches(wb, 2);
    let lost = 0;
    // A large enough part of what the client sends ends with Sync: the server does it all, and nobody hears of it.
    proxy.onData = (side, data, way) => {
      if (side === "client") return true;
      if (lost >= 5 || !data.includes("COMMIT")) return true;
      lost++;
      way.client.resetAndDestroy();
      way.server.destroy();
      return false;
    };
    await expect.poll(() => lost, eventually).toBe(5);
    await moreBatches(wb, 2);
    await allIsRight(sql, wb, load);
  });

  test("nobody can connect for a while: writes go on, and are stored afterwards", async () => {
    const wb = await engine();
    const load = new Load(wb);
    await moreBatches(wb, 1);
    proxy.refuse();
    await expect.poll(() => wb.status().store, eventually).toMatchObject({ state: "down" });
    const before = load.answered.get("key:1") ?? 0;
    await expect.poll(() => load.answered.get("key:1"), eventually).toBeGreaterThan(before);
    proxy.heal();
    await moreBatches(wb, 1);
    await allIsRight(sql, wb, load);
  });

  test("connections are cut while they are made", async () => {
    const wb = await engine();
    const load = new Load(wb);
    let cuts = 0;
    proxy.cut();
    proxy.onData = (_side, _data, way) => {
      if (cuts >= 10) return true;
      cuts++;
      way.client.resetAndDestroy();
      way.server.destroy();
      return false;
    };
    await expect.poll(() => cuts, eventually).toBe(10);
    await moreBatches(wb, 1);
    await allIsRight(sql, wb, load);
  });

  test("the other side says goodbye and listens still", async () => {
    const wb = await engine();
    const load = new Load(wb);
    for (let n = 0; n < 5; n++) {
      await moreBatches(wb, 1);
      proxy.halfClose();
    }
    await moreBatches(wb, 1);
    await allIsRight(sql, wb, load);
  });

  test("everything is swallowed: the writer hangs up in time, and the row that it held is free", async () => {
    const wb = await engine("statement_timeout=2000&idle_in_transaction_session_timeout=300&lock_timeout=300");
    const load = new Load(wb);
    await moreBatches(wb, 3);
    // The compare-and-set gets through and the rest does not: the server has a transaction that goes no further.
    let swallowing = false;
    proxy.onData = (side, data, way) => {
      if (side === "client" && !swallowing && data.length > 200 && data.includes(sync)) {
        swallowing = true;
        way.server.write(data.subarray(0, data.length - 40));
        return false;
      }
      return !swallowing;
    };
    await expect.poll(() => swallowing, eventually).toBe(true);
    const open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE '%transaction%' OR state = 'active'";
    await expect
      .poll(() => sql(`${open} AND pid <> pg_backend_pid() AND datname = '${database()}'`), eventually)
      .toEqual(["0"]);
    proxy.heal();
    await moreBatches(wb, 1);
    await allIsRight(sql, wb, load);
  });

  test("stopped while it sends a large batch: the server waits, and the position's row is free", async () => {
    const wb = await engine("idle_in_transaction_session_timeout=60000");
    await wb.set("warm", 1);
    await wb.flush();
    let held = false;
    proxy.onData = (side, data, way) => {
      if (side === "client" && data.includes(sync) && data.length > 300) {
        held = true;
        way.server.write(data.subarray(0, data.length - 200));
        return false;
      }
      return !held || side === "server";
    };
    await Promise.all(Array.from({ length: 3000 }, (_, n) => wb.set(`large:${n}`, 7)));
    await expect.poll(() => held, eventually).toBe(true);
    const open = "FROM pg_stat_activity WHERE application_name LIKE '%writer'";
    const inTransaction = `SELECT count(*) ${open} AND xact_start IS NOT NULL AND datname = '${database()}'`;
    await expect.poll(() => sql(inTransaction), eventually).toEqual(["1"]);
    expect(await sql("SELECT sequence FROM write_behind_position FOR UPDATE NOWAIT")).toHaveLength(1);
    expect(await sql(inTransaction)).toEqual(["1"]);
    proxy.heal();
    await wb.flush();
    expect(await sql("SELECT count(*) FROM history")).toEqual(["3001"]);
  });

  test("slow: 3 ms each way, and a commit is one round trip", async () => {
    const wb = await engine();
    let trips = 0;
    proxy.delayMs = 3;
    await wb.set("warm", 1);
    await wb.flush();
    const committed = batches(wb);
    let last: string | null = null;
    proxy.onData = (side) => {
      if (side === "client" && last !== side) trips++;
      last = side;
      return true;
    };
    for (let n = 1; n <= 10; n++) {
      await wb.set("a", n);
      await wb.set(`b${n}`, n);
      await wb.flush();
    }
    expect(trips).toBe(committed());
    expect(await sql("SELECT value FROM write_behind_kv_text WHERE key = 'a'")).toEqual(["10"]);
  });

  test("the server is stopped, crashes, and comes back: again and again", async () => {
    const wb = await engine();
    const load = new Load(wb);
    for (const end of ["shutDown", "kill", "shutDown"] as const) {
      await moreBatches(wb, 2);
      await server()[end]();
      await expect.poll(() => wb.status().store, eventually).toMatchObject({ state: "down" });
      await wb.set("meanwhile", 1).catch(() => {});
      await server().start();
    }
    load.answered.set("meanwhile", 1);
    await moreBatches(wb, 1);
    await load.end();
    await wb.flush();
    const rows = await sql("SELECT key || '=' || value FROM write_behind_kv_text ORDER BY 1");
    expect(rows).toEqual([...load.answered].map(([key, value]) => `${key}=${value}`).toSorted());
    expect(
      await sql("SELECT key FROM history WHERE key <> 'meanwhile' GROUP BY key, value HAVING count(*) > 1"),
    ).toEqual([]);
  });

  test("a row that kills its connection whenever it is written is found, and set aside", async () => {
    const wb = await engine();
    await sql(`
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF new.key = 'bad' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
        RETURN new;
      END $$;
      CREATE TRIGGER die BEFORE INSERT ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION die();
    `);
    await Promise.all(["a", "b", "bad", "c", "d"].map((key) => wb.set(key, 1)));
    await wb.flush();
    expect(wb.status().deadLetters.count).toBe(1);
    const { items } = await wb.deadLetters();
    expect(items[0]?.reason).toMatch(/ended the connection|broke off the connection/);
    expect(await sql("SELECT key FROM write_behind_kv_text ORDER BY 1")).toEqual(["a", "b", "c", "d"]);
    expect(await wb.get("bad")).toBe("1");
  });

  test("it starts while the database is away, serves what the journal has, and stores it when it is there", async () => {
    const data = folder();
    const first = await engine(undefined, data);
    await first.set("a", 1);
    await first.flush();
    proxy.refuse();
    await first.set("a", 2);
    await first.close({ deadlineMs: 0 });
    const second = await start(postgres(url()), { data, ...quick });
    expect(await second.get("a")).toBe("2");
    proxy.heal();
    await second.flush();
    expect(await sql("SELECT value FROM write_behind_kv_text")).toEqual(["2"]);
    expect(await sql("SELECT value FROM history ORDER BY n")).toEqual(["1", "2"]);
  });
});
