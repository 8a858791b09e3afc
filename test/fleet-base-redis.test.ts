/** PostgreSQL is down while much is written to a real Redis: its memory grows by record, and everything arrives. */
import { afterEach, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { RecordChange } from "../src/change.js";
import { nodeHost } from "../src/host/node-host.js";
import { partitionOf } from "../src/redis/partition.js";
import type { RedisKeeper } from "../src/redis/redis-keeper.js";
import type { RedisLink } from "../src/redis/redis-link.js";
import { startWorker } from "../src/redis/worker/start-worker.js";
import type { WorkerOptions } from "../src/redis/worker/report.js";
import { readRoutes } from "../src/routes/route.js";
import { postgres } from "../src/store/postgres/index.js";
import type { StoreDescriptor } from "../src/store/store.js";
import { fleetId, room, workerOptions } from "./fleet-kit.js";
import { keeperBy, linkTo } from "./keeper-kit.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";
import { put } from "./writer-world.js";

const partitions = 8;
const all = [...Array(partitions).keys()];
const eventually = { timeout: 60_000, interval: 20 };
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** An empty Redis with a fleet, seen by who writes. */
async function front(port: number): Promise<{ readonly link: RedisLink; readonly keeper: RedisKeeper }> {
  const link = await linkTo(port);
  ends.push(() => link.close());
  await link.command("FLUSHALL", []);
  const keeper = keeperBy(link);
  await keeper.fleet({ id: fleetId, partitions });
  return { link, keeper };
}

function start(port: number, store: StoreDescriptor, options: Partial<WorkerOptions> = {}): void {
  const worker = startWorker(
    nodeHost(),
    {
      cache: `redis://127.0.0.1:${port}`,
      fleet: fleetId,
      options: { ...workerOptions, delayMs: 10, leaseMs: 2000, retryMinMs: 10, retryMaxMs: 200, ...options },
      identity: { version: "0", pid: 1, host: "here" },
    },
    store,
    () => {},
  );
  ends.push(() => worker.stop(5000));
}

/** Writes each change as a frame of its own, one call for each partition. */
async function writeAll(keeper: RedisKeeper, changes: readonly RecordChange[]): Promise<void> {
  const calls = all.map((partition) => changes.filter(({ record }) => partitionOf(record, partitions) === partition));
  const write = async (partition: number, some: readonly RecordChange[]): Promise<void> => {
    if (some.length === 0) return;
    const frames = some.map((change) => ({ changes: [change], from: new Map() }));
    const outcomes = await keeper.write(partition, frames, room);
    expect(outcomes.every(({ became }) => became === "kept")).toBe(true);
  };
  await Promise.all(calls.map((some, partition) => write(partition, some)));
}

async function memoryOf(link: RedisLink): Promise<number> {
  const info = String(await link.command("INFO", ["memory"]));
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
}

const sum = async (
  keeper: RedisKeeper,
  pick: (state: Awaited<ReturnType<RedisKeeper["states"]>>["states"][0]) => number,
) => (await keeper.states(all)).states.reduce((total, state) => total + pick(state), 0);

async function drained(keeper: RedisKeeper): Promise<void> {
  const pending = (): Promise<number> =>
    sum(keeper, (state) => state.head.sequence - state.stored.sequence + state.pendingBytes + state.pendingRecords);
  await expect.poll(pending, eventually).toBe(0);
}

describeRedis("a database that is down", (redis) => {
  describePostgres("PostgreSQL", postgresVersions(), (server) => {
    async function database(name: string, sql: string): Promise<string> {
      await server().sql(`CREATE DATABASE ${name}`);
      if (sql !== "") await server().sql(sql, name);
      return server().url(name);
    }

    test(
      "200,000 writes to 2,000 records take at most five times the memory of the values",
      { timeout: 180_000 },
      async () => {
        const { link, keeper } = await front(redis().port);
        const names = Array.from({ length: 2000 }, (_, index) => `key:${index}`);
        const valueOf = (name: string, round: number): string => `${name} ${round} `.padEnd(100, "x");
        const empty = await memoryOf(link);
        await link.command(
          "MSET",
          names.flatMap((name) => [name, valueOf(name, 0)]),
        );
        const values = (await memoryOf(link)) - empty;
        await link.command("DEL", names);

        start(redis().port, postgres(await database("outage", "")));
        await writeAll(keeper, [put("first", "1")]);
        await drained(keeper);
        await server().kill();
        const before = await memoryOf(link);
        for (let round = 1; round <= 100; round++)
          await writeAll(
            keeper,
            names.map((name) => put(name, valueOf(name, round))),
          );
        await expect.poll(() => sum(keeper, ({ base }) => base?.records ?? 0), eventually).toBe(2000);
        await expect.poll(async () => ((await memoryOf(link)) - before) / values, eventually).toBeLessThanOrEqual(5);
        expect(await sum(keeper, ({ head, stored }) => head.sequence - stored.sequence)).toBe(200_000);
        await server().start();
        await drained(keeper);
        const rows = await server().sql("SELECT key, value FROM write_behind_kv_text", "outage");
        const expected = names.map((name) => `${name}|${valueOf(name, 100)}`);
        expect(new Set(rows)).toEqual(new Set([...expected, "first|1"]));
        expect(await sum(keeper, ({ letters }) => letters)).toBe(0);
      },
    );

    test("a row that comes before the one it refers to is stored, and not parked", { timeout: 120_000 }, async () => {
      const { link, keeper } = await front(redis().port);
      const url = await database(
        "family",
        `CREATE TABLE parents (id bigint PRIMARY KEY, name text NOT NULL);
         CREATE TABLE children (id bigint PRIMARY KEY, parent bigint NOT NULL REFERENCES parents);`,
      );
      const routes = readRoutes([
        { key: "parent:{id}", table: "parents" },
        { key: "child:{id}", table: "children" },
      ]);
      const row = (record: string, fields: Readonly<Record<string, string>>): RecordChange => {
        const content = new Map(Object.entries(fields)) as unknown as ReadonlyMap<Bytes, Bytes>;
        return { record: record as Bytes, change: { kind: "replace", content, expiresAt: null, afterRemove: false } };
      };
      const inFirst = (kind: string): string[] =>
        Array.from({ length: 400 }, (_, index) => `${index + 1}`)
          .filter((id) => partitionOf(`${kind}:${id}` as Bytes, partitions) === 0)
          .slice(0, 20);
      const [parents, children] = [inFirst("parent"), inFirst("child")];
      await server().kill();
      // One record a piece: so nothing but trying again brings a child behind its parent.
      start(redis().port, { ...postgres(url), routes }, { batchRecords: 1 });
      await writeAll(
        keeper,
        children.map((id, index) => row(`child:${id}`, { parent: parents[index] as string })),
      );
      for (let round = 0; round < 3; round++) {
        await writeAll(
          keeper,
          parents.map((id) => row(`parent:${id}`, { name: `${round} ${"x".repeat(4000)}` })),
        );
      }
      await expect.poll(() => sum(keeper, ({ base }) => base?.records ?? 0), eventually).toBe(40);
      await server().start();
      await drained(keeper);
      expect(await server().sql("SELECT count(*) FROM children", "family")).toEqual(["20"]);
      expect(await server().sql("SELECT count(*) FROM parents WHERE name LIKE '2 %'", "family")).toEqual(["20"]);
      expect(await link.command("ZCARD", ["write-behind:0:parkedFrames"])).toBe(0);
    });
  });
});
