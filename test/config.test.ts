/** CONFIG: what it shows, what it changes, and that it says so as redis-server does. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Redis } from "ioredis";
import { pair, streamOf, talk } from "./command-pipelines.js";
import { startRedis, type RunningServer } from "./servers.js";
import { command, RawClient, serve, until } from "./server-setup.js";
import { describeWith } from "./with-programs.js";

const names = [
  "timeout",
  "TIMEOUT",
  "tcp-keepalive",
  "proto-max-bulk-len",
  "client-query-buffer-limit",
  "client-output-buffer-limit",
  "nosuch",
  "",
];
const patterns = ["timeout", "Timeout", "tcp-*", "proto-max-bulk-le?", "nosuch*", "[pt]roto*", "client-*-buffer-limit"];
const values = [
  "0",
  "1",
  "-1",
  "x",
  "",
  "1mb",
  "2MB",
  "2000k",
  "3m",
  "2097152",
  "1 mb",
  "normal 1mb 2 3",
  "normal 0 0 0",
  "pubsub 1 2 3 slave 4k 5b 6",
  "replica 1 2 3",
  "master 1 2 3",
  "normal 1 2",
  "normal x 2 3",
  "normal 1 2 -3",
];
const from = (list: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...list);
const asked = fc.array(
  fc.oneof(
    fc.array(from(patterns), { maxLength: 4 }).map((given) => ["CONFIG", "GET", ...given]),
    fc.tuple(from(names), from(values)).map((given) => ["CONFIG", "SET", ...given]),
    fc.array(fc.oneof(from(names), from(values)), { maxLength: 6 }).map((given) => ["CONFIG", "SET", ...given]),
    from(["2147483647", "2147483648", "99999999999999999999"]).map((value) => ["CONFIG", "SET", "timeout", value]),
    from(["HELP", "REWRITE", "RESETSTAT", "help", "FOO"]).map((given) => ["CONFIG", given]),
  ),
  { maxLength: 12 },
);

const reset = [
  "CONFIG",
  "SET",
  ["timeout", "0", "tcp-keepalive", "300", "proto-max-bulk-len", "128mb", "client-query-buffer-limit", "256mb"],
  ["client-output-buffer-limit", "normal 0 0 0 slave 3 2 1 pubsub 1 1 1"],
].flat();

/** Limits that this server cannot go beyond: where Redis says how far it goes, so do we. */
const bounds = (line: string): string => line.replace(/between 1048576 and \d+ inclusive/, "between 1048576 and MAX");

describeWith(["redis-server"], "as redis-server says it", () => {
  let redis: RunningServer;
  beforeAll(async () => {
    redis = await startRedis(["--proto-max-bulk-len", "128mb", "--client-query-buffer-limit", "256mb"]);
  });
  afterAll(() => redis.stop());

  for (const protocol of [2, 3]) {
    test(`RESP${protocol}`, { timeout: 60_000 }, async () => {
      const { port } = await serve();
      const clients = await pair(port, redis.port, protocol);
      const check = fc.asyncProperty(asked, async (commands) => {
        const [ours, theirs] = await Promise.all(clients.map((client) => talk(client, streamOf([reset, ...commands]))));
        // Redis gives what a pattern finds in the order of its hash table.
        expect(ours?.map(bounds).toSorted()).toEqual(theirs?.map(bounds).toSorted());
      });
      await fc.assert(check, { numRuns: 500 });
    });
  }
});

test("all pairs are set, or none", async () => {
  const { port } = await serve();
  const redis = new Redis({ port, host: "127.0.0.1" });
  try {
    expect(await redis.config("SET", "timeout", "60", "tcp-keepalive", "10")).toBe("OK");
    await expect(redis.config("SET", "timeout", "0", "tcp-keepalive", "x")).rejects.toThrow(
      "ERR CONFIG SET failed (possibly related to argument 'tcp-keepalive') - argument couldn't be parsed into an integer",
    );
    expect(await redis.config("GET", "timeout", "*alive")).toEqual(["timeout", "60", "tcp-keepalive", "10"]);
  } finally {
    redis.disconnect();
  }
});

test("says what the server does, and the password never", async () => {
  const { port } = await serve({ password: "hunter2" });
  const client = new RawClient(port);
  client.send(command("AUTH", "hunter2") + command("CONFIG", "GET", "*") + command("INFO") + command("ECHO", "end"));
  await until(() => client.received.endsWith("end\r\n"));
  expect(client.received).not.toContain("hunter2");
  const lines = client.received.split("\r\n");
  const shown = (name: string): string | undefined => lines[lines.indexOf(name) + 2];
  const facts = {
    requirepass: "***",
    "protected-mode": "yes",
    databases: "1",
    save: "",
    appendonly: "yes",
    appendfsync: "always",
    "maxmemory-policy": "noeviction",
    port: String(port),
    bind: "127.0.0.1",
    maxclients: "10000",
    "proto-max-bulk-len": "134217728",
  };
  for (const [name, value] of Object.entries(facts)) expect([name, shown(name)]).toEqual([name, value]);
});

test("what cannot be changed says which flag does, and may be set to what it is", async () => {
  const { port } = await serve();
  const client = new RawClient(port);
  client.say("CONFIG SET save ''", "CONFIG SET requirepass x", "CONFIG SET databases 16");
  await client.expect(
    "+OK\r\n" +
      "-ERR CONFIG SET failed (possibly related to argument 'requirepass') - can't set immutable config; start the server with --password\r\n" +
      "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config\r\n",
  );
});

test("RESETSTAT counts from zero again", async () => {
  const { server, port } = await serve();
  const client = new RawClient(port);
  client.say("PING", "nosuch", "CONFIG RESETSTAT", "PING");
  await until(() => client.received.endsWith("+OK\r\n+PONG\r\n"));
  expect(server.counters).toMatchObject({ commands: 1, errors: 0, connections: 0, clients: 1 });
});
