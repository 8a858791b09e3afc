/** What is seen of a Redis, and what is said about it. */
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../src/host/clock.js";
import { openLink, type RedisLink } from "../src/redis/redis-link.js";
import {
  confirmation,
  lookAtRedis,
  problemOf,
  whatItKeeps,
  type RedisDurability,
  type RedisFacts,
} from "../src/redis/redis-look.js";
import { startRedis } from "./servers.js";
import { describeRedis } from "./with-redis.js";

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function linkTo(port: number, user = ""): Promise<RedisLink> {
  const link = await openLink(`redis://${user}127.0.0.1:${port}`, { clock: systemClock(), waitMs: 5000 });
  open.push(link);
  return link;
}

async function look(args: readonly string[]): Promise<RedisFacts> {
  const server = await startRedis(args);
  open.push({ close: () => server.stop() });
  return lookAtRedis(await linkTo(server.port));
}

/** A Redis as it comes, made up. */
const fresh: RedisFacts = {
  version: "7.0.15",
  isValkey: false,
  isCluster: false,
  role: "primary",
  maxmemory: null,
  usedMemory: 900_000,
  policy: "noeviction",
  appendonly: true,
  appendfsync: "everysec",
  pausesSync: false,
  save: "",
  waitaof: false,
  replicas: 0,
  unseen: [],
};

const levels: readonly RedisDurability[] = ["memory", "os", "disk", "replicas"];

/** The levels that are refused. */
function refused(facts: RedisFacts): RedisDurability[] {
  return levels.filter((level) => problemOf(facts, level) !== null);
}

describeRedis("a real one", (server) => {
  test("as its settings say", async () => {
    const link = await linkTo(server().port);
    const set = (name: string, value: string | number): Promise<unknown> =>
      link.command("CONFIG", ["SET", name, value]);
    const version = /redis_version:(\S+)/.exec(String(await link.command("INFO", ["server"])))?.[1];
    const { usedMemory, ...rest } = await lookAtRedis(link);
    expect(usedMemory).toBeGreaterThan(100_000);
    expect({ ...rest, waitaof: false }).toEqual({
      version,
      isValkey: false,
      isCluster: false,
      role: "primary",
      maxmemory: null,
      policy: "noeviction",
      appendonly: false,
      appendfsync: "everysec",
      pausesSync: false,
      save: "",
      waitaof: false,
      replicas: 0,
      unseen: [],
    });
    await set("maxmemory", 200_000_000);
    await set("maxmemory-policy", "allkeys-lfu");
    await set("save", "3600 1");
    await set("no-appendfsync-on-rewrite", "yes");
    expect(await lookAtRedis(link)).toMatchObject({
      maxmemory: 200_000_000,
      policy: "allkeys-lfu",
      save: "3600 1",
      pausesSync: true,
    });
    await set("appendonly", "yes");
    for (const appendfsync of ["always", "everysec", "no"]) {
      await set("appendfsync", appendfsync);
      expect(await lookAtRedis(link)).toMatchObject({ appendonly: true, appendfsync });
    }
  });

  test("the commands that repair it do", async () => {
    const link = await linkTo(server().port);
    const broken: Record<string, string> = {
      "maxmemory-policy": "allkeys-lru",
      appendonly: "no",
      appendfsync: "everysec",
      "no-appendfsync-on-rewrite": "yes",
    };
    for (const [name, value] of Object.entries(broken)) await link.command("CONFIG", ["SET", name, value]);
    let repairs = 0;
    for (;;) {
      // As if WAITAOF were not there, whatever server this is.
      const problem = problemOf({ ...(await lookAtRedis(link)), waitaof: false }, "disk");
      if (problem === null) break;
      const commands = [...String(problem.hint).matchAll(/`CONFIG SET (\S+) (\S+)`/g)];
      expect(commands).not.toEqual([]);
      for (const [, name, value] of commands) await link.command("CONFIG", ["SET", String(name), String(value)]);
      repairs += commands.length;
    }
    expect(repairs).toBe(4);
  });

  test("a replica, and the primary that has one", async () => {
    const primary = await linkTo(server().port);
    await primary.command("CONFIG", ["SET", "repl-diskless-sync-delay", 0]);
    const replica = await startRedis(["--replicaof", `127.0.0.1 ${server().port}`]);
    open.push({ close: () => replica.stop() });
    const link = await linkTo(replica.port);
    expect((await lookAtRedis(link)).role).toBe("replica");
    await primary.command("SET", ["x", "y"]);
    expect(await primary.command("WAIT", [1, 5000])).toBe(1);
    expect((await lookAtRedis(primary)).replicas).toBe(1);
  });

  test("a part of a cluster", async () => {
    expect(await look(["--cluster-enabled", "yes"])).toMatchObject({ isCluster: true });
  });

  test("where CONFIG has another name", async () => {
    const facts = await look(["--rename-command", "CONFIG", "secret", "--appendonly", "yes"]);
    expect(facts).toMatchObject({ appendonly: true, policy: "noeviction", appendfsync: null, save: null });
    expect(facts.unseen).toEqual(["CONFIG GET appendfsync", "CONFIG GET no-appendfsync-on-rewrite", "CONFIG GET save"]);
  });

  test("where neither INFO nor CONFIG is allowed", async () => {
    const admin = await linkTo(server().port);
    await admin.command("ACL", ["SETUSER", "blind", "on", ">blind", "+ping"]);
    const facts = await lookAtRedis(await linkTo(server().port, "blind:blind@"));
    expect(facts).toMatchObject({ role: "primary", isCluster: false, appendonly: null, maxmemory: null, policy: null });
    expect(facts.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(facts.unseen[0]).toBe("INFO");
    expect(facts.unseen).toHaveLength(4);
  });
});

describe("what it keeps", () => {
  const keeps: readonly (readonly [Partial<RedisFacts>, RedisDurability, string])[] = [
    [
      {},
      "memory",
      "this Redis 7.0.15 syncs its append-only file once a second: power loss may take the last second's answered writes",
    ],
    [{}, "os", "so may the end of its process"],
    [
      { appendfsync: "always" },
      "disk",
      "syncs its append-only file at every write: answered writes survive power loss",
    ],
    [{ appendfsync: "always", pausesSync: true }, "os", "does not sync its append-only file while it rewrites it"],
    [{ appendfsync: "no" }, "os", "leaves it to the system"],
    [{ appendfsync: null }, "os", "does not show when it is synced"],
    [{ appendonly: false }, "memory", "keeps nothing on disk"],
    [{ appendonly: false, save: "3600 1" }, "memory", "only snapshots (save 3600 1)"],
    [{ appendonly: false, save: null }, "memory", "does not show whether it makes snapshots"],
    [{ appendonly: null, version: null }, "os", "this Redis does not show what it keeps on disk"],
    [
      { waitaof: true, version: "8.0.1", isValkey: true },
      "disk",
      "this Valkey 8.0.1 syncs its append-only file before",
    ],
    [{ waitaof: true, appendfsync: "always" }, "disk", "at every write"],
    [{ replicas: 2 }, "replicas", "; each write is answered when a replica (2 connected) has it too"],
    [{ replicas: null }, "replicas", "; each write is answered when a replica has it too"],
  ];

  for (const [facts, durability, sentence] of keeps) {
    test(sentence, () => expect(whatItKeeps({ ...fresh, ...facts }, durability)).toContain(sentence));
  }

  test("one sentence, whatever is known", () => {
    for (const appendonly of [true, false, null])
      for (const appendfsync of ["always", "everysec", "no", null])
        for (const save of ["", "900 1", null])
          for (const pausesSync of [true, false, null])
            for (const waitaof of [true, false])
              for (const durability of levels) {
                const facts = { ...fresh, appendonly, appendfsync, save, pausesSync, waitaof };
                expect(whatItKeeps(facts, durability)).toMatch(/^this Redis 7\.0\.15 [^\n]+[a-z)]$/);
                // What is promised is refused or confirmed.
                if (durability !== "disk" || problemOf(facts, "disk") !== null) continue;
                const { wait } = confirmation(facts, "disk");
                expect(wait === "waitaof" ? waitaof : appendfsync === "always" && pausesSync !== true).toBe(true);
              }
  });
});

describe("what is in the way", () => {
  test("of everything", () => {
    expect(refused({ ...fresh, version: "6.0.16" })).toEqual(levels);
    expect(refused({ ...fresh, isCluster: true })).toEqual(levels);
    expect(refused({ ...fresh, role: "replica" })).toEqual(levels);
    const evicts = problemOf({ ...fresh, policy: "allkeys-random" }, "memory");
    expect(evicts?.code).toBe("CONFIG");
    expect(evicts?.hint).toBe("`CONFIG SET maxmemory-policy volatile-lru`");
    expect(problemOf({ ...fresh, version: "6.2.0", policy: "volatile-ttl" }, "memory")).toBeNull();
  });

  test("of a durability", () => {
    expect(refused(fresh)).toEqual(["disk", "replicas"]);
    expect(refused({ ...fresh, appendfsync: "always", replicas: 1 })).toEqual([]);
    expect(refused({ ...fresh, appendonly: false, replicas: 1 })).toEqual(["os", "disk"]);
    expect(refused({ ...fresh, appendfsync: "always", pausesSync: true, replicas: 1 })).toEqual(["disk"]);
    expect(problemOf({ ...fresh, appendonly: false }, "disk")?.hint).toBe(
      "`CONFIG SET appendonly yes`; `CONFIG SET appendfsync always`",
    );
  });

  test("with WAITAOF", () => {
    const newer: RedisFacts = { ...fresh, version: "7.2.0", waitaof: true, replicas: 1 };
    expect(refused(newer)).toEqual([]);
    expect(confirmation(newer, "disk")).toEqual({ wait: "waitaof" });
    expect(confirmation({ ...newer, appendfsync: "always" }, "disk")).toEqual({ wait: "none" });
    expect(refused({ ...newer, appendfsync: null })).toEqual([]);
    expect(refused({ ...newer, appendfsync: "no" })).toEqual(["disk"]);
    expect(refused({ ...newer, appendonly: false })).toEqual(["os", "disk"]);
  });

  test("of what could not be seen only `disk` is refused, and only without WAITAOF", () => {
    const blind: RedisFacts = {
      ...fresh,
      role: null,
      policy: null,
      appendonly: null,
      appendfsync: null,
      pausesSync: null,
      replicas: null,
      unseen: ["INFO", "CONFIG GET appendfsync"],
    };
    expect(refused(blind)).toEqual(["disk"]);
    expect(problemOf(blind, "disk")?.hint).toContain("where CONFIG is not allowed");
    expect(refused({ ...blind, waitaof: true })).toEqual([]);
  });

  test("how a write is confirmed", () => {
    expect(levels.map((level) => confirmation({ ...fresh, appendfsync: "always" }, level).wait)).toEqual([
      "none",
      "none",
      "none",
      "wait",
    ]);
  });
});

describe("versions that are not here", () => {
  const answering = (info: string): RedisLink =>
    ({ command: async (name: string) => (name === "INFO" ? info : []) }) as unknown as RedisLink;

  test("Redis 7.2 and 6.2, Valkey 7.2 and 8", async () => {
    const seen = async (info: string): Promise<unknown> => {
      const { version, isValkey, waitaof } = await lookAtRedis(answering(info));
      return [version, isValkey, waitaof];
    };
    expect(await seen("# Server\r\nredis_version:7.2.4\r\n")).toEqual(["7.2.4", false, true]);
    expect(await seen("# Server\r\nredis_version:6.2.14\r\n")).toEqual(["6.2.14", false, false]);
    const valkey = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n";
    expect(await seen(valkey)).toEqual(["8.0.1", true, true]);
    expect(await seen(valkey.replace("8.0.1", "7.2.5"))).toEqual(["7.2.5", true, true]);
  });
});
