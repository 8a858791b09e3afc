/** Generated sequences of commands, sent to this server and to a real redis-server: the replies are the same bytes. */
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { commandTable } from "../src/commands/table.js";
import { startRedis, type RunningServer } from "./servers.js";
import { pair, pipelines, sameReplies, second, streamOf, talk, withSecondsOf } from "./command-pipelines.js";
import { serve, serveEngine, testFolder } from "./server-setup.js";
import { describeWith } from "./with-programs.js";

describeWith(["redis-server"], "the same replies as redis-server", () => {
  let redis: RunningServer;
  beforeAll(async () => {
    redis = await startRedis(["--databases", "1"]);
  });
  afterAll(() => redis.stop());
  // What another test has left there, a new server of ours does not have.
  beforeEach(async () => {
    const client = new Redis({ port: redis.port, host: "127.0.0.1" });
    await client.flushall();
    client.disconnect();
  });

  const rounds = Number(process.env["DIFFERENTIAL_RUNS"] ?? 1500);
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
    await fc.assert(check, { numRuns: Math.ceil(rounds / 15) });
  });

  test("HSCAN and HRANDFIELD, whatever the order of fields and chance", { timeout: 120_000 }, async () => {
    const { port } = await serve({ allowFlush: true });
    const clients = [port, redis.port].map((one) => new Redis({ port: one, host: "127.0.0.1" }));
    onTestFinished(() => clients.forEach((client) => client.disconnect()));
    const name = fc.oneof(
      fc.constantFrom("a", "ab", "b", "long".repeat(20)),
      fc.integer({ min: 0, max: 700 }).map(String),
    );
    const pattern = fc.constantFrom("*", "a*", "?", "[0-4]*", "nothing");
    const count = fc.integer({ min: 1, max: 800 });
    const check = fc.asyncProperty(
      fc.array(name, { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      pattern,
      count,
      async (names, isLarge, match, asked) => {
        const more = isLarge ? Array.from({ length: 600 }, (_, i) => `more${i}`) : [];
        const fields = [...names, ...more].flatMap((field) => [field, `v${field}`]);
        const seen = await Promise.all(
          clients.map(async (client) => {
            await client.del("h");
            await client.hset("h", ...fields);
            const found = new Map<string, string>();
            let cursor = "0";
            do {
              const [next, page] = await client.hscan("h", cursor, "MATCH", match, "COUNT", asked);
              for (let at = 0; at < page.length; at += 2) found.set(page[at] as string, page[at + 1] as string);
              cursor = next;
            } while (cursor !== "0");
            const some = (await client.hrandfield("h", asked)) as string[];
            const pairs = (await client.hrandfield("h", -asked, "WITHVALUES")) as unknown[];
            return {
              found: [...found].map(([field, value]) => `${field}=${value}`).toSorted(),
              different: new Set(some).size,
              count: some.length,
              repeated: pairs.length,
              all: some.length === new Set(fields).size / 2 ? some.toSorted() : [],
            };
          }),
        );
        expect(seen[0]).toEqual(seen[1]);
      },
    );
    await fc.assert(check, { numRuns: Math.ceil(rounds / 15) });
  });

  test("with the real engine", { timeout: 120_000 }, async () => {
    const { port, stop } = await serveEngine(testFolder(), { durability: "os" });
    await fc.assert(sameReplies(await pair(port, redis.port, 3), pipelines), { numRuns: Math.ceil(rounds / 10) });
    await stop();
  });

  test(
    "with the real engine, started again between two pipelines: every record is cold",
    { timeout: 120_000 },
    async () => {
      const folder = testFolder();
      const check = fc.asyncProperty(pipelines, second, async (before, after) => {
        for (const commands of [[["FLUSHALL"], ...before], after]) {
          const engine = await serveEngine(folder, { durability: "os" });
          try {
            const clients = await pair(engine.port, redis.port, 2);
            const stream = streamOf(commands);
            const [ours, theirs] = await Promise.all(clients.map((client) => talk(client, stream)));
            expect(withSecondsOf(theirs as string[], ours as string[], commands)).toEqual(theirs);
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
    for (const entry of commandTable.filter(({ name, group }) => name !== "waitaof" && group !== "write-behind")) {
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
