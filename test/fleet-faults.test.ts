/** Faults of a fleet, one at a time: lost answers, a worker that stands still, a Redis that comes back wrong. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { writeBehind, type WriteBehind } from "../src/index.js";
import { redis as redisCache } from "../src/redis/index.js";
import { postgres } from "../src/store/postgres/index.js";
import { WorkerProcess } from "./fleet-crash/child.js";
import { watchWritten } from "./fleet-crash/database.js";
import { alwaysOnDisk, RedisProcess } from "./fleet-crash/redis-process.js";
import { TcpProxy } from "./tcp-proxy.js";
import type { PostgresServer } from "./postgres-server.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeWith } from "./with-programs.js";

const leaseMs = 600;
const partitions = 4;

describeWith(["redis-server"], "a fleet", () => {
  describePostgres("and one fault", postgresVersions(), (server) => body(server));
});

/** Fails a test whose promise hangs. */
const patient = { timeout: 20_000, interval: 20 };

let database = 0;

/** The next row that is written takes a minute; those after it none. */
const sleepsOnce = `
  CREATE SEQUENCE sleeps;
  CREATE FUNCTION sleep_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('sleeps') = 1 THEN PERFORM pg_sleep(60); END IF;
    RETURN new;
  END $$;
  CREATE TRIGGER sleep_once BEFORE INSERT OR UPDATE ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION sleep_once();
`;

function body(server: () => PostgresServer): void {
  let redis: RedisProcess;
  let name = "";
  const ends: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    redis = await RedisProcess.start();
    name = `fleet${++database}`;
    await server().sql(`CREATE DATABASE ${name}`);
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await redis.end();
  });

  async function open(options: Readonly<Record<string, unknown>> = {}, port = redis.port): Promise<WriteBehind> {
    const cache = redisCache(`redis://127.0.0.1:${port}`);
    const given = { waitMs: 1000, retryMaxMs: 200, delayMs: 20, leaseMs, partitions, ...options };
    const wb = await writeBehind({ cache, store: postgres(server().url(name)), ...given });
    ends.push(() => wb.close({ deadlineMs: 0 }));
    return wb;
  }

  async function proxyTo(port: number): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(port);
    ends.push(() => proxy.stop());
    return proxy;
  }

  const value = async (key: string): Promise<string | undefined> =>
    (
      await server()
        .sql(`SELECT value FROM write_behind_kv WHERE key = '${key}'`, name)
        .catch(() => [])
    )[0];

  describe("an answer that is lost between an application and Redis", () => {
    for (const how of ["cut", "halfClose"] as const) {
      test(`is UNKNOWN where the connection is ${how === "cut" ? "cut" : "half closed"}, and the write is there once`, async () => {
        const proxy = await proxyTo(redis.port);
        const wb = await open({}, proxy.port);
        expect(await wb.increment("n")).toBe(1);
        // The script is there: else the answer that is lost would be that it is not.
        await wb.set("k", "before");
        await wb.flush();
        // Redis has answered this one write, and nobody hears it.
        let written: object | null = null;
        proxy.onData = (side, data, way) => {
          if (side === "client" && data.includes("not-heard")) written = way;
          if (side === "client" || way !== written) return true;
          if (how === "cut") proxy.cut();
          else proxy.halfClose();
          return false;
        };
        await expect(wb.set("k", "not-heard")).rejects.toMatchObject({ code: "UNKNOWN" });
        proxy.heal();
        await vi.waitFor(async () => expect(await wb.get("k")).toBe("not-heard"), patient);
        await wb.flush();
        expect(await value("k")).toBe("not-heard");
        expect(await wb.increment("n")).toBe(2);
      });
    }

    test("a Redis that says nothing is UNKNOWN within the time for an answer, and CACHE_DOWN after it", async () => {
      const proxy = await proxyTo(redis.port);
      const wb = await open({ worker: false }, proxy.port);
      await wb.set("k", "1");
      proxy.blackHole();
      const began = performance.now();
      await expect(wb.set("k", "2")).rejects.toMatchObject({ code: "UNKNOWN" });
      expect(performance.now() - began).toBeLessThan(1000 + 10_000 + 2000);
      await expect(wb.set("k", "3")).rejects.toMatchObject({ code: expect.stringMatching(/CACHE_DOWN|UNKNOWN/) });
    }, 40_000);
  });

  describe("a worker stands still in the midst of a commit, beyond its lease", () => {
    test("another takes over within two leases and 5 s; what the first had begun never happens", async () => {
      const [longLeaseMs, places] = [2000, { redisPort: redis.port, postgresPort: server().port }];
      const flags = [
        "--lease-ms",
        String(longLeaseMs),
        "--delay-ms",
        "0",
        "--retry-max-ms",
        "200",
        "--partitions",
        "1",
      ];
      const start = async (): Promise<WorkerProcess> => {
        const worker = await WorkerProcess.start(places, flags, name);
        ends.push(() => worker.end("SIGKILL"));
        expect(await worker.ready()).toBe(true);
        return worker;
      };
      const first = await start();
      const wb = await open({ worker: false, partitions: 1, leaseMs: longLeaseMs });
      await wb.set("k", "0-1-");
      await wb.flush();
      const written = await watchWritten(server().url(name));
      await server().sql(sleepsOnce, name);
      await wb.set("k", "0-2-");
      // The commit has moved the position, and does not come to its end.
      const sleeping =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
      await vi.waitFor(async () => expect(await server().sql(sleeping, name)).toEqual(["1"]), patient);
      const claim = async () => (await server().sql("SELECT generation FROM write_behind_position", name))[0];
      const before = await claim();
      expect(before).toBeDefined();
      first.stop();
      const stoppedAt = performance.now();
      await start();
      await vi.waitFor(async () => expect(await claim()).not.toBe(before), patient);
      expect(performance.now() - stoppedAt).toBeLessThan(2 * longLeaseMs + 5000);
      await vi.waitFor(async () => expect(await value("k")).toBe("0-2-"), patient);
      for (const text of ["0-3-", "0-4-"]) {
        await wb.set("k", text);
        await wb.flush();
        // It goes on, and finds that it has lost all.
        first.go();
      }
      await vi.waitFor(() => expect(wb.status().fleet?.workers).toHaveLength(2), patient);
      await wb.set("k", "0-5-");
      await wb.flush();
      expect(await value("k")).toBe("0-5-");
      const values = (await written()).filter((row) => row.name === "k").map((row) => row.value);
      expect(values).toEqual(["0-2-", "0-3-", "0-4-", "0-5-"]);
    }, 60_000);
  });

  describe("a Redis that comes back empty", () => {
    test("is named by who wrote there; nothing is answered into a queue whose database is another fleet's", async () => {
      await redis.end();
      redis = await RedisProcess.start(["--appendonly", "no"]);
      const options = { durability: "memory" } as const;
      const wb = await open(options);
      await wb.set("k", "v");
      await wb.flush();
      await redis.kill();
      await redis.start();
      await expect(wb.set("k", "lost?")).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
      await expect(wb.increment("n")).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
      await expect(wb.get("k")).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
      await vi.waitFor(() => expect(wb.status()).toMatchObject({ state: "broken" }), patient);
      expect(wb.status().reason).toMatch(/does not hold the queue/);
      expect(await value("k")).toBe("v");
      expect(await value("n")).toBeUndefined();
    });

    test("a process that comes later makes no other fleet in front of the same database", async () => {
      await redis.end();
      redis = await RedisProcess.start(["--appendonly", "no"]);
      const options = { durability: "memory" } as const;
      const wb = await open(options);
      await wb.set("k", "v");
      await wb.flush();
      await wb.close();
      await redis.kill();
      await redis.start();
      const outcome = await open(options)
        .then(
          (late) => late.set("k", "into nowhere").then(() => "answered"),
          (error: { code: string }) => error.code,
        )
        .catch((error: { code: string }) => error.code);
      expect(outcome).toBe("QUEUE_MISMATCH");
      expect(await value("k")).toBe("v");
    });
  });

  describe("a Redis that comes back older", () => {
    test("is found by the worker before it writes: the partition stops, and everybody says so", async () => {
      const wb = await open({ partitions: 1 });
      await wb.set("k", "old");
      await wb.flush();
      await redis.kill();
      const copy = redis.take();
      await redis.start();
      await vi.waitFor(async () => void (await wb.set("k", "new")), patient);
      await wb.set("other", "new");
      await wb.flush();
      await redis.kill();
      redis.bring(copy);
      await redis.start();
      await vi.waitFor(() => expect(wb.status()).toMatchObject({ state: "broken" }), patient);
      await vi.waitFor(() => expect(wb.status().reason).toMatch(/older than the database|has forked/), patient);
      await expect(wb.set("k", "over")).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
      await expect(wb.get("k")).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
      expect(await value("k")).toBe("new");
    });

    test("also where applications write at once, more than is missing: it is a fork", async () => {
      const wb = await open({ partitions: 1 });
      await wb.set("k", "old");
      await wb.flush();
      await redis.kill();
      const copy = redis.take();
      await redis.start();
      await vi.waitFor(async () => void (await wb.set("k", "new")), patient);
      await wb.flush();
      await redis.kill();
      redis.bring(copy);
      await redis.start();
      for (let i = 0; i < 20; i++) await wb.set("k", `fork ${i}`).catch(() => {});
      await vi.waitFor(() => expect(wb.status().reason).toMatch(/older than the database|has forked/), patient);
      await expect(wb.set("k", "over")).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
      expect(await value("k")).toBe("new");
    });
  });

  test("with `appendfsync always` a Redis that is killed has everything that was answered", async () => {
    expect(alwaysOnDisk).toContain("always");
    const wb = await open();
    let answered = 0;
    for (let kills = 0; kills < 3; kills++) {
      const writing = (async () => {
        for (;;) {
          try {
            answered = await wb.increment("n");
          } catch {
            return;
          }
        }
      })();
      const target = answered + 50;
      await vi.waitFor(() => expect(answered).toBeGreaterThan(target), patient);
      await redis.kill();
      await writing;
      await redis.start();
      const found = await vi.waitFor(async () => Number(await wb.get("n")), patient);
      expect([answered, answered + 1]).toContain(found);
    }
  });
}
