/** What clients ask besides their work, and many of them at once; test/clients-*.test.ts has their work. */
import { Redis } from "ioredis";
import { createClient } from "redis";
import { expect, onTestFinished, test } from "vitest";
import { command, RawClient, serve, until } from "./server-setup.js";

for (const protocol of [2, 3] as const) {
  test(`ioredis, RESP${protocol}: its name, what is unknown, WAIT, INFO, QUIT`, async () => {
    const { heart, port } = await serve();
    const redis = new Redis({ port, host: "127.0.0.1", protocol, connectionName: "app", retryStrategy: () => null });
    onTestFinished(() => redis.disconnect());
    expect(await redis.set("a", "1")).toBe("OK");
    expect(await redis.client("GETNAME")).toBe("app");
    await expect(redis.call("NOSUCH", "x")).rejects.toThrow("unknown command 'NOSUCH', with args beginning with: 'x'");
    expect(await redis.info("writebehind")).toContain("writebehind_state:running");
    const waited = redis.wait(1, 0);
    heart.storedMark.reach(heart.accepted);
    expect(await waited).toBe(1);
    expect(await redis.quit()).toBe("OK");
  });

  test(`node-redis, RESP${protocol}: its name, what there is`, async () => {
    const { port } = await serve();
    const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: protocol, name: "app" });
    client.on("error", () => undefined);
    await client.connect();
    onTestFinished(() => client.destroy());
    expect(await client.clientGetName()).toBe("app");
    expect(await client.commandCount()).toBeGreaterThan(40);
    expect((await client.commandInfo(["get"]))[0]).toMatchObject({ name: "get", arity: 2 });
  });
}

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
