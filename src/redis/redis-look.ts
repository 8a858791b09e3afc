/**
 * What a Redis says of itself, and what that means: what it keeps, what is in the way of a durability, how a write is
 * confirmed. It changes nothing there. Much may be forbidden to see where somebody else runs the Redis; it goes on then
 * and names what it has not seen.
 */
import { WriteBehindError } from "../errors.js";
import type { RedisLink, RedisReply } from "./redis-link.js";

/** What a Redis says of itself. Null is what could not be seen; `unseen` names it. */
export interface RedisFacts {
  /** As people know it: of a Valkey its own version, not the Redis' that it is compatible with. */
  readonly version: string | null;
  readonly isValkey: boolean;
  readonly isCluster: boolean;
  readonly role: "primary" | "replica" | null;
  /** Bytes; null where there is no limit, too. */
  readonly maxmemory: number | null;
  /** Bytes. */
  readonly usedMemory: number | null;
  /** What it evicts when it is full: maxmemory-policy. */
  readonly policy: string | null;
  /** Whether there is an append-only file. */
  readonly appendonly: boolean | null;
  /** When that is synced: always, everysec or no. */
  readonly appendfsync: string | null;
  /** Whether that is not synced while a child process writes (no-appendfsync-on-rewrite), whatever appendfsync says. */
  readonly pausesSync: boolean | null;
  /** When snapshots are made; empty for never. */
  readonly save: string | null;
  /** Whether it has the command WAITAOF. */
  readonly waitaof: boolean;
  /** How many replicas are connected. */
  readonly replicas: number | null;
  /** What could not be seen, as a person would ask for it: `INFO`, `CONFIG GET appendfsync`. */
  readonly unseen: readonly string[];
}

/** Which crashes an answered write survives. */
export type RedisDurability = "memory" | "os" | "disk" | "replicas";

/** How each write is confirmed beyond its answer: not at all, by WAITAOF 1 0, or by WAIT. */
export interface Confirmation {
  readonly wait: "none" | "waitaof" | "wait";
}

/** Looks at a Redis. Rejects only where it cannot be reached. */
export async function lookAtRedis(link: RedisLink): Promise<RedisFacts> {
  const unseen: string[] = [];
  const see = async (command: string, ...args: string[]): Promise<RedisReply> => {
    try {
      return await link.command(command, args);
    } catch (error) {
      // NOPERM is CONFIG, a renamed command a plain error; what else the link says is no answer of the Redis.
      if (error instanceof WriteBehindError && error.code !== "CONFIG") throw error;
      unseen.push([command, ...args].join(" "));
      return null;
    }
  };
  const info = fieldsOf(await see("INFO"));
  const hello = info.size > 0 ? new Map<string, string>() : pairsOf(await see("HELLO"));
  const config = async (name: string): Promise<string | null> => {
    const pairs = await see("CONFIG", "GET", name);
    return Array.isArray(pairs) && pairs.length === 2 ? String(pairs[1]) : null;
  };
  const [appendfsync, pausing, save] = [
    await config("appendfsync"),
    await config("no-appendfsync-on-rewrite"),
    await config("save"),
  ];
  return factsOf({ info, hello, appendfsync, pausing, save, unseen });
}

/** What was read of a Redis. */
interface Seen {
  readonly info: ReadonlyMap<string, string>;
  readonly hello: ReadonlyMap<string, string>;
  readonly appendfsync: string | null;
  readonly pausing: string | null;
  readonly save: string | null;
  readonly unseen: readonly string[];
}

function factsOf({ info, hello, appendfsync, pausing, save, unseen }: Seen): RedisFacts {
  const number = (name: string): number | null => (info.has(name) ? Number(info.get(name)) : null);
  const valkey = info.get("valkey_version");
  const version = valkey ?? info.get("redis_version") ?? hello.get("version") ?? null;
  const isValkey = valkey !== undefined || hello.get("server") === "valkey";
  const role = info.get("role") ?? hello.get("role");
  const aof = info.get("aof_enabled");
  return {
    version,
    isValkey,
    isCluster: info.get("cluster_enabled") === "1" || hello.get("mode") === "cluster",
    role: role === undefined ? null : role === "master" ? "primary" : "replica",
    maxmemory: number("maxmemory") || null,
    usedMemory: number("used_memory"),
    policy: info.get("maxmemory_policy") ?? null,
    appendonly: aof === undefined ? null : aof === "1",
    appendfsync,
    pausesSync: pausing === null ? null : pausing === "yes",
    save,
    waitaof: isValkey || isAtLeast(version, 7, 2),
    replicas: number("connected_slaves"),
    unseen,
  };
}

/** One sentence: what survives what in this Redis. */
export function whatItKeeps(facts: RedisFacts, durability: RedisDurability): string {
  const kept = `${nameOf(facts)} ${onDisk(facts, durability)}`;
  if (durability !== "replicas") return kept;
  const count = facts.replicas === null ? "" : ` (${facts.replicas} connected)`;
  return `${kept}; each write is answered when a replica${count} has it too`;
}

function onDisk(facts: RedisFacts, durability: RedisDurability): string {
  const { appendonly, appendfsync, save } = facts;
  if (appendonly === null)
    return "does not show what it keeps on disk: the end of its process may take answered writes";
  if (!appendonly && save === null)
    return "has no append-only file, and does not show whether it makes snapshots: the end of its process may take answered writes";
  if (!appendonly && save === "")
    return "keeps nothing on disk: the end of its process takes every answered write that is not in the database";
  if (!appendonly)
    return `has no append-only file, only snapshots (save ${save}): the end of its process takes what was answered since the last one`;
  if (durability === "disk" && confirmation(facts, durability).wait === "waitaof")
    return "syncs its append-only file before a write is answered (WAITAOF): answered writes survive power loss";
  if (appendfsync === "always" && facts.pausesSync === true)
    return "does not sync its append-only file while it rewrites it or makes a snapshot: power loss may take answered writes then";
  if (appendfsync === "always") return "syncs its append-only file at every write: answered writes survive power loss";
  if (appendfsync === "everysec") {
    const slow = durability === "os" ? "; where its disk is slow, so may the end of its process" : "";
    return `syncs its append-only file once a second: power loss may take the last second's answered writes${slow}`;
  }
  if (appendfsync === "no")
    return "leaves it to the system when its append-only file gets to disk: power loss may take the last half minute's answered writes";
  return "has an append-only file, and does not show when it is synced: power loss may take answered writes";
}

/** One thing that is in the way, and the command that repairs it. */
interface Fault {
  readonly what: string;
  readonly repair: string;
}

/** Everything that is in the way of this durability, with the commands that repair it: CONFIG; or null. */
export function problemOf(facts: RedisFacts, durability: RedisDurability): WriteBehindError | null {
  const faults = [...faultsOf(facts), ...faultsFor(facts, durability)];
  if (faults.length === 0) return null;
  const message = `${nameOf(facts)} ${faults.map(({ what }) => what).join("; it ")}`;
  const repairs = [...new Set(faults.map(({ repair }) => repair))].join("; ");
  const isHidden = facts.unseen.some((each) => each.startsWith("CONFIG"));
  const elsewhere = isHidden ? " (where CONFIG is not allowed, whoever runs the Redis has a setting of that name)" : "";
  return new WriteBehindError("CONFIG", message, { hint: `${repairs}${elsewhere}` });
}

function faultsOf({ version, isCluster, role, policy }: RedisFacts): Fault[] {
  const faults: Fault[] = [];
  if (version !== null && !isAtLeast(version, 6, 2))
    faults.push({ what: "is too old: 6.2 or newer is needed", repair: "install a newer one" });
  if (isCluster)
    faults.push({
      what: "is part of a cluster, whose keys lie in several places",
      repair: "start one with `cluster-enabled no`",
    });
  if (role === "replica")
    faults.push({ what: "is a replica and takes no writes", repair: "name its primary, or `REPLICAOF NO ONE`" });
  if (policy !== null && policy.startsWith("allkeys-"))
    faults.push({
      what: `evicts any key when it is full (${policy}), the write queue among them`,
      repair: "`CONFIG SET maxmemory-policy volatile-lru`",
    });
  return faults;
}

function faultsFor(facts: RedisFacts, durability: RedisDurability): Fault[] {
  if (durability === "replicas" && facts.replicas === 0) {
    const repair = "connect one: `REPLICAOF HOST PORT` there; or `durability: disk`";
    return [{ what: "has no replica connected, which `durability: replicas` needs", repair }];
  }
  const isNeeded = durability === "os" || durability === "disk";
  const none: Fault = {
    what: `has no append-only file, which \`durability: ${durability}\` needs`,
    repair: "`CONFIG SET appendonly yes`",
  };
  const missing = isNeeded && facts.appendonly === false ? [none] : [];
  return durability === "disk" ? [...missing, ...syncFaults(facts)] : missing;
}

/** What keeps an answered write from being on disk. */
function syncFaults({ appendonly, appendfsync, pausesSync, waitaof }: RedisFacts): Fault[] {
  const always = "`CONFIG SET appendfsync always`";
  if (waitaof && appendfsync !== "no") return [];
  if (waitaof) {
    const what = "never syncs its append-only file itself, so that WAITAOF would wait for ever";
    return [{ what, repair: "`CONFIG SET appendfsync everysec`" }];
  }
  if (appendonly === null || appendfsync === null) {
    const what =
      "does not show whether it syncs at every write, which `durability: disk` needs (and WAITAOF is not there)";
    return [{ what, repair: "`ACL SETUSER NAME +info +config|get`, or `durability: os`" }];
  }
  if (appendfsync !== "always")
    return [{ what: "does not sync at every write, which `durability: disk` needs", repair: always }];
  if (pausesSync === true) {
    const what = "does not sync while it rewrites its append-only file, which `durability: disk` needs";
    return [{ what, repair: "`CONFIG SET no-appendfsync-on-rewrite no`" }];
  }
  return [];
}

/** How each write is confirmed so that the durability holds. */
export function confirmation(facts: RedisFacts, durability: RedisDurability): Confirmation {
  if (durability === "replicas") return { wait: "wait" };
  if (durability !== "disk") return { wait: "none" };
  const syncsItself = facts.appendonly === true && facts.appendfsync === "always" && facts.pausesSync !== true;
  return { wait: syncsItself ? "none" : "waitaof" };
}

function nameOf({ isValkey, version }: RedisFacts): string {
  return `this ${isValkey ? "Valkey" : "Redis"}${version === null ? "" : ` ${version}`}`;
}

function isAtLeast(version: string | null, major: number, minor: number): boolean {
  const [first = 0, second = 0] = (version ?? "").split(".").map(Number);
  return first > major || (first === major && second >= minor);
}

function fieldsOf(info: RedisReply): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of String(info ?? "").split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

function pairsOf(list: RedisReply): Map<string, string> {
  const pairs = new Map<string, string>();
  if (!Array.isArray(list)) return pairs;
  for (let index = 0; index + 1 < list.length; index += 2) pairs.set(String(list[index]), String(list[index + 1]));
  return pairs;
}
