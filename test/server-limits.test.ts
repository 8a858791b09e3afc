/** What a client may take, and what becomes of one that takes more. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { ManualClock } from "./manual-clock.js";
import { command, nothingHappens, RawClient, serve, until } from "./server-setup.js";

test("a client that never reads while it asks for 1 MB again and again is held back, and costs no memory", async () => {
  const { heart, server, port } = await serve();
  heart.records.set(bytesOfText("big"), { content: bytesOfText("x".repeat(1024 * 1024)), expiresAt: null });
  const deaf = new RawClient(port);
  deaf.socket.pause();
  let sent = 0;
  const ask = command("GET", "big").repeat(1000);
  // As many as the network takes: what is refused there costs the server nothing.
  while (deaf.socket.write(ask, "latin1") || sent < 20_000) sent += 1000;
  await until(() => server.counters.commands > 2);
  await nothingHappens();
  const before = process.memoryUsage();
  await nothingHappens();
  expect(server.counters.commands).toBeLessThan(30);
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(16 * 1024 * 1024);
  expect(server.counters.bytesOut).toBeLessThan(30 * 1024 * 1025);
});

test("a command behind a reply that the network takes at once is answered, too", async () => {
  const { heart, port } = await serve();
  heart.records.set(bytesOfText("big"), { content: bytesOfText("x".repeat(1_100_000)), expiresAt: null });
  const client = new RawClient(port);
  client.send(command("GET", "big") + command("PING"));
  await until(() => client.received.endsWith("+PONG\r\n"));
});

test("beyond client-output-buffer-limit it is closed, in the middle of its replies", async () => {
  const { heart, server, port } = await serve();
  heart.records.set(bytesOfText("big"), { content: bytesOfText("x".repeat(1024 * 1024)), expiresAt: null });
  const other = new RawClient(port);
  other.send(command("CONFIG", "SET", "client-output-buffer-limit", "normal 512kb 0 0"));
  await other.expect("+OK\r\n");
  const deaf = new RawClient(port);
  deaf.socket.pause();
  deaf.send(command("GET", "big").repeat(100));
  await until(() => server.counters.commands >= 2);
  await until(() => server.counters.clients === 1);
  other.say("PING");
  await other.expect("+PONG\r\n");
});

test("beyond the soft limit it is closed once it has been there for too long", async () => {
  const clock = new ManualClock();
  const { heart, server, port } = await serve({}, { clock });
  heart.records.set(bytesOfText("big"), { content: bytesOfText("x".repeat(4 * 1024 * 1024)), expiresAt: null });
  const other = new RawClient(port);
  other.send(command("CONFIG", "SET", "client-output-buffer-limit", "normal 0 100kb 10"));
  await other.expect("+OK\r\n");
  const deaf = new RawClient(port);
  deaf.socket.pause();
  deaf.send(command("GET", "big").repeat(10));
  await until(() => server.counters.commands >= 2);
  await nothingHappens();
  clock.pass(10_000);
  expect(deaf.closed).toBe(false);
  expect(server.counters.clients).toBe(2);
  clock.pass(2000);
  await until(() => server.counters.clients === 1);
  other.say("PING");
  await other.expect("+PONG\r\n");
});

test("timeout closes who is quiet; who waits for something is not quiet, and 0 is never", async () => {
  const clock = new ManualClock();
  const { heart, server, port } = await serve({}, { clock });
  heart.cold.set(bytesOfText("cold"), new Promise(() => undefined));
  const [quiet, busy, waiting] = [new RawClient(port), new RawClient(port), new RawClient(port)];
  quiet.say("PING");
  await quiet.expect("+PONG\r\n");
  waiting.say("GET cold");
  clock.pass(1_000_000);
  busy.say("CONFIG SET timeout 10");
  await busy.expect("+OK\r\n");
  for (let seconds = 0; seconds < 14; seconds += 5) {
    clock.pass(5000);
    busy.say("PING");
    await busy.expect("+PONG\r\n");
  }
  await until(() => quiet.ended || quiet.closed);
  expect(server.counters.clients).toBe(2);
  busy.say("CONFIG SET timeout 0");
  await busy.expect("+OK\r\n");
  clock.pass(1_000_000);
  busy.say("PING");
  await busy.expect("+PONG\r\n");
});

test("maxclients may be lowered and raised while the server runs", async () => {
  const { server, port } = await serve();
  const first = new RawClient(port);
  first.say("CONFIG SET maxclients 1");
  await first.expect("+OK\r\n");
  const second = new RawClient(port);
  await second.expect("-ERR max number of clients reached\r\n");
  await until(() => second.ended);
  expect(server.counters).toMatchObject({ clientsMax: 1, rejected: 1 });
  first.say("CONFIG SET maxclients 2");
  await first.expect("+OK\r\n");
  const third = new RawClient(port);
  third.say("PING");
  await third.expect("+PONG\r\n");
});

test("proto-max-bulk-len and client-query-buffer-limit hold from the next argument on", async () => {
  const { server, port, infos } = await serve();
  const client = new RawClient(port);
  client.say("CONFIG SET proto-max-bulk-len 2mb client-query-buffer-limit 3mb");
  await client.expect("+OK\r\n");
  client.send("*2\r\n$4\r\nPING\r\n$2097153\r\n");
  await client.expect("-ERR Protocol error: invalid bulk length\r\n");
  const second = new RawClient(port);
  second.send(command("MSET", "a", "x".repeat(2_000_000), "b", "x".repeat(2_000_000)));
  await until(() => second.ended || second.closed);
  expect(second.received).toBe("");
  const third = new RawClient(port);
  third.say("MULTI");
  third.send(command("SET", "a", "x".repeat(2_000_000)).repeat(2));
  await until(() => third.closed || third.ended);
  expect(server.counters.commands).toBe(4);
  expect(infos).toHaveLength(2);
});

/** State of the connections of a port in the kernel: the first digit is the kind of timer that runs, 2 is keepalive. */
function timersOf(port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  const parts = lines.map((line) => line.trim().split(/\s+/));
  // Column 3 is the state, and 01 an open connection; column 5 is the timer.
  return parts.filter((part) => part[1]?.endsWith(local) && part[3] === "01").map((part) => String(part[5]));
}

test.skipIf(process.platform !== "linux")("tcp-keepalive: the system asks after those that are silent", async () => {
  const { port } = await serve();
  const client = new RawClient(port);
  client.say("CONFIG SET tcp-keepalive 100");
  await client.expect("+OK\r\n");
  const second = new RawClient(port);
  second.say("CONFIG SET tcp-keepalive 0");
  await second.expect("+OK\r\n");
  const third = new RawClient(port);
  third.say("PING");
  await third.expect("+PONG\r\n");
  await until(() => timersOf(port).every((timer) => /^0[02]:/.test(timer)));
  // In hundredths of a second: 300 s, 100 s, and none.
  const seconds = timersOf(port).map((timer) =>
    timer.startsWith("02") ? Number.parseInt(timer.slice(3), 16) / 100 : 0,
  );
  const [none, short, long] = seconds.toSorted((a, b) => a - b);
  expect(none).toBe(0);
  expect(short).toBeGreaterThan(60);
  expect(short).toBeLessThanOrEqual(101);
  expect(long).toBeGreaterThan(200);
});
