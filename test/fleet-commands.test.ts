/** The server with cache and queue in a Redis: the same replies as redis-server; what was answered is in PostgreSQL. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { redis as redisCache } from "../src/redis/index.js";
import { postgres } from "../src/store/postgres/index.js";
import { keys, pair, pipelines, sameReplies, second, streamOf, talk, withSecondsOf } from "./command-pipelines.js";
import { command, RawClient, serveOver, until, type Engine } from "./server-setup.js";
import { startRedis, type RunningServer } from "./servers.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

const empty = ["DEL", ...keys];

describeRedis("a server before a Redis", (redisServer) =>
  describePostgres("and PostgreSQL", postgresVersions(), (database) => {
    /** Has one database, as a server of ours: SELECT says the same. */
    let rival: RunningServer;
    beforeAll(async () => {
      rival = await startRedis(["--databases", "1"]);
    });
    afterAll(() => rival.stop());
    let index = -1;

    /** A place for cache, queue and rows that nobody has used; gives what serves there. */
    async function place(): Promise<(engine?: Readonly<Record<string, unknown>>) => Promise<Engine>> {
      const schema = `s${randomBytes(4).toString("hex")}`;
      await database().sql(`CREATE SCHEMA ${schema}`);
      index++;
      const cache = redisCache(`redis://127.0.0.1:${redisServer().port}/${index}`);
      const store = postgres(database().url(), { ownSchema: schema });
      // One partition: so a command may name any keys.
      const given = { durability: "memory", partitions: 1, leaseMs: 1000, retryMaxMs: 200 };
      return (engine = {}) => serveOver({ cache, store }, { ...given, ...engine });
    }

    /** A client of ours and one of the rival, which holds nothing, as ours does: keys are not only made of `keys`. */
    async function clientsOf(port: number, protocol: number): ReturnType<typeof pair> {
      const clients = await pair(port, rival.port, protocol);
      await talk(clients[1], command("FLUSHALL"));
      return clients;
    }

    const rounds = Number(process.env["DIFFERENTIAL_RUNS"] ?? 1500);

    for (const protocol of [2, 3]) {
      test(`the same replies as redis-server, RESP${protocol}`, { timeout: 120_000 }, async () => {
        const { port, stop } = await (await place())();
        const clients = await clientsOf(port, protocol);
        await fc.assert(sameReplies(clients, pipelines, empty), { numRuns: rounds / 10 });
        await stop();
      });
    }

    test(
      "the same replies where the cache forgets everything between two pipelines",
      { timeout: 120_000 },
      async () => {
        const { port, stop, heart } = await (await place())();
        const [ours, theirs] = await clientsOf(port, 2);
        const cache = new Redis({ port: redisServer().port, host: "127.0.0.1", db: index });
        onTestFinished(() => cache.disconnect());
        const check = fc.asyncProperty(pipelines, second, async (before, after) => {
          for (const commands of [[empty, ...before], after]) {
            await heart.flush();
            for (const name of keys) await cache.del(name);
            const stream = streamOf(commands);
            const [mine, other] = await Promise.all([talk(ours, stream), talk(theirs, stream)]);
            expect(withSecondsOf(other, mine, commands)).toEqual(other);
          }
        });
        await fc.assert(check, { numRuns: Math.ceil(rounds / 50) });
        await stop();
      },
    );

    test("RENAME between partitions is refused as every write to several is, and changes nothing", async () => {
      const start = await place();
      const { port, stop } = await start({ partitions: 16 });
      const client = new Redis({ port, host: "127.0.0.1", retryStrategy: () => null });
      onTestFinished(() => client.disconnect());
      await client.set("a", "1", "EX", 1000);
      await client.set("{a}:h", "2");
      for (const refused of [client.rename("a", "b"), client.copy("a", "b"), client.renamenx("a", "b")])
        await expect(refused).rejects.toThrow(/^CROSSSLOT Keys in request don't hash to the same slot/);
      expect(await client.rename("a", "{a}:h")).toBe("OK");
      expect(await client.mget("a", "b")).toEqual([null, null]);
      expect([await client.get("{a}:h"), await client.ttl("{a}:h")]).toEqual(["1", 1000]);
      await client.hset("{a}:of", { f: "1" });
      expect(await client.hrandfield("{a}:of")).toBe("f");
      await stop();
    });

    test("WATCH notices what another process writes, what ends, and nothing else", { timeout: 60_000 }, async () => {
      const start = await place();
      // What the database has taken is not told apart from what has changed: here it takes nothing meanwhile.
      const delayMs = 60_000;
      const [first, beside] = [await start({ delayMs }), await start({ delayMs, worker: false })];
      const [one, two, asking] = [first.port, beside.port, beside.port].map((port) => new RawClient(port));
      const say = async (client: RawClient | undefined, line: string, reply: string) => {
        client?.say(line);
        await client?.expect(reply);
      };
      await say(one, "SET a 1", "+OK\r\n");
      await say(one, "WATCH a b", "+OK\r\n");
      await say(two, "SET other 1", "+OK\r\n");
      await say(one, "MULTI", "+OK\r\n");
      await say(one, "INCR other", "+QUEUED\r\n");
      await say(two, "SET other 5", "+OK\r\n");
      await say(one, "EXEC", "*1\r\n:6\r\n");
      for (const change of ["SET a 2", "DEL a", "SET b x"]) {
        for (const asked of ["SET c 1", "GET c", "PING"]) {
          await say(one, "WATCH a b", "+OK\r\n");
          await say(one, "MULTI", "+OK\r\n");
          await say(one, asked, "+QUEUED\r\n");
          await say(two, "SET a 0", "+OK\r\n");
          await say(two, change, change === "DEL a" ? ":1\r\n" : "+OK\r\n");
          await say(one, "EXEC", "*-1\r\n");
        }
      }
      await say(two, "SET a 1 PX 300", "+OK\r\n");
      await say(one, "WATCH a", "+OK\r\n");
      for (let left = true; left;) {
        asking?.say("EXISTS a");
        await until(() => asking?.received.endsWith("\r\n") === true);
        left = asking?.received === ":1\r\n";
        if (asking !== undefined) asking.received = "";
      }
      await say(one, "MULTI", "+OK\r\n");
      await say(one, "SET c 2", "+QUEUED\r\n");
      await say(one, "EXEC", "*-1\r\n");
      await say(one, "GET c", "$-1\r\n");
      await beside.stop();
      await first.stop();
    });

    test("what was answered is there after a start, from the database, and in another process at once", async () => {
      const start = await place();
      const [first, beside] = [await start(), await start({ worker: false })];
      const client = (port: number): Redis => {
        const made = new Redis({ port, host: "127.0.0.1", retryStrategy: () => null });
        onTestFinished(() => made.disconnect());
        return made;
      };
      const [one, two] = [client(first.port), client(beside.port)];
      await one.mset({ a: "1", n: "41", gone: "x" });
      await one.hset("h", { f: "v", g: "w" });
      await one.del("gone");
      await one.set("soon", "x", "PX", 1);
      expect(await two.mget("a", "n", "gone")).toEqual(["1", "41", null]);
      expect(await one.wait(1, 0)).toBe(1);
      expect(await one.info("writebehind")).toContain("writebehind_pending_changes:0");
      await first.stop();
      await beside.stop();
      const again = await start();
      const third = client(again.port);
      const replies = await third
        .multi()
        .incr("n")
        .get("a")
        .hgetall("h")
        .exists("gone", "soon")
        .hincrby("h", "n", 7)
        .exec();
      expect(replies?.map(([, reply]) => reply)).toEqual([42, "1", { f: "v", g: "w" }, 0, 7]);
      await again.stop();
    });
  }),
);
