/** What only a real Redis can do to the keeper: no memory, no scripts, a key gone, an entry of a newer version. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keeperContract } from "../contract/keeper.js";
import { b, fields, frame, merge, remove, replace, Shop, telling, wide } from "../contract/keeper/world.js";
import { UnknownEntry } from "../src/redis/entry.js";
import { systemRandom } from "../src/host/random.js";
import type { ParkedChange } from "../src/redis/keeper.js";
import { RedisKeeper } from "../src/redis/redis-keeper.js";
import type { RedisLink } from "../src/redis/redis-link.js";
import { keeperBy, redisKeeperWorld } from "./keeper-kit.js";
import { describeRedis } from "./with-redis.js";

type World = Awaited<ReturnType<typeof redisKeeperWorld>>;

/** Everything in the Redis, key by key. */
async function everything(link: RedisLink): Promise<Record<string, unknown>> {
  const keys = (await link.command("KEYS", ["*"])) as readonly string[];
  const dumps = await Promise.all(keys.map(async (key) => [key, await link.command("DUMP", [key])] as const));
  return Object.fromEntries(dumps.sort(([one], [two]) => (one < two ? -1 : 1)));
}

describeRedis(
  "a Redis without memory",
  (server) => {
    let world: World;
    let shop: Shop;
    const limit = (bytes: number) => world.link.command("CONFIG", ["SET", "maxmemory", bytes]);
    const frames = {
      plain: [frame([["a", replace(b("2"))]]), frame([["new", replace(b("2"))]])],
      mixed: [
        frame([
          ["a", merge({ x: "1" })],
          ["hash", merge({ y: "2" })],
          ["gone", remove],
          ["laid", merge({ z: "1" })],
        ]),
        frame([["a", remove]]),
      ],
      removal: [frame([["a", remove]])],
    };

    beforeAll(async () => {
      world = await redisKeeperWorld(server().port);
      shop = await Shop.open(world);
    });
    afterAll(() => world.end());

    test("refuses writes, keeps no fills, and nothing of them is done; reads go on, without a lease", async () => {
      await shop.write(["a", replace(b("1"))], ["hash", replace(fields({ x: "1" }))], ["laid", merge({ x: "1" })]);
      await shop.known("asked", "mine");
      const before = await everything(world.link);
      await limit(1);
      for (const each of Object.values(frames)) {
        await expect(shop.keeper.write(0, each, wide)).rejects.toMatchObject({ code: "QUEUE_FULL" });
      }
      const fill = { record: b("asked"), value: { content: b("1"), expiresAt: null }, freshMs: 1000 };
      expect(await shop.keeper.fill(0, "mine", [fill])).toEqual([false]);
      expect((await shop.known("never", "theirs")).state).toBe("unknown");
      expect((await shop.known("hash", "theirs")).state).toBe("value");
      expect(await everything(world.link)).toEqual(before);
      await limit(0);
      for (const each of Object.values(frames)) await shop.writeAll(each);
    });

    test("lets the writers go on, because they are who makes room", async () => {
      const { keeper } = shop;
      await limit(1);
      await keeper.beat("worker-1", 60_000, "{}");
      const claim = await shop.claim();
      expect(await keeper.holds(claim, 60_000)).toBe(true);
      const change: ParkedChange = {
        put: new Map([[b("p"), b("parked")]]),
        drop: [],
        frames: new Map([[1, "letter"]]),
        totals: { letters: 1, waitingBehind: 0 },
        throwAway: [b("hash")],
        anew: true,
      };
      await keeper.parked(claim, change, telling());
      expect(await keeper.parkedBetween(0, 1, 1)).toEqual(change.frames);
      await shop.store(claim, ["a", "hash", "gone", "laid", "new"], 60_000, (await shop.state()).head.sequence);
      await keeper.break(0, "why");
      await keeper.break(0, null);
      const { pendingRecords, pendingBytes, stored, head } = await shop.state();
      expect([pendingRecords, pendingBytes, stored]).toEqual([0, 0, head]);
      await keeper.release(claim);
      await keeper.leave("worker-1");
    });

    test("lets a script that has begun come to its end", async () => {
      await limit(0);
      const [used] = /(?<=used_memory:)\d+/.exec(String(await world.link.command("INFO", ["memory"]))) ?? [];
      await limit(Number(used) + 5_000_000);
      const large = Array.from({ length: 60 }, (_, n) => [`large ${n}`, replace(b("x".repeat(50_000)))] as const);
      await shop.write(...large);
      await expect(shop.write(["a", replace(b("1"))])).rejects.toMatchObject({ code: "QUEUE_FULL" });
      await limit(0);
      for (const [record] of large) expect((await shop.known(record)).state).toBe("value");
      expect((await shop.state()).pendingRecords).toBe(60);
    });
  },
  ["--maxmemory-policy", "noeviction"],
);

describeRedis("a Redis", (server) => {
  test("that has forgotten its scripts is told them again", async () => {
    const world = await redisKeeperWorld(server().port);
    const { link } = world;
    const forgetful: RedisLink = {
      run: async (script, keys, args) => {
        await link.command("SCRIPT", ["FLUSH"]);
        return link.run(script, keys, args);
      },
      command: (name, args) => link.command(name, args),
      subscribe: (...args) => link.subscribe(...args),
      isUp: true,
      onState: (call) => link.onState(call),
      close: () => link.close(),
    };
    const shop = new Shop(keeperBy(forgetful), world, 0);
    await shop.keeper.fleet({ id: "0123456789abcdef01234567", partitions: 2 });
    for (const change of [replace(b("1")), merge({ x: "1" }), remove]) await shop.write(["a", change]);
    await shop.known("c", "mine");
    await shop.keeper.fill(0, "mine", [{ record: b("c"), value: null, freshMs: 1000 }]);
    expect((await shop.keeper.beat("worker-1", 1000, "")).workers).toHaveLength(1);
    const claim = await shop.claim();
    await shop.store(claim, ["a"]);
    expect(await shop.keeper.holds(claim, 1000)).toBe(true);
    expect((await shop.state()).stored.sequence).toBe(3);
    await world.end();
  });

  test("that has lost the fleet's key and not its partitions makes no new fleet", async () => {
    const world = await redisKeeperWorld(server().port);
    const shop = await Shop.open(world);
    await shop.write(["a", replace(b("1"))]);
    await world.link.command("DEL", ["write-behind:fleet"]);
    const other = keeperBy(world.link);
    await expect(other.fleet({ id: "f".repeat(24), partitions: 2 })).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
    expect(await other.fleet(null)).toBe(null);
    expect(await shop.frames()).toHaveLength(1);
    await world.end();
  });

  test("with a fleet of a newer version is left alone", async () => {
    const world = await redisKeeperWorld(server().port);
    await Shop.open(world);
    await world.link.command("HSET", ["write-behind:fleet", "version", "2"]);
    await expect(keeperBy(world.link).fleet(null)).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
    await world.end();
  });

  test("with an entry of a newer version, or a damaged one, gives no frame of it", async () => {
    const world = await redisKeeperWorld(server().port);
    const shop = await Shop.open(world);
    await shop.write(["a", replace(b("1"))]);
    await world.link.command("XADD", ["write-behind:0:log", "1-2", "1", "5", "@", `${"n".repeat(16)}1234`, "a", "2"]);
    await expect(shop.keeper.frames(0, 1, 1000)).rejects.toThrow(/not whole/);
    await world.link.command("XADD", ["write-behind:0:log", "1-3", "2", "5"]);
    await expect(shop.keeper.positionAt(0, 3)).rejects.toThrow(UnknownEntry);
    expect((await shop.keeper.frames(0, 0, 1)).length).toBe(1);
    await world.end();
  });

  test("does not keep deadlines and absences of what is forgotten", async () => {
    const world = await redisKeeperWorld(server().port);
    const shop = await Shop.open(world);
    const claim = await shop.claim();
    const soon = (await shop.now()) + 200;
    for (let round = 0; round < 20; round++) {
      const names = Array.from({ length: 50 }, (_, number) => `r${round}-${number}`);
      await shop.write(...names.map((name) => [name, replace(b("1"), soon + 60_000)] as const));
      await shop.write(...names.map((name) => [`gone ${name}`, remove] as const));
      await shop.store(claim, [...names, ...names.map((name) => `gone ${name}`)], 1);
      await world.passes(3);
    }
    const [ends, absences] = await Promise.all(
      ["ends", "absent"].map(async (key) => Number(await world.link.command("ZCARD", [`write-behind:0:${key}`]))),
    );
    expect(ends).toBeLessThan(500);
    expect(absences).toBeLessThan(200);
    await world.end();
  });
});

describe("a write that is to be confirmed", () => {
  interface FakeParts {
    readonly kept: number;
    readonly reply?: readonly (string | number)[];
    /** While the confirmation is awaited. */
    readonly meanwhile?: (changed: () => void) => void;
  }

  function keeperThatWaits({ kept, reply = ["ok", 1], meanwhile }: FakeParts): { keeper: RedisKeeper; said: string[] } {
    const said: string[] = [];
    let changed = (): void => {};
    const link = {
      run: async ({ name }: { readonly name: string }) => {
        await Promise.resolve();
        said.push(name);
        return name === "fleet" ? ["0123456789abcdef01234567", "1", "1"] : reply;
      },
      command: async (name: string) => {
        said.push(name);
        meanwhile?.(changed);
        return kept;
      },
      onState: (call: () => void) => {
        changed = call;
        return () => {};
      },
    } as unknown as RedisLink;
    const confirmation = { wait: "wait", timeoutMs: 10 } as const;
    const parts = { place: "here", link, writing: link, random: systemRandom(), confirmation, absentMs: 1000 };
    return { keeper: new RedisKeeper(parts), said };
  }

  const write = async (keeper: RedisKeeper) => {
    await keeper.fleet(null);
    return keeper.write(0, [frame([["a", replace(b("1"))]])], wide);
  };

  test("is confirmed after its own answer, and not before", async () => {
    const { keeper, said } = keeperThatWaits({ kept: 1 });
    expect(await write(keeper)).toEqual([{ became: "kept", sequence: 1 }]);
    expect(said).toEqual(["fleet", "set", "WAIT"]);
  });

  test("is not known to be kept where nobody confirms it, or another connection is asked", async () => {
    await expect(write(keeperThatWaits({ kept: 0 }).keeper)).rejects.toMatchObject({ code: "UNKNOWN" });
    const { keeper } = keeperThatWaits({ kept: 1, meanwhile: (changed) => changed() });
    await expect(write(keeper)).rejects.toMatchObject({ code: "UNKNOWN" });
  });

  test("needs no confirmation where nothing was written", async () => {
    const { keeper, said } = keeperThatWaits({ kept: 0, reply: ["full", "bytes"] });
    expect(await write(keeper)).toEqual([{ became: "full", what: "bytes" }]);
    expect(said).toEqual(["fleet", "set"]);
  });
});

describe("the suite", () => {
  test("has a name for each case", () => {
    const names = keeperContract(() => Promise.reject(new Error("none"))).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
