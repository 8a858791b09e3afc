/** The clients that people use, as they come from npm, against the server. */
import { Redis } from "ioredis";
import { createClient } from "redis";
import { expect, onTestFinished, test } from "vitest";
import { command, RawClient, serve, until } from "./server-setup.js";

for (const protocol of [2, 3] as const) {
  test(`ioredis, RESP${protocol}`, async () => {
    const { heart, port } = await serve();
    const redis = new Redis({ port, host: "127.0.0.1", protocol, connectionName: "app", retryStrategy: () => null });
    onTestFinished(() => redis.disconnect());
    expect(await redis.set("a", "1")).toBe("OK");
    expect(await redis.get("a")).toBe("1");
    expect(await redis.incr("n")).toBe(1);
    expect(await redis.hset("h", { f: "v", g: "w" })).toBe(2);
    expect(await redis.hgetall("h")).toEqual({ f: "v", g: "w" });
    expect(await redis.mget("a", "nosuch")).toEqual(["1", null]);
    expect(await redis.client("GETNAME")).toBe("app");
    expect(await redis.multi().set("b", "2").get("b").exec()).toEqual([
      [null, "OK"],
      [null, "2"],
    ]);
    await expect(redis.hget("a", "f")).rejects.toThrow("WRONGTYPE");
    await expect(redis.call("NOSUCH", "x")).rejects.toThrow("unknown command 'NOSUCH', with args beginning with: 'x'");
    expect(await redis.info("writebehind")).toContain("writebehind_state:running");
    const value = Buffer.from([0, 255, 13, 10]);
    await redis.set("bytes", value);
    expect(await redis.getBuffer("bytes")).toEqual(value);
    const pipeline = redis.pipeline();
    for (let i = 0; i < 10_000; i++) pipeline.incr("p");
    expect((await pipeline.exec())?.map(([, reply]) => reply)).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
    const waited = redis.wait(1, 0);
    heart.storedMark.reach(heart.accepted);
    expect(await waited).toBe(1);
    expect(await redis.quit()).toBe("OK");
  });

  test(`node-redis, RESP${protocol}`, async () => {
    const { port } = await serve({ password: "secret" });
    const client = createClient({ url: `redis://:secret@127.0.0.1:${port}`, RESP: protocol, name: "app" });
    const failures: unknown[] = [];
    client.on("error", (error) => failures.push(error));
    await client.connect();
    onTestFinished(() => client.destroy());
    expect(await client.set("a", "1", { expiration: { type: "EX", value: 10 } })).toBe("OK");
    expect(await client.get("a")).toBe("1");
    expect(await client.ttl("a")).toBe(10);
    expect(await client.incrBy("n", 5)).toBe(5);
    expect(await client.hSet("h", { f: "v", g: "w" })).toBe(2);
    expect({ ...(await client.hGetAll("h")) }).toEqual({ f: "v", g: "w" });
    expect(await client.exists(["a", "n", "nosuch"])).toBe(2);
    expect(await client.clientGetName()).toBe("app");
    expect(await client.multi().set("b", "2").get("b").del("b").exec()).toEqual(["OK", "2", 1]);
    await expect(client.hGet("a", "f")).rejects.toThrow("WRONGTYPE");
    expect(await client.commandCount()).toBeGreaterThan(40);
    expect((await client.commandInfo(["get"]))[0]).toMatchObject({ name: "get", arity: 2 });
    const replies = await Promise.all(Array.from({ length: 10_000 }, () => client.incr("p")));
    expect(replies).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
    expect(failures).toEqual([]);
  });
}

test("a wrong password is the client's error", async () => {
  const { port } = await serve({ password: "secret" });
  const redis = new Redis({
    port,
    host: "127.0.0.1",
    password: "wrong",
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  const errors: Error[] = [];
  redis.on("error", (error: Error) => errors.push(error));
  onTestFinished(() => redis.disconnect());
  await until(() => errors.some((error) => error.message.includes("WRONGPASS")));
});

test("100 clients at once, some of them cut off in the middle of a command, all get their own replies", async () => {
  const { server, port } = await serve();
  const clients = Array.from({ length: 100 }, () => new RawClient(port));
  clients.forEach((client, id) => {
    const stream = Array.from(
      { length: 100 },
      (_, i) => command("SET", `k${id}`, String(i)) + command("GET", `k${id}`),
    ).join("");
    if (id % 10 === 0) {
      client.send(stream.slice(0, 1001));
      setTimeout(() => client.socket.resetAndDestroy(), 5);
    } else client.send(stream);
  });
  const wanted = Array.from({ length: 100 }, (_, i) => `+OK\r\n$${String(i).length}\r\n${i}\r\n`).join("");
  await Promise.all(clients.filter((_, id) => id % 10 !== 0).map((client) => client.expect(wanted)));
  await until(() => server.counters.clients === 90);
});
