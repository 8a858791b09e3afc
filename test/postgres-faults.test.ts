/**
 * PostgreSQL behind a bad network, and ended and started again, under a running engine. After each fault: what was
 * answered is in the database, nothing was written twice or out of order (a table that triggers keep tells), and
 * nobody had to do anything. Real server, real engine, a proxy between them.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { postgres } from "../src/store/postgres/index.js";
import type { WriteBehind } from "../src/library/library.js";
import { engineKit } from "./engine-kit.js";
import { TcpProxy } from "./tcp-proxy.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const eventually = { timeout: 20_000, interval: 5 };
const quick = { retryMinMs: 1, retryMaxMs: 50 };
/** In the protocol a client's Sync is the last message of what it has sent at once. */
const sync = Buffer.from([0x53, 0, 0, 0, 4]);

/** What triggers write down of every row that is written: who comes first has the smaller number. */
const history = `
  CREATE TABLE history (n bigserial, key text, value int);
  CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (key, value) VALUES (convert_from(new.key, 'UTF8'), convert_from(new.value, 'UTF8')::int);
    RETURN new;
  END $$;
  CREATE TRIGGER keep AFTER INSERT OR UPDATE ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION keep();
`;

describePostgres("PostgreSQL behind a bad network", postgresVersions(), (server) => {
  const { folder, start } = engineKit();
  let proxy: TcpProxy;
  let database = "";
  let count = 0;

  beforeAll(async () => {
    proxy = await TcpProxy.start(server().port);
  });
  afterAll(() => proxy.stop());
  beforeEach(async () => {
    database = `faults_${count++}`;
    await server().sql(`CREATE DATABASE ${database}`);
  });
  afterEach(() => proxy.heal());

  const sql = (text: string): Promise<string[]> => server().sql(text, database);

  function url(query = "statement_timeout=2000"): string {
    return `postgres://postgres@127.0.0.1:${proxy.port}/${database}?connect_timeout=1&${query}`;
  }

  async function engine(query?: string, data = folder()): Promise<WriteBehind> {
    const wb = await start(postgres(url(query)), { data, ...quick });
    await sql(history);
    return wb;
  }

  /** Writes rounds of ten keys until `until` says so; every value is larger than the one before. */
  class Load {
    readonly answered = new Map<string, number>();
    readonly #wb: WriteBehind;
    #value = 0;
    #stop = false;
    readonly #ended: Promise<void>;

    constructor(wb: WriteBehind) {
      this.#wb = wb;
      this.#ended = this.#run();
    }

    async #run(): Promise<void> {
      while (!this.#stop) {
        const value = (this.#value += 1);
        const key = `key:${value % 10}`;
        await this.#wb.set(key, value);
        this.answered.set(key, value);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }

    /** Waits until so many more writes are in the database. */
    async stored(more: number): Promise<void> {
      const goal = this.#value + more;
      await expect.poll(() => this.#value, eventually).toBeGreaterThan(goal);
    }

    async end(): Promise<void> {
      this.#stop = true;
      await this.#ended;
    }
  }

  /** Nothing lost, nothing twice, nothing out of order. */
  async function allIsRight(wb: WriteBehind, load: Load): Promise<void> {
    await load.end();
    await wb.flush();
    const rows = await sql("SELECT key || '=' || value FROM write_behind_kv_text ORDER BY 1");
    expect(rows).toEqual([...load.answered].map(([key, value]) => `${key}=${value}`).toSorted());
    const twice = "SELECT key, value, count(*) FROM history GROUP BY 1, 2 HAVING count(*) > 1";
    expect(await sql(twice)).toEqual([]);
    const back =
      "SELECT * FROM (SELECT key, value, lag(value) OVER (PARTITION BY key ORDER BY n) AS before FROM history) AS h " +
      "WHERE before >= value";
    expect(await sql(back)).toEqual([]);
    await expect
      .poll(() => wb.status(), eventually)
      .toMatchObject({ state: "running", store: { state: "up", error: null }, queue: { pendingChanges: 0 } });
    expect(wb.status().deadLetters.count).toBe(0);
  }

  /** Batches that were committed, as the engine has heard of them. */
  function batches(wb: WriteBehind): () => number {
    let seen = 0;
    wb.on("batch", () => seen++);
    return () => seen;
  }

  async function moreBatches(wb: WriteBehind, many: number): Promise<void> {
    const seen = batches(wb);
    await expect.poll(seen, eventually).toBeGreaterThanOrEqual(many);
  }

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
    await allIsRight(wb, load);
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
    await allIsRight(wb, load);
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
    await allIsRight(wb, load);
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
    await allIsRight(wb, load);
  });

  test("the other side says goodbye and listens still", async () => {
    const wb = await engine();
    const load = new Load(wb);
    for (let n = 0; n < 5; n++) {
      await moreBatches(wb, 1);
      proxy.halfClose();
    }
    await moreBatches(wb, 1);
    await allIsRight(wb, load);
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
      .poll(() => sql(`${open} AND pid <> pg_backend_pid() AND datname = '${database}'`), eventually)
      .toEqual(["0"]);
    proxy.heal();
    await moreBatches(wb, 1);
    await allIsRight(wb, load);
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
    const inTransaction = `SELECT count(*) ${open} AND xact_start IS NOT NULL AND datname = '${database}'`;
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
