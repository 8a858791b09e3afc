/** Health while a server starts: it lives, and says why it is not ready. With the real program. */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import type { Call } from "../src/dashboard/route.js";
import { routes } from "../src/dashboard/routes.js";
import { listenWhileStarting } from "../src/dashboard/starting.js";
import type { Heart } from "../src/heart.js";
import { run } from "./cli-process.js";
import { FakeHeart } from "./server-fake-heart.js";
import { eventually, onMachine } from "./serve-machine.js";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function get(port: number, path: string): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, json: await response.json() };
}

test(
  "a first start that waits for the database lives, is not ready and says why; then it is",
  onMachine(async (machine) => {
    await mkdir(machine.data);
    const unlock = machine.lock();
    const adminPort = await freePort();
    const server = machine.spawn("--admin-port", `${adminPort}`);
    const ready = async (): Promise<unknown> => get(adminPort, "/health/ready").catch(() => null);
    await expect.poll(ready, eventually).toMatchObject({
      status: 503,
      json: {
        ready: false,
        state: "starting",
        reason: expect.stringMatching(/the first start waits for it: .*is locked by another/) as string,
      },
    });
    expect(await get(adminPort, "/health/live")).toEqual({ status: 200, json: { live: true } });
    expect(await run(["status", "--admin", `http://127.0.0.1:${adminPort}`])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^the server is starting: the database cannot be reached/) as string,
    });
    unlock();
    expect(await server.ready()).toBe(true);
    expect(await get(adminPort, "/health/ready")).toMatchObject({ status: 200, json: { ready: true } });
  }),
);

test("the early port: closed by default, in nobody's way, and free again at once", async () => {
  const port = await freePort();
  const options = { host: "127.0.0.1", adminPort: port, adminToken: null };
  const first = await listenWhileStarting(options, () => "reading the journal: 40 % of 100 files");
  expect(await get(port, "/health/ready")).toMatchObject({
    status: 503,
    json: { reason: expect.stringContaining("40 %") as string },
  });
  expect((await get(port, "/api/status")).json).toMatchObject({ error: { code: "STARTING" } });
  const foreign = await fetch(`http://127.0.0.1:${port}/health/live`, { headers: { origin: "http://evil.example" } });
  expect(foreign.status).toBe(403);
  // Whoever comes second may be the new process of a rolling restart: it waits for its turn without a word.
  expect(await listenWhileStarting(options, () => "")).toBeNull();
  await first?.close();
  const second = await listenWhileStarting(options, () => "");
  expect(second).not.toBeNull();
  await second?.close();
});

test("a process of a fleet without its Redis serves nobody, and says so", async () => {
  const route = routes.find(({ path }) => path === "/health/ready");
  const fleet = { place: "redis://h", keeps: "", partitions: [], workers: [] };
  const ready = (failure: string | null): unknown => {
    const calm = new FakeHeart().status();
    const heart = { status: () => ({ ...calm, state: "broken", fleet: { ...fleet, failure } }) } as unknown as Heart;
    return route?.answer({ heart } as Call);
  };
  expect(await ready("the Redis cannot be reached")).toEqual({
    status: 503,
    json: { ready: false, state: "broken", reason: "the Redis cannot be reached" },
  });
  expect(await ready(null)).toMatchObject({ status: 200, json: { ready: true } });
});
