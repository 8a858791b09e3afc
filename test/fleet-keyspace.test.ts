/** All keys of a fleet: what is in its Redis and what only the database has, as every one of its processes sees it. */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { redis as redisCache } from "../src/redis/index.js";
import { postgres } from "../src/store/postgres/index.js";
import { allKeys, scanned } from "./keyspace-kit.js";
import { refusalOf } from "./routes-kit.js";
import { serveOver, type Engine } from "./server-setup.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

describeRedis("all keys of a fleet, before a Redis", (redisServer) =>
  describePostgres("and PostgreSQL", postgresVersions(), (database) => {
    type Start = (options?: Readonly<Record<string, unknown>>) => Promise<[Engine, Redis]>;

    async function place(index: number): Promise<Start> {
      const schema = `s${randomBytes(4).toString("hex")}`;
      await database().sql(`CREATE SCHEMA ${schema}`);
      const cache = redisCache(`redis://127.0.0.1:${redisServer().port}/${index}`);
      const store = postgres(database().url(), { ownSchema: schema });
      return async (options = {}) => {
        const given = { durability: "memory", partitions: 4, leaseMs: 1000, retryMaxMs: 200, ...options };
        const engine = await serveOver({ cache, store }, given);
        const client = new Redis({ port: engine.port, host: "127.0.0.1" });
        onTestFinished(async () => {
          client.disconnect();
          await engine.stop();
        });
        return [engine, client];
      };
    }

    test("pending, removed, stored, forgotten by the Redis", { timeout: 60_000 }, async () => {
      const start = await place(1);
      const [{ heart }, client] = await start();
      const [, other] = await start({ worker: false });
      expect(await allKeys(client)).toEqual([]);
      for (const name of ["a", "b", "c", "d"]) await client.set(name, "1");
      await client.hset("h", "f", "1");
      await heart.flush();
      await heart.pause();
      await client.del("b");
      await client.set("e", "1");
      await client.pexpire("c", 1);
      await expect.poll(() => client.exists("c")).toBe(0);
      const now = ["a", "d", "e", "h"];
      expect(await allKeys(client)).toEqual(now);
      expect(await allKeys(other)).toEqual(now);
      await heart.resume();
      await heart.flush();
      expect(await allKeys(other)).toEqual(now);
      const bare = new Redis({ port: redisServer().port, host: "127.0.0.1", db: 1 });
      onTestFinished(() => bare.disconnect());
      // As an eviction does: what is clean is forgotten.
      await bare.del("a", "d");
      expect(await allKeys(other)).toEqual(now);
      expect(await scanned(other, "TYPE", "hash")).toEqual(["h"]);
    });

    test("resident is refused", async () => {
      const start = await place(2);
      expect((await refusalOf(start({ resident: true }))).message).toContain("resident");
    });
  }),
);
