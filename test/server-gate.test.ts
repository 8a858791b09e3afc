import { expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { WriteBehindError } from "../src/errors.js";
import { command, nothingHappens, RawClient, serve, until } from "./server-setup.js";

test("a write is answered when it is kept, and not before", async () => {
  const { heart, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  client.say("SET a 1");
  await until(() => heart.accepted === 1);
  await nothingHappens();
  expect(client.received).toBe("");
  heart.keep(1);
  await client.expect("+OK\r\n");
});

test("a read of another client's value that is not kept yet waits for it; a read of something else does not", async () => {
  const { heart, port } = await serve();
  heart.auto = false;
  const writer = new RawClient(port);
  const reader = new RawClient(port);
  const other = new RawClient(port);
  writer.say("SET a 1");
  await until(() => heart.accepted === 1);
  reader.say("GET a");
  other.say("GET b");
  await other.expect("$-1\r\n");
  expect(reader.received).toBe("");
  heart.keep(1);
  await reader.expect("$1\r\n1\r\n");
  await writer.expect("+OK\r\n");
});

test("an error that shows what a key holds waits for it too", async () => {
  const { heart, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  client.say("HSET h f v");
  await until(() => heart.accepted === 1);
  const other = new RawClient(port);
  other.say("GET h");
  await nothingHappens();
  expect(other.received).toBe("");
  heart.keep(1);
  await other.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
});

test("replies of several turns come in order as the mark moves", async () => {
  const { heart, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  for (let i = 1; i <= 3; i++) {
    client.say(`INCR n`, `PING ${i}`);
    await until(() => heart.accepted === i);
  }
  heart.keep(1);
  await client.expect(":1\r\n$1\r\n1\r\n");
  heart.keep(3);
  await client.expect(":2\r\n$1\r\n2\r\n:3\r\n$1\r\n3\r\n");
});

test("a slow load holds back the later commands of its connection, and nobody else", async () => {
  const { heart, port } = await serve();
  let loaded!: () => void;
  heart.cold.set(bytesOfText("cold"), new Promise<void>((resolve) => (loaded = resolve)));
  const slow = new RawClient(port);
  const quick = new RawClient(port);
  slow.send(command("PING") + command("GET", "cold") + command("SET", "b", "2") + command("GET", "b"));
  await slow.expect("+PONG\r\n");
  quick.say("GET b");
  await quick.expect("$-1\r\n");
  expect(heart.accepted).toBe(0);
  heart.records.set(bytesOfText("cold"), { content: bytesOfText("x"), expiresAt: null });
  loaded();
  await slow.expect("$1\r\nx\r\n+OK\r\n$1\r\n2\r\n");
});

test("a load that fails answers with its error, and the next command runs", async () => {
  const { heart, port } = await serve();
  const failed = Promise.reject(new WriteBehindError("STORE_DOWN", "the database cannot be reached"));
  failed.catch(() => undefined);
  heart.cold.set(bytesOfText("cold"), failed);
  const client = new RawClient(port);
  client.say("INCR cold", "PING");
  await client.expect("-WBSTORE the database cannot be reached\r\n+PONG\r\n");
});

test("a full queue is an error of that one write", async () => {
  const { heart, port } = await serve();
  heart.refusal = new WriteBehindError("QUEUE_FULL", "the write queue is full", { hint: "wait" });
  const client = new RawClient(port);
  client.say("SET a 1", "GET a");
  await client.expect("-WBFULL the write queue is full (wait)\r\n$-1\r\n");
});

test("when the journal fails, a waiting write is never answered OK", async () => {
  const { heart, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  client.say("SET a 1");
  await until(() => heart.accepted === 1);
  heart.keptMark.fail(new WriteBehindError("UNKNOWN", "the journal could not be written"));
  await client.expect("-ERR the journal could not be written\r\n");
  await until(() => client.ended);
});

test("a mistake of ours in a command is that command's error and is logged", async () => {
  const { heart, port, errors } = await serve();
  const client = new RawClient(port);
  heart.now = () => {
    throw new TypeError("planted");
  };
  client.say("GET a", "PING");
  await client.expect("-ERR internal error; nothing was changed. The server's log says more\r\n+PONG\r\n");
  expect(errors).toHaveLength(1);
});

test("10,000 pipelined commands are answered in order, in few writes", async () => {
  const { port } = await serve();
  const client = new RawClient(port);
  let pieces = 0;
  client.socket.on("data", () => pieces++);
  client.send(command("INCR", "n").repeat(10_000));
  const wanted = Array.from({ length: 10_000 }, (_, i) => `:${i + 1}\r\n`).join("");
  await client.expect(wanted);
  expect(pieces).toBeLessThan(100);
});

test("a client that has closed its side still gets every reply, then the end", async () => {
  const { heart, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  client.say("SET a 1", "GET a");
  client.socket.end();
  await until(() => heart.accepted === 1);
  await nothingHappens();
  expect(client.ended).toBe(false);
  heart.keep(1);
  await client.expect("+OK\r\n$1\r\n1\r\n");
  await until(() => client.closed);
});

test("a client that never reads stops being served, and costs little memory", async () => {
  const { heart, server, port } = await serve();
  heart.records.set(bytesOfText("big"), { content: "x".repeat(100_000) as never, expiresAt: null });
  const deaf = new RawClient(port);
  deaf.socket.pause();
  deaf.send(command("GET", "big").repeat(5000));
  await until(() => server.counters.commands > 10);
  await nothingHappens();
  const served = server.counters.commands;
  expect(served).toBeLessThan(1000);
  const other = new RawClient(port);
  other.say("PING");
  await other.expect("+PONG\r\n");
  expect(server.counters.commands).toBe(served + 1);
  let bytes = 0;
  deaf.socket.removeAllListeners("data");
  deaf.socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
  deaf.socket.resume();
  await until(() => bytes === 5000 * (100_000 + "$100000\r\n\r\n".length));
});

test("a client that is cut off while it waits leaves nothing behind", async () => {
  const { heart, server, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  client.say("SET a 1");
  await until(() => heart.accepted === 1);
  const waiting = new RawClient(port);
  waiting.say("SET a 2", "WAIT 1 0");
  await until(() => heart.storedMark.waiting === 1);
  client.socket.resetAndDestroy();
  waiting.socket.resetAndDestroy();
  await until(() => server.counters.clients === 0);
  expect(heart.storedMark.waiting).toBe(0);
  heart.keep(2);
});

test("closing answers what is in hand first, and cuts off who does not come to an end", async () => {
  const { heart, server, port } = await serve();
  heart.auto = false;
  const client = new RawClient(port);
  const idle = new RawClient(port);
  const stuck = new RawClient(port);
  idle.say("PING");
  await idle.expect("+PONG\r\n");
  heart.cold.set(bytesOfText("cold"), new Promise(() => undefined));
  stuck.say("GET cold");
  client.say("SET a 1");
  await until(() => heart.accepted === 1);
  const closed = server.close({ deadlineMs: 100 });
  await until(() => idle.ended);
  heart.keep(1);
  await client.expect("+OK\r\n");
  await closed;
  await until(() => stuck.ended);
  expect(server.counters.clients).toBe(0);
});
