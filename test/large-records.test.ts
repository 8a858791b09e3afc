/** The largest hashes, values, keys and frames, on the real server over TCP, down to the rows in SQLite. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DatabaseSync } from "@photostructure/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { command, serveEngine, testFolder } from "./server-setup.js";

const mb = 1024 * 1024;

/** A client that keeps what it receives as it came, and waits as long as it takes. */
class Client {
  readonly #socket: Socket;
  #pieces: string[] = [];
  #length = 0;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1" });
    this.#socket.on("data", (piece: Buffer) => {
      this.#pieces.push(piece.toString("latin1"));
      this.#length += piece.length;
    });
    onTestFinished(() => void this.#socket.destroy());
  }

  send(...args: string[]): void {
    this.#socket.write(command(...args), "latin1");
  }

  /** Sends a command and gives the next `length` characters of what comes back. */
  async ask(length: number, ...args: string[]): Promise<string> {
    this.send(...args);
    return this.next(length);
  }

  async next(length: number): Promise<string> {
    while (this.#length < length) await once(this.#socket, "data");
    const all = this.#pieces.join("");
    this.#pieces = [all.slice(length)];
    this.#length -= length;
    return all.slice(0, length);
  }

  /** Sends a command and gives its reply of one line. */
  async line(...args: string[]): Promise<string> {
    this.send(...args);
    while (!this.#pieces.join("").includes("\r\n")) await once(this.#socket, "data");
    return this.next(this.#pieces.join("").indexOf("\r\n") + 2);
  }
}

/** The one row of a question to the database, by a connection of its own. */
function inDatabase(folder: string, sql: string): unknown {
  const db = new DatabaseSync(join(folder, "write-behind.db"), { readOnly: true });
  try {
    return Object.values(db.prepare(sql).get() as Record<string, unknown>);
  } finally {
    db.close();
  }
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

test("a hash of 1,000,000 fields: built, read, stored, and read again from the database alone", async () => {
  const count = 1_000_000;
  const folder = testFolder();
  const first = await serveEngine(folder);
  const client = new Client(first.port);
  const field = (i: number): string => `field:${String(i).padStart(7, "0")}`;
  const perCommand = 1000;
  for (let from = 0; from < count; from += perCommand) {
    const pairs = Array.from({ length: perCommand }, (_, i) => [field(from + i), `value ${from + i}`]);
    client.send("HSET", "h", ...pairs.flat());
  }
  expect(await client.next((7 * count) / perCommand)).toBe(":1000\r\n".repeat(count / perCommand));
  expect(await client.line("HLEN", "h")).toBe(`:${count}\r\n`);
  // In field order, as SCAN of the database would show it.
  let all = `*${2 * count}\r\n`;
  for (let i = 0; i < count; i++) all += bulk(field(i)) + bulk(`value ${i}`);
  expect((await client.ask(all.length, "HGETALL", "h")) === all).toBe(true);
  expect(await client.line("HINCRBY", "h", "n", "7")).toBe(":7\r\n");
  expect(await client.line("HDEL", "h", "n", field(0), "none")).toBe(":2\r\n");
  expect(await client.line("WAIT", "1", "0")).toBe(":1\r\n");
  expect(inDatabase(folder, "SELECT count(*), min(field), max(field) FROM write_behind_field")).toEqual([
    count - 1,
    field(1),
    field(count - 1),
  ]);
  await first.stop();

  // A cache that cannot hold it: it is loaded for the command, served, and forgotten.
  const second = await serveEngine(folder, { cacheBytes: mb });
  const again = new Client(second.port);
  const two = `*2\r\n${bulk("value 1")}$-1\r\n`;
  expect(await again.ask(two.length, "HMGET", "h", field(1), field(0))).toBe(two);
  expect(second.heart.status().cache.bytes).toBeLessThan(mb);
  await second.stop();
}, 120_000);

test("a value of 64 MB is served, stored, and served again from the database where the command asks for no more", async () => {
  const folder = testFolder();
  const value = "0123456789abcdef".repeat((64 * mb) / 16);
  const first = await serveEngine(folder);
  const client = new Client(first.port);
  expect(await client.line("SET", "v", value)).toBe("+OK\r\n");
  expect((await client.ask(bulk(value).length, "GET", "v")) === bulk(value)).toBe(true);
  expect(await client.line("WAIT", "1", "0")).toBe(":1\r\n");
  expect(inDatabase(folder, "SELECT length(value) FROM write_behind_kv WHERE key = 'v'")).toEqual([value.length]);
  await first.stop();
  const second = await serveEngine(folder, { cacheBytes: mb, loadsMax: 1 });
  const again = new Client(second.port);
  expect((await again.ask(bulk(value).length, "GET", "v")) === bulk(value)).toBe(true);
  // Beside another record it is more than one command may load.
  expect(await again.line("EXISTS", "v", "other")).toMatch(/^-ERR the records of one command exceed the 1048576 bytes/);
  expect(await again.line("SET", "other", "1")).toBe("+OK\r\n");
  await second.stop();
});

test("a key of 64 KB is served and stored; one byte more is refused, and nothing is changed", async () => {
  const folder = testFolder();
  const { port, stop } = await serveEngine(folder);
  const client = new Client(port);
  const longest = "k".repeat(64 * 1024);
  expect(await client.line("SET", longest, "1")).toBe("+OK\r\n");
  expect(await client.ask(7, "GET", longest)).toBe(bulk("1"));
  expect(await client.line("SET", `${longest}k`, "2")).toMatch(/^-ERR a key of 65537 bytes.* takes 65536: nothing was/);
  expect(await client.ask(5, "GET", `${longest}k`)).toBe("$-1\r\n");
  expect(await client.line("WAIT", "1", "0")).toBe(":1\r\n");
  expect(inDatabase(folder, "SELECT count(*), max(length(key)) FROM write_behind_kv")).toEqual([1, 65_536]);
  await stop();
});

test("a frame over 128 MB is refused: nothing is changed, the connection goes on, memory is free again", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const { port, stop, heart } = await serveEngine(testFolder());
  const client = new Client(port);
  expect(await client.line("MSET", "a", "1", "b", "1")).toBe("+OK\r\n");
  const { accepted } = heart.status().queue;
  const half = Buffer.alloc(64 * mb, "x").toString("latin1");
  const before = used();
  expect(await client.line("MSET", "a", half, "b", half)).toMatch(/^-ERR one command .* the most is 134217728/);
  // The largest argument there may be makes a frame that is a few bytes too long.
  expect(await client.line("SET", "a", half + half)).toMatch(/^-ERR one command .* the most is 134217728/);
  expect(heart.status().queue.accepted).toBe(accepted);
  expect(await client.ask(18, "MGET", "a", "b")).toBe("*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
  expect(await client.line("SET", "a", half)).toBe("+OK\r\n");
  expect(await client.line("SET", "a", "2")).toBe("+OK\r\n");
  expect(await client.line("WAIT", "1", "0")).toBe(":1\r\n");
  expect(heart.status().cache.bytes).toBeLessThan(mb);
  // Buffers are given back a moment after they were collected.
  await expect.poll(() => used() - before, { timeout: 20_000 }).toBeLessThan(half.length / 2);
  await stop();
});
