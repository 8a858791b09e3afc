/** node-redis, two major versions of it, with a redis-server and with `write-behind serve`: nothing differs. */
import { createClient, RESP_TYPES, WatchError } from "redis";
import { createClient as createClient5, WatchError as WatchError5 } from "redis5";
import { describe, expect, onTestFinished, test } from "vitest";
import { describeBoth, password, writesThroughAKill, type Kind } from "./same-place.js";

const create5 = createClient5 as unknown as typeof createClient;
const versions = [
  { version: 5, RESP: 2 as const, create: create5, Conflict: WatchError5 },
  { version: 5, RESP: 3 as const, create: create5, Conflict: WatchError5 },
  { version: 6, RESP: 2 as const, create: createClient, Conflict: WatchError },
  { version: 6, RESP: 3 as const, create: createClient, Conflict: WatchError },
];

/** That a redis-server answers as it does is seen with one of them. */
const versionsWith = (kind: Kind) => (kind === "redis-server" ? versions.slice(-1) : versions);

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describeBoth("node-redis", (place, kind) => {
  describe.each(versionsWith(kind))("$version, RESP$RESP", ({ RESP, create, Conflict }) => {
    /** A connected client that ends with the test; each test has keys of its own. */
    async function client() {
      const prefix = `${expect.getState().currentTestName}:`;
      const url = `redis://default:${encodeURIComponent(password)}@127.0.0.1:${place().port}`;
      const redis = create({ url, RESP, name: "app" });
      const failures: unknown[] = [];
      redis.on("error", (error) => failures.push(error));
      await redis.connect();
      onTestFinished(() => redis.destroy());
      return { redis, prefix, failures };
    }

    test("10,000 commands of one tick, each with its own reply", async () => {
      const { redis, prefix, failures } = await client();
      const counted = Promise.all(numbers(10_000).map(() => redis.incr(`${prefix}n`)));
      const wrong = expect(redis.hGet(`${prefix}n`, "f")).rejects.toThrow("WRONGTYPE");
      expect(await counted).toEqual(numbers(10_000).map((i) => i + 1));
      await wrong;
      expect(await redis.clientGetName()).toBe("app");
      expect(failures).toEqual([]);
    });

    test("a batch of 10,000 without a transaction, and one within", async () => {
      const { redis, prefix } = await client();
      const batch = redis.multi();
      for (const i of numbers(10_000)) batch.set(`${prefix}${i % 100}`, i);
      expect(new Set(await batch.execAsPipeline())).toEqual(new Set(["OK"]));
      const transaction = redis.multi();
      for (const i of numbers(10_000)) transaction.incr(`${prefix}${i % 100}`);
      const replies = await transaction.exec();
      expect(replies.slice(-100)).toEqual(numbers(100).map((i) => 10_000 + i));
    });

    test("transactions: WATCH sees what another client writes, and what it does not", async () => {
      const [{ redis, prefix }, { redis: other }] = [await client(), await client()];
      const key = `${prefix}balance`;
      await redis.set(key, 10);
      await redis.watch(key);
      await other.set(key, 20);
      await expect(redis.multi().set(key, 11).get(key).exec()).rejects.toBeInstanceOf(Conflict);
      expect(await redis.get(key)).toBe("20");
      await redis.watch([key, `${prefix}absent`]);
      await other.get(key);
      expect(await redis.multi().incr(key).pExpire(key, 60_000).exec()).toEqual([21, 1]);
      await redis.watch(`${prefix}absent`);
      await other.hSet(`${prefix}absent`, "f", "v");
      await expect(redis.multi().get(key).exec()).rejects.toBeInstanceOf(Conflict);
      await redis.watch(key);
      await other.incr(key);
      await redis.unwatch();
      expect(await redis.multi().get(key).del(key).exec()).toEqual(["22", 1]);
    });

    test("scan iterators give every key, every field, and nothing else", async () => {
      const { redis, prefix } = await client();
      const wanted = numbers(700).map((i) => `${prefix}user:${i}`);
      await redis.mSet(wanted.flatMap((key) => [key, "x"]));
      await redis.hSet(`${prefix}user:hash`, Object.fromEntries(numbers(700).map((i) => [`field:${i}`, i])));
      const MATCH = `${prefix.replaceAll(/[[\]*?\\]/g, String.raw`\$&`)}user:*`;
      const found = new Set<string>();
      for await (const keys of redis.scanIterator({ MATCH, COUNT: 50 })) keys.forEach((key) => found.add(key));
      expect([...found].toSorted()).toEqual([...wanted, `${prefix}user:hash`].toSorted());
      const hashes = new Set<string>();
      for await (const keys of redis.scanIterator({ MATCH, TYPE: "hash" })) keys.forEach((key) => hashes.add(key));
      expect([...hashes]).toEqual([`${prefix}user:hash`]);
      const fields = new Map<string, string>();
      for await (const entries of redis.hScanIterator(`${prefix}user:hash`, { MATCH: "field:1*" })) {
        entries.forEach(({ field, value }) => fields.set(field, value));
      }
      const ones = numbers(700).filter((i) => String(i).startsWith("1"));
      expect(fields).toEqual(new Map(ones.map((i) => [`field:${i}`, String(i)])));
    });

    test("hashes, counters, bytes", async () => {
      const { redis, prefix } = await client();
      const hash = `${prefix}hash`;
      expect(await redis.hSet(hash, { name: "Ada", visits: 1 })).toBe(2);
      expect(await redis.hSetNX(hash, "name", "Cleo")).toBe(0);
      expect(await redis.hIncrBy(hash, "visits", 41)).toBe(42);
      expect(await redis.hIncrByFloat(hash, "score", 0.5)).toBe("0.5");
      expect(await redis.hmGet(hash, ["name", "nosuch", "visits"])).toEqual(["Ada", null, "42"]);
      expect({ ...(await redis.hGetAll(hash)) }).toEqual({ name: "Ada", visits: "42", score: "0.5" });
      expect(await redis.hDel(hash, ["name", "visits", "score"])).toBe(3);
      expect(await redis.type(hash)).toBe("none");
      expect(await redis.incrBy(`${prefix}n`, 7)).toBe(7);
      expect(await redis.decr(`${prefix}n`)).toBe(6);
      expect(await redis.incrByFloat(`${prefix}n`, 0.25)).toBe("6.25");
      const bytes = Buffer.from(numbers(256));
      const inBytes = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      await redis.set(`${prefix}bytes`, bytes);
      expect(await inBytes.get(`${prefix}bytes`)).toEqual(bytes);
      await redis.hSet(hash, bytes, bytes);
      expect(await inBytes.hGet(hash, bytes)).toEqual(bytes);
    });

    test("expiry: set, asked for, taken away, and over", async () => {
      const { redis, prefix } = await client();
      const key = `${prefix}session`;
      expect(await redis.set(key, "x", { expiration: { type: "EX", value: 100 } })).toBe("OK");
      expect(await redis.ttl(key)).toBe(100);
      expect(await redis.persist(key)).toBe(1);
      expect(await redis.ttl(key)).toBe(-1);
      expect(await redis.set(key, "y", { condition: "NX" })).toBeNull();
      expect(await redis.expireAt(key, 4_000_000_000)).toBe(1);
      expect(await redis.expireTime(key)).toBe(4_000_000_000);
      expect(await redis.getEx(key, { type: "PX", value: 1 })).toBe("x");
      let gone = false;
      while (!gone) gone = (await redis.get(key)) === null;
      expect(await redis.pTTL(key)).toBe(-2);
    });

    test("the server is killed and started again: the client goes on, and all that was answered is there", async () => {
      const { redis, prefix } = await client();
      const answered = await writesThroughAKill(place(), (i) => redis.set(`${prefix}${i}`, i));
      expect(await redis.mGet(answered.map((i) => `${prefix}${i}`))).toEqual(answered.map(String));
    });
  });
});
