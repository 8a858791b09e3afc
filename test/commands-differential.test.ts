/** Generated sequences of commands, sent to this server and to a real redis-server: the replies are the same bytes. */
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { commandTable } from "../src/commands/table.js";
import { startRedis, type RunningServer } from "./servers.js";
import { command, RawClient, serve, serveEngine, testFolder, until } from "./server-setup.js";
import { describeWith } from "./with-programs.js";

const key = fc.constantFrom("a", "b", "h", "n", "");
const field = fc.constantFrom("f", "g", "");
const value = fc.constantFrom(
  "1",
  "x",
  "",
  "-5",
  "01",
  "9223372036854775807",
  "-9223372036854775808",
  "\r\n\0\xff",
  "1 2",
  "3.0",
);
const number = fc.constantFrom(
  "1",
  "-1",
  "100",
  "0",
  "x",
  "",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
  "1000000000000",
);
const setOption = fc.constantFrom(
  "NX",
  "XX",
  "GET",
  "KEEPTTL",
  "EX",
  "PX",
  "EXAT",
  "PXAT",
  "nx",
  "get",
  "100",
  "5000",
  "0",
  "-1",
  "x",
  "99999999999",
);
const expireOption = fc.constantFrom("NX", "XX", "GT", "LT", "gt", "FOO");
const words = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts);
const many = (part: fc.Arbitrary<string>, max = 4) => fc.array(part, { maxLength: max });

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

const one: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: named(["SET"], key, value) },
  { weight: 4, arbitrary: named(["SET"], key, value, many(setOption)) },
  { weight: 4, arbitrary: named(["HSET"], key, many(fc.oneof(field, value), 5)) },
  { weight: 4, arbitrary: named(["HSET"], key, field, value) },
  {
    weight: 3,
    arbitrary: named(
      ["GET", "INCR", "DECR", "TYPE", "TTL", "PERSIST", "STRLEN", "HGETALL", "HLEN", "HKEYS", "HVALS"],
      key,
    ),
  },
  { weight: 2, arbitrary: named(["MGET", "DEL", "EXISTS"], key, many(key)) },
  { weight: 1, arbitrary: named(["MSET"], key, value, many(value)) },
  { weight: 2, arbitrary: named(["INCRBY", "DECRBY", "APPEND"], key, number) },
  { weight: 2, arbitrary: named(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"], key, number, many(expireOption, 2)) },
  { weight: 2, arbitrary: named(["EXPIRE"], key, fc.constantFrom("100", "200"), many(expireOption, 1)) },
  { weight: 2, arbitrary: named(["HGET", "HEXISTS"], key, field) },
  { weight: 2, arbitrary: named(["HMGET", "HDEL"], key, many(field)) },
  { weight: 2, arbitrary: named(["HINCRBY"], key, field, number) },
  { weight: 2, arbitrary: named(["MULTI", "EXEC", "DISCARD", "multi", "exec"]) },
  {
    weight: 1,
    arbitrary: named(
      ["PING", "ECHO", "SELECT", "nosuch", "get", "Exec", "AUTH", "CLIENT"],
      many(fc.oneof(value, key), 3),
    ),
  },
  { weight: 1, arbitrary: named(["CLIENT"], fc.constantFrom("GETNAME", "SETNAME", "foo"), many(value, 2)) },
  {
    weight: 1,
    arbitrary: words(
      fc.constant("COMMAND"),
      fc.constantFrom("GETKEYS"),
      fc.constantFrom("GET", "MSET", "DEL", "PING", "foo"),
    ).map((parts) => [...parts]),
  },
);

/** The moments of our limit (2^53 ms) and of theirs (2^63 ms) differ: what lies between is not compared. */
function isComparable(args: readonly string[]): boolean {
  const name = (args[0] as string).toUpperCase();
  // Redis gives fields in the order of their writes while a hash is small; here they come in the order of their bytes.
  if (["HGETALL", "HKEYS", "HVALS"].includes(name)) return false;
  if (!name.includes("EXPIRE") && name !== "SET") return true;
  return !args
    .slice(name === "SET" ? 3 : 2)
    .some((word) => word.length > 15 && word !== "-9223372036854775808" && !word.endsWith("808"));
}

/**
 * Whether a command says the same when it comes half a second later, from the database: no short expiry, no look at the
 * clock.
 */
function isUnhurried(args: readonly string[]): boolean {
  const [name = "", , time] = args.map((arg) => arg.toUpperCase());
  if (name === "TTL" || name.startsWith("PEXPIRE")) return false;
  return !(name === "EXPIRE" && time === "1") && !(name === "SET" && args.slice(3).some((arg) => /^px$/i.test(arg)));
}

/** A client of this server and one of redis-server, which speak the same protocol. */
async function pair(ours: number, theirs: number, protocol: number): Promise<readonly [RawClient, RawClient]> {
  const clients = [new RawClient(ours), new RawClient(theirs)] as const;
  for (const client of clients) {
    client.send(command("HELLO", String(protocol)));
    await until(() => client.received.length > 100);
  }
  return clients;
}

function streamOf(commands: readonly (readonly string[])[]): string {
  return commands.map((args) => command(...args)).join("");
}

/** Sends commands and gives the lines of their replies. */
async function talk(client: RawClient, stream: string): Promise<string[]> {
  client.received = "";
  client.send(stream + command("DISCARD") + command("ECHO", "the end"));
  while (!client.received.endsWith("$7\r\nthe end\r\n")) {
    await new Promise((resolve) => client.socket.once("data", resolve));
  }
  return client.received.split("\r\n");
}

function sameReplies(clients: readonly [RawClient, RawClient], pipelines: fc.Arbitrary<string[][]>) {
  const clean = command("DISCARD") + command("FLUSHALL") + command("CLIENT", "SETNAME", "");
  return fc.asyncProperty(pipelines, async (commands) => {
    const [ours, theirs] = await Promise.all(clients.map((client) => talk(client, streamOf(commands) + clean)));
    expect(ours).toEqual(theirs);
  });
}

describeWith(["redis-server"], "the same replies as redis-server", () => {
  let redis: RunningServer;
  beforeAll(async () => {
    redis = await startRedis(["--databases", "1"]);
  });
  afterAll(() => redis.stop());

  const rounds = Number(process.env["DIFFERENTIAL_RUNS"] ?? 1500);
  const pipelines = fc.array(one.filter(isComparable), { minLength: 1, maxLength: 30 });

  const slow = fc.array(one.filter(isComparable).filter(isUnhurried), { minLength: 1, maxLength: 30 });

  for (const protocol of [2, 3]) {
    test(`RESP${protocol}`, { timeout: 120_000 }, async () => {
      const { port } = await serve({ allowFlush: true });
      await fc.assert(sameReplies(await pair(port, redis.port, protocol), pipelines), { numRuns: rounds });
    });
  }

  test("whole hashes, whatever the order of their fields", { timeout: 120_000 }, async () => {
    const { port } = await serve({ allowFlush: true });
    const clients = [port, redis.port].map((one) => new Redis({ port: one, host: "127.0.0.1" }));
    onTestFinished(() => clients.forEach((client) => client.disconnect()));
    const field = fc.constantFrom("a", "b", "c", "10", "9", "\u00e9");
    const write = fc.oneof(
      fc.tuple(fc.constant("hset"), field, fc.string()),
      fc.tuple(fc.constant("hdel"), field),
      fc.tuple(fc.constant("hincrby"), field, fc.integer().map(String)),
    );
    const check = fc.asyncProperty(fc.array(write, { maxLength: 20 }), async (writes) => {
      const seen = await Promise.all(
        clients.map(async (client) => {
          for (const [name, ...args] of writes) await client.call(name as string, "h", ...args).catch(() => {});
          const all = [
            await client.hgetall("h"),
            (await client.hkeys("h")).toSorted(),
            (await client.hvals("h")).toSorted(),
          ];
          await client.del("h");
          return all;
        }),
      );
      expect(seen[0]).toEqual(seen[1]);
    });
    await fc.assert(check, { numRuns: rounds / 15 });
  });

  test("with the real engine", { timeout: 120_000 }, async () => {
    const { port, stop } = await serveEngine(testFolder(), { durability: "os" });
    await fc.assert(sameReplies(await pair(port, redis.port, 3), pipelines), { numRuns: rounds / 10 });
    await stop();
  });

  test(
    "with the real engine, started again between two pipelines: every record is cold",
    { timeout: 120_000 },
    async () => {
      const folder = testFolder();
      const check = fc.asyncProperty(slow, slow, async (before, after) => {
        for (const stream of [command("FLUSHALL") + streamOf(before), streamOf(after)]) {
          const engine = await serveEngine(folder, { durability: "os" });
          try {
            const clients = await pair(engine.port, redis.port, 2);
            const [ours, theirs] = await Promise.all(clients.map((client) => talk(client, stream)));
            expect(ours).toEqual(theirs);
            for (const client of clients) client.socket.destroy();
          } finally {
            await engine.stop();
          }
        }
      });
      await fc.assert(check, { numRuns: Math.ceil(rounds / 150) });
    },
  );

  /** The flags that say something here; Redis has more, for things that do not exist here. */
  const compared = new Set(["write", "readonly", "denyoom", "fast", "admin", "no_auth"]);

  test("arity, flags, keys and categories of every command are Redis' own", async () => {
    const client = new Redis({ port: redis.port, host: "127.0.0.1" });
    onTestFinished(() => client.disconnect());
    for (const entry of commandTable.filter(({ name }) => name !== "waitaof")) {
      const [theirs] = (await client.call("COMMAND", "INFO", entry.name)) as [
        string,
        number,
        string[],
        number,
        number,
        number,
        string[],
      ][];
      const [name, arity, flags, first, last, step] = theirs as NonNullable<typeof theirs>;
      const ours = entry.flags.filter((flag) => compared.has(flag)).toSorted();
      const { keys } = entry;
      expect([entry.name, entry.arity, ours, keys.first, keys.last, keys.step]).toEqual([
        name,
        arity,
        flags.filter((flag) => compared.has(flag)).toSorted(),
        first,
        last,
        step,
      ]);
    }
  });
});
