/** `resident`: all records are in memory from the start, nothing leaves it, and no command reads the database. */
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { memoryStore } from "../src/store/memory/memory-store.js";
import { StoreError } from "../src/store/store.js";
import { engineKit } from "./engine-kit.js";
import { Database, refusalOf, routes } from "./routes-kit.js";
import { serveEngine, testFolder, type Engine } from "./server-setup.js";

const kit = engineKit();

async function served(data: string, options: Readonly<Record<string, unknown>> = {}): Promise<[Engine, Redis]> {
  const engine = await serveEngine(data, { durability: "os", resident: true, ...options });
  const client = new Redis({ port: engine.port, host: "127.0.0.1" });
  onTestFinished(async () => {
    client.disconnect();
    await engine.stop();
  });
  return [engine, client];
}

/** A folder whose database holds records, and nothing is pending. */
async function filled(): Promise<string> {
  const data = testFolder();
  const engine = await serveEngine(data, { durability: "os" });
  const client = new Redis({ port: engine.port, host: "127.0.0.1" });
  for (let at = 0; at < 1500; at++) void client.set(`s${at}`, "x");
  await client.hset("h", "f", "1", "g", "2");
  await client.set("ends", "x", "PX", 1);
  client.disconnect();
  await engine.stop();
  return data;
}

describe("resident", () => {
  test("answers everything from memory, after a start too, also what is not there", async () => {
    const data = await filled();
    const [{ heart }, client] = await served(data, { cacheBytes: 64 * 1024 * 1024 });
    expect(heart.status().cache.records).toBe(1501);
    // Whatever would read the database from here on sees something else.
    await heart.pause();
    const db = new Database(join(data, "write-behind.db"));
    db.run(
      "DELETE FROM write_behind_kv; INSERT INTO write_behind_kv (key, type, value) VALUES ('foreign', 'string', 'x')",
    );
    expect(await client.dbsize()).toBe(1501);
    expect(await client.get("s7")).toBe("x");
    expect(await client.hgetall("h")).toEqual({ f: "1", g: "2" });
    expect(await client.exists("foreign", "nosuch", "ends")).toBe(0);
    expect(await client.del("nosuch", "s8", "foreign")).toBe(1);
    expect(await client.set("foreign", "mine", "NX")).toBe("OK");
    expect(await client.hset("new", "f", "1")).toBe(1);
    expect(await client.incr("count")).toBe(1);
    expect((await client.keys("[fcn]*")).toSorted()).toEqual(["count", "foreign", "new"]);
    expect(await client.dbsize()).toBe(1503);
    expect(await client.get("s8")).toBeNull();
    expect((await client.scan(0, "COUNT", 10_000))[1]).toHaveLength(1503);
  });

  test("what is pending at the start is there, and what is removed is not", async () => {
    const data = await filled();
    const before = await serveEngine(data, { durability: "os", delayMs: 3_600_000, closeMs: 0 });
    const first = new Redis({ port: before.port, host: "127.0.0.1" });
    await first.del("s1", "s2");
    await first.hset("h", "f", "7");
    await first.set("later", "1");
    first.disconnect();
    await before.heart.pause();
    await before.stop();
    const [, client] = await served(data, { cacheBytes: 64 * 1024 * 1024 });
    expect(await client.dbsize()).toBe(1500);
    expect(await client.hgetall("h")).toEqual({ f: "7", g: "2" });
    expect(await client.exists("s1", "later")).toBe(1);
  });

  test("does not start where the records do not fit, and says what they take", async () => {
    const data = testFolder();
    const engine = await serveEngine(data, { durability: "os" });
    const client = new Redis({ port: engine.port, host: "127.0.0.1" });
    for (let at = 0; at < 4000; at++) void client.set(`s${at}`, "x".repeat(1000));
    await client.ping();
    client.disconnect();
    await engine.stop();
    const refusal = await refusalOf(serveEngine(data, { resident: true, cacheBytes: 1024 * 1024 }));
    expect(refusal.code).toBe("CONFIG");
    expect(refusal.message).toMatch(/all 4000 records .* about 4\.\d+ MB, and cacheBytes is 1\.0 MB/);
    expect(refusal.hint).toContain("cacheBytes");
  });

  test("refuses what would grow beyond cacheBytes, and takes what makes room", async () => {
    const store = memoryStore();
    const wb = await kit.start(store, { resident: true, cacheBytes: 1024 * 1024 });
    for (let at = 0; at < 11; at++) await wb.set(`k${at}`, "x".repeat(100_000));
    const refusal = await refusalOf(wb.set("more", "x"));
    expect(refusal.code).toBe("QUEUE_FULL");
    expect(refusal.message).toContain("resident");
    await wb.delete("k1");
    await wb.delete("k2");
    await wb.set("more", "x");
    expect(wb.status().cache.evictions).toBe(0);
  });

  test("waits for a database that is away when it starts", async () => {
    const store = memoryStore();
    const { scan } = store;
    let tries = 0;
    store.scan = async (...asked) => {
      if (++tries < 3) throw new StoreError("retryable", "it is away");
      return scan.apply(store, asked);
    };
    const wb = await kit.start(store, { resident: true });
    expect(tries).toBe(3);
    expect(await wb.get("nosuch")).toBeNull();
  });

  test("is refused beside routes to tables", async () => {
    expect(() => resolveEngineOptions({ resident: true, routes })).toThrow(/resident keeps all records .* routes map/);
  });
});

describe("a cache that is resident", () => {
  const a = "a" as Bytes;

  test("knows that it does not know what was in doubt, and that all else is absent", () => {
    const cache = new MemoryCache({ bytesMax: 1, absentMs: 1000, resident: true });
    const value = { content: "x" as Bytes, expiresAt: null };
    cache.fill(cache.place(a), value, 1);
    cache.keys.complete = true;
    expect([cache.peek(a, 1), cache.peek("b" as Bytes, 1)]).toEqual([value, null]);
    cache.invalidate(a);
    expect([cache.peek(a, 1), cache.keys.presence(a, 1)]).toEqual([undefined, "unknown"]);
    cache.fill(cache.place(a), value, 1);
    cache.forgetClean();
    expect(cache.peek(a, 1)).toBeUndefined();
    cache.fill(cache.place(a), null, 1);
    expect([cache.peek(a, 1), cache.records]).toEqual([null, 0]);
  });
});
