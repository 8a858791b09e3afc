/** Workers of a fleet on a real Redis and a real PostgreSQL: they drain, take over, and wait for each other's rows. */
import { afterEach, expect, test, vi } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { RecordChange } from "../src/change.js";
import { systemClock } from "../src/host/clock.js";
import { nodeHost } from "../src/host/node-host.js";
import { systemRandom } from "../src/host/random.js";
import { parkedOfBytes } from "../src/redis/parked-change.js";
import { partitionOf } from "../src/redis/partition.js";
import { RedisKeeper } from "../src/redis/redis-keeper.js";
import { openLink, type RedisLink } from "../src/redis/redis-link.js";
import { startWorker } from "../src/redis/worker/start-worker.js";
import type { WorkerOptions } from "../src/redis/worker/report.js";
import type { WorkerHandle, WorkerTold } from "../src/redis/worker/worker-messages.js";
import { readRoutes } from "../src/routes/route.js";
import { memoryStore } from "../src/store/memory/memory-store.js";
import { postgres } from "../src/store/postgres/index.js";
import type { Store, StoreDescriptor } from "../src/store/store.js";
import { fleetId, room, workerOptions } from "./fleet-kit.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";
import { put } from "./writer-world.js";

const eventually = { timeout: 20_000, interval: 5 };
const partitions = 8;
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A front's way to the Redis, which is empty. */
async function frontOf(port: number): Promise<{ readonly link: RedisLink; readonly keeper: RedisKeeper }> {
  const link = await openLink(`redis://127.0.0.1:${port}`, { clock: systemClock(), waitMs: 5000 });
  ends.push(() => link.close());
  await link.command("FLUSHALL", []);
  const confirmation = { wait: "none", timeoutMs: 1000 } as const;
  const random = systemRandom();
  const keeper = new RedisKeeper({ place: "here", link, writing: link, random, confirmation, absentMs: 60_000 });
  await keeper.fleet({ id: fleetId, partitions });
  return { link, keeper };
}

async function write(keeper: RedisKeeper, ...changes: RecordChange[]): Promise<void> {
  const writes = changes.map((change) =>
    keeper.write(partitionOf(change.record, partitions), [{ changes: [change], from: new Map() }], room),
  );
  for (const [outcome] of await Promise.all(writes)) expect(outcome).toMatchObject({ became: "kept" });
}

async function pending(keeper: RedisKeeper): Promise<number> {
  const { states } = await keeper.states([...Array(partitions).keys()]);
  const open = states.filter(({ head, stored }) => head.sequence !== stored.sequence).length;
  return open + states.reduce((sum, { pendingRecords, pendingBytes }) => sum + pendingRecords + pendingBytes, 0);
}

async function drained(keeper: RedisKeeper): Promise<void> {
  await expect.poll(() => pending(keeper), eventually).toBe(0);
}

function start(
  port: number,
  store: Store | StoreDescriptor,
  options: Partial<WorkerOptions> = {},
): { readonly worker: WorkerHandle; readonly told: WorkerTold[] } {
  const told: WorkerTold[] = [];
  const setup = {
    cache: `redis://127.0.0.1:${port}`,
    fleet: fleetId,
    options: { ...workerOptions, delayMs: 10, leaseMs: 1000, retryMinMs: 1, retryMaxMs: 100, ...options },
    identity: { version: "0", pid: 1, host: "here" },
  };
  const worker = startWorker(nodeHost(), setup, store, (each) => told.push(each));
  ends.push(() => worker.stop(5000));
  return { worker, told };
}

function owned({ report }: WorkerHandle): number {
  return report?.partitions.filter(({ state }) => state === "running").length ?? 0;
}

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `key:${index}`);

describeRedis("workers on a real Redis", (redis) => {
  test("two share the partitions and drain; one leaves, and the other goes on with all", async () => {
    const { keeper } = await frontOf(redis().port);
    const database = memoryStore();
    const one = start(redis().port, database.connect());
    const two = start(redis().port, database.connect());
    await expect.poll(() => [owned(one.worker), owned(two.worker)], eventually).toEqual([4, 4]);
    await write(keeper, ...keys(500).map((key) => put(key, "1")));
    await drained(keeper);
    await two.worker.stop(5000);
    await write(keeper, ...keys(500).map((key) => put(key, "2")));
    await expect.poll(() => owned(one.worker), eventually).toBe(8);
    await drained(keeper);
    expect(database.rows().size).toBe(500);
    expect([...database.rows().values()].every(({ content }) => content === "2")).toBe(true);
  });

  test("who waits is heard at once, and what is clean has a time to live", async () => {
    const { link, keeper } = await frontOf(redis().port);
    const database = memoryStore();
    // It would wait for company for an hour: only who hurries is served.
    const one = start(redis().port, database, { delayMs: 3_600_000, queueBytes: 1e12, batchBytes: 1e9 });
    await expect.poll(() => owned(one.worker), eventually).toBe(8);
    await write(keeper, put("k", "v"));
    const partition = partitionOf("k" as Bytes, partitions);
    await vi.waitFor(async () => {
      await keeper.tell({ kind: "hurry", partition, sequence: 1 });
      expect(database.rows().size).toBe(1);
    }, eventually);
    await drained(keeper);
    // What is clean may be forgotten; what is pending has no time to live.
    expect(Number(await link.command("PTTL", ["k"]))).toBeGreaterThan(0);
  });

  test("a URL that is wrong is said", async () => {
    const told: WorkerTold[] = [];
    const setup = { fleet: fleetId, options: workerOptions, identity: { version: "0", pid: 1, host: "here" } };
    const worker = startWorker(nodeHost(), { ...setup, cache: "http://x" }, memoryStore(), (each) => told.push(each));
    await expect.poll(() => told, eventually).toMatchObject([{ type: "failed", error: { code: "CONFIG" } }]);
    expect(await worker.stop(1000)).toBe(true);
  });

  describePostgres("and PostgreSQL", postgresVersions(), (server) => {
    async function database(name: string, sql: string): Promise<string> {
      await server().sql(`CREATE DATABASE ${name}`);
      if (sql !== "") await server().sql(sql, name);
      return server().url(name);
    }

    test("a worker on a thread of its own drains; another one takes over", async () => {
      const { keeper } = await frontOf(redis().port);
      const url = await database("drain", "");
      const one = start(redis().port, postgres(url));
      await write(keeper, ...keys(2000).map((key) => put(key, "1")));
      await drained(keeper);
      const two = start(redis().port, postgres(url));
      await expect.poll(() => [owned(one.worker), owned(two.worker)], eventually).toEqual([4, 4]);
      await write(keeper, ...keys(2000).map((key) => put(key, "2")));
      expect(await one.worker.stop(5000)).toBe(true);
      await drained(keeper);
      const rows = "SELECT count(*), min(value), max(value) FROM write_behind_kv_text";
      expect(await server().sql(rows, "drain")).toEqual(["2000|2|2"]);
      expect(two.worker.report?.store).toMatchObject({ kind: "postgres", state: "up" });
    });

    test("what refers to rows of other partitions is stored, also where they wait for each other", async () => {
      const { keeper, link } = await frontOf(redis().port);
      const tables = `CREATE TABLE teams (id bigint PRIMARY KEY, name text NOT NULL);
        CREATE TABLE players (id bigint PRIMARY KEY, team bigint NOT NULL REFERENCES teams);`;
      const url = await database("teams", tables);
      const routes = readRoutes([
        { key: "team:{id}", table: "teams" },
        { key: "player:{id}", table: "players" },
      ]);
      start(redis().port, { ...postgres(url), routes });
      const row = (record: string, fields: Record<string, string>): RecordChange => ({
        record: record as Bytes,
        change: {
          kind: "replace",
          content: new Map(Object.entries(fields)) as unknown as ReadonlyMap<Bytes, Bytes>,
          expiresAt: null,
          afterRemove: false,
        },
      });
      // Where only one waits nothing is parked, not for a moment.
      const [child, parent] = ["player:1000", "team:1001"];
      expect(partitionOf(child as Bytes, partitions)).not.toBe(partitionOf(parent as Bytes, partitions));
      await write(keeper, row(child, { team: "1001" }), row(parent, { name: "x" }));
      await drained(keeper);
      expect(await server().sql("SELECT id, team FROM players", "teams")).toEqual(["1000|1001"]);
      const parkedOnce = ["ZCARD", `write-behind:${partitionOf(child as Bytes, partitions)}:parkedFrames`] as const;
      expect(await link.command(parkedOnce[0], [parkedOnce[1]])).toBe(0);
      // Players of all partitions are written before their teams: each partition waits for some other.
      const ids = Array.from({ length: 40 }, (_, index) => String(index + 1));
      for (const id of ids) await write(keeper, row(`player:${id}`, { team: String((Number(id) % 40) + 1) }));
      for (const id of ids) await write(keeper, row(`team:${id}`, { name: id }));
      await drained(keeper);
      const letters = async (): Promise<number> => {
        const { states } = await keeper.states([...Array(partitions).keys()]);
        return states.reduce((sum, state) => sum + state.letters, 0);
      };
      await expect.poll(letters, eventually).toBe(0);
      expect(await server().sql("SELECT count(*) FROM players", "teams")).toEqual(["41"]);
      await write(keeper, row("player:100", { team: "100" }));
      await drained(keeper);
      const partition = partitionOf("player:100" as Bytes, partitions);
      const parked = await link.command("HGET", [`write-behind:${partition}:parked`, "player:100"]);
      expect(parkedOfBytes(parked as Bytes).change).toMatchObject({ kind: "replace" });
      expect((await keeper.states([partition])).states[0]).toMatchObject({ letters: 1 });
    });
  });
});
