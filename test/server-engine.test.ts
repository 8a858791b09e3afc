/** The server over the real engine and SQLite. */
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { serveEngine, testFolder } from "./server-setup.js";

function client(port: number): Redis {
  const redis = new Redis({ port, host: "127.0.0.1", retryStrategy: () => null });
  onTestFinished(() => redis.disconnect());
  return redis;
}

test("what was answered is there after a start, from the database", async () => {
  const folder = testFolder();
  const first = await serveEngine(folder);
  const redis = client(first.port);
  await redis.mset({ a: "1", n: "41", gone: "x" });
  await redis.hset("h", { f: "v", g: "w" });
  await redis.del("gone");
  await redis.set("soon", "x", "PX", 1);
  expect(await redis.wait(1, 0)).toBe(1);
  expect(await redis.call("WAITAOF", 1, 1, 0)).toEqual([1, 1]);
  expect(await redis.info("writebehind")).toContain("writebehind_pending_changes:0");
  await first.stop();
  const second = await serveEngine(folder);
  const again = client(second.port);
  const replies = await again
    .multi()
    .incr("n")
    .get("a")
    .hgetall("h")
    .exists("gone", "soon")
    .hincrby("h", "n", 7)
    .exec();
  expect(replies?.map(([, reply]) => reply)).toEqual([42, "1", { f: "v", g: "w" }, 0, 7]);
  expect(await again.get("n")).toBe("42");
  await second.stop();
});

test("a record that was evicted comes back, and what is pending is never evicted", async () => {
  const { port, stop, heart } = await serveEngine(testFolder(), { cacheBytes: 1024 * 1024, durability: "os" });
  const redis = client(port);
  const value = (i: number) => String(i).repeat(200);
  const write = redis.pipeline();
  for (let i = 0; i < 5000; i++) write.set(`key${i}`, value(i));
  await write.exec();
  await redis.wait(1, 0);
  const read = redis.pipeline();
  for (let i = 0; i < 5000; i++) read.get(`key${i}`);
  expect((await read.exec())?.map(([, reply]) => reply)).toEqual(Array.from({ length: 5000 }, (_, i) => value(i)));
  expect(heart.status().cache.evictions).toBeGreaterThan(0);
  await stop();
});

test("FLUSHALL empties the database", async () => {
  const folder = testFolder();
  const first = await serveEngine(folder);
  const redis = client(first.port);
  await redis.set("a", "1");
  await redis.wait(1, 0);
  await redis.flushall();
  await redis.set("b", "2");
  await redis.wait(1, 0);
  await first.stop();
  const second = await serveEngine(folder);
  expect(await client(second.port).mget("a", "b")).toEqual([null, "2"]);
  await second.stop();
});
