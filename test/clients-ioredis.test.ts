/** ioredis, two major versions of it, with a redis-server and with `write-behind serve`: nothing differs. */
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { describe, expect, onTestFinished, test } from "vitest";
import { describeBoth, password, writesThroughAKill, type Kind, type Place } from "./same-place.js";
import { until } from "./server-setup.js";

const versions = [
  { version: 5, Client: Redis5 as unknown as typeof Redis, more: {} },
  { version: 6, Client: Redis, more: { protocol: 2 as const } },
  { version: 6, Client: Redis, more: { protocol: 3 as const } },
];

/** That a redis-server answers as it does is seen with one of them. */
const versionsWith = (kind: Kind) => (kind === "redis-server" ? versions.slice(-1) : versions);

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describeBoth("ioredis", (place, kind) => {
  describe.each(versionsWith(kind))("$version $more", ({ Client, more }) => {
    /** A client that ends with the test; each test has keys of its own. */
    function client(at: Place = place()): { redis: Redis; prefix: string; failures: Error[] } {
      const prefix = `${expect.getState().currentTestName}:`;
      const redis = new Client({ ...more, port: at.port, host: "127.0.0.1", password, enableAutoPipelining: true });
      onTestFinished(() => redis.disconnect());
      const failures: Error[] = [];
      redis.on("error", (error: Error) => failures.push(error));
      return { redis, prefix, failures };
    }

    test("autopipelining: what is asked in one tick travels together, and each gets its own reply", async () => {
      const { redis, prefix, failures } = client();
      const counted = Promise.all(numbers(10_000).map(() => redis.incr(`${prefix}n`)));
      const written = Promise.all(numbers(1000).map((i) => redis.set(`${prefix}${i}`, i)));
      const read = Promise.all(numbers(1000).map((i) => redis.get(`${prefix}${i}`)));
      expect(await counted).toEqual(numbers(10_000).map((i) => i + 1));
      expect(new Set(await written)).toEqual(new Set(["OK"]));
      expect(await read).toEqual(numbers(1000).map(String));
      await expect(redis.hget(`${prefix}n`, "f")).rejects.toThrow("WRONGTYPE");
      expect(failures).toEqual([]);
    });

    test("a pipeline of 10,000 commands, one of them wrong", async () => {
      const { redis, prefix } = client();
      const pipeline = redis.pipeline();
      for (const i of numbers(10_000)) pipeline.set(`${prefix}${i % 100}`, i);
      const replies = (await pipeline.incr(`${prefix}0`).hset(`${prefix}0`, "f", "v").get(`${prefix}0`).exec()) ?? [];
      expect(replies.slice(0, 10_000)).toEqual(numbers(10_000).map(() => [null, "OK"]));
      expect(replies[10_000]).toEqual([null, 9901]);
      expect(replies[10_001]?.[0]?.message).toContain("WRONGTYPE");
      expect(replies[10_002]).toEqual([null, "9901"]);
    });

    test("transactions: WATCH sees what another client writes, and what it does not", async () => {
      const [{ redis, prefix }, { redis: other }] = [client(), client()];
      const key = `${prefix}balance`;
      await redis.set(key, 10);
      await redis.watch(key);
      await other.set(key, 20);
      expect(await redis.multi().set(key, 11).get(key).exec()).toBeNull();
      expect(await redis.get(key)).toBe("20");
      await redis.watch(key);
      await other.get(key);
      expect(await redis.multi().incr(key).pexpire(key, 60_000).exec()).toEqual([
        [null, 21],
        [null, 1],
      ]);
      await redis.watch(key);
      await other.incr(key);
      await redis.unwatch();
      expect(await redis.multi().get(key).exec()).toEqual([[null, "22"]]);
      await expect(redis.multi().set(key, 1).call("GET").exec()).rejects.toThrow("EXECABORT");
    });

    test("scan streams give every key, every field, and nothing else", async () => {
      const { redis, prefix } = client();
      const wanted = numbers(700).map((i) => `${prefix}user:${i}`);
      await redis.mset(...wanted.flatMap((key) => [key, "x"]));
      await redis.hset(`${prefix}user:hash`, Object.fromEntries(numbers(700).map((i) => [`field:${i}`, i])));
      const match = `${prefix.replaceAll(/[[\]*?\\]/g, String.raw`\$&`)}user:*`;
      const found = new Set<string>();
      for await (const keys of redis.scanStream({ match, count: 50 }))
        (keys as string[]).forEach((key) => found.add(key));
      expect([...found].toSorted()).toEqual([...wanted, `${prefix}user:hash`].toSorted());
      const hashes = new Set<string>();
      for await (const keys of redis.scanStream({ match, type: "hash" })) {
        (keys as string[]).forEach((key) => hashes.add(key));
      }
      expect([...hashes]).toEqual([`${prefix}user:hash`]);
      const fields = new Map<string, string>();
      for await (const pairs of redis.hscanStream(`${prefix}user:hash`, { match: "field:1*" })) {
        const list = pairs as string[];
        for (let i = 0; i < list.length; i += 2) fields.set(list[i] as string, list[i + 1] as string);
      }
      const ones = numbers(700).filter((i) => String(i).startsWith("1"));
      expect(fields).toEqual(new Map(ones.map((i) => [`field:${i}`, String(i)])));
    });

    test("hashes, counters, bytes", async () => {
      const { redis, prefix } = client();
      const [hash, bytes] = [`${prefix}hash`, Buffer.from(numbers(256))];
      expect(await redis.hset(hash, { name: "Ada", visits: 1 })).toBe(2);
      expect(await redis.hsetnx(hash, "name", "Cleo")).toBe(0);
      expect(await redis.hincrby(hash, "visits", 41)).toBe(42);
      expect(await redis.hincrbyfloat(hash, "score", 0.5)).toBe("0.5");
      expect(await redis.hmget(hash, "name", "nosuch", "visits")).toEqual(["Ada", null, "42"]);
      expect(await redis.hgetall(hash)).toEqual({ name: "Ada", visits: "42", score: "0.5" });
      expect(await redis.hdel(hash, "name", "visits", "score")).toBe(3);
      expect(await redis.exists(hash)).toBe(0);
      expect(await redis.incrby(`${prefix}n`, 7)).toBe(7);
      expect(await redis.decr(`${prefix}n`)).toBe(6);
      expect(await redis.incrbyfloat(`${prefix}n`, 0.25)).toBe("6.25");
      const key = Buffer.concat([Buffer.from(prefix), bytes]);
      await redis.set(key, bytes);
      expect(await redis.getBuffer(key)).toEqual(bytes);
      await redis.hset(hash, bytes, bytes);
      expect(await redis.hgetBuffer(hash, bytes)).toEqual(bytes);
    });

    test("expiry: set, asked for, taken away, and over", async () => {
      const { redis, prefix } = client();
      const key = `${prefix}session`;
      expect(await redis.set(key, "x", "EX", 100)).toBe("OK");
      expect(await redis.ttl(key)).toBe(100);
      expect(await redis.persist(key)).toBe(1);
      expect(await redis.ttl(key)).toBe(-1);
      expect(await redis.set(key, "y", "PX", 5, "NX")).toBeNull();
      expect(await redis.expireat(key, 4_000_000_000)).toBe(1);
      expect(await redis.expiretime(key)).toBe(4_000_000_000);
      expect(await redis.getex(key, "PX", 1)).toBe("x");
      let gone = false;
      while (!gone) gone = (await redis.get(key)) === null;
      expect(await redis.pttl(key)).toBe(-2);
    });

    test("the server is killed and started again: the client goes on, and all that was answered is there", async () => {
      const { redis, prefix } = client();
      const answered = await writesThroughAKill(place(), (i) => redis.set(`${prefix}${i}`, i));
      const found = await redis.mget(answered.map((i) => `${prefix}${i}`));
      expect(found).toEqual(answered.map(String));
    });
  });

  test("a wrong password is the client's error", async () => {
    const redis = new Redis({ port: place().port, host: "127.0.0.1", password: "wrong", retryStrategy: () => null });
    onTestFinished(() => redis.disconnect());
    const failures: Error[] = [];
    redis.on("error", (error: Error) => failures.push(error));
    await until(() => failures.some((error) => error.message.includes("WRONGPASS")));
  });
});
