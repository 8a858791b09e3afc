/**
 * INFO: what the server says about itself, in Redis' sections and one of its own. Of Redis' fields there are those that
 * say something here, and those that clients look for.
 */
import { bytesOfText, type Bytes } from "../bytes.js";
import { noKeys, type ServerView, type SessionCommand } from "./command.js";
import type { Reply } from "./reply.js";

/** The version of Redis whose commands are followed: clients choose what they send by it. */
export const redisVersion = "7.2.0";

interface Section {
  readonly title: string;
  /** Whether INFO tells it without being asked, and INFO all. */
  readonly told: "always" | "in all" | "in everything";
  readonly facts: (server: ServerView) => Record<string, string | number>;
}

const units = ["B", "K", "M", "G", "T"];

/** As Redis writes amounts for people. */
function amount(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  const power = Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(2)}${units[power] as string}`;
}

function serverFacts(server: ServerView): Record<string, string | number> {
  const { usage, clock } = server;
  const seconds = Math.floor(server.uptimeMs / 1000);
  return {
    redis_version: redisVersion,
    redis_mode: "standalone",
    server_name: "write-behind",
    writebehind_version: server.version,
    os: usage?.().os ?? "",
    arch_bits: 64,
    process_id: usage?.().pid ?? 0,
    run_id: server.runId,
    tcp_port: server.port,
    server_time_usec: Math.floor(clock.now()) * 1000,
    uptime_in_seconds: seconds,
    uptime_in_days: Math.floor(seconds / 86_400),
    hz: 10,
    configured_hz: 10,
    executable: "",
    config_file: "",
  };
}

function clientFacts({ counters, clients }: ServerView): Record<string, number> {
  return {
    connected_clients: counters.clients,
    cluster_connections: 0,
    maxclients: counters.clientsMax,
    blocked_clients: [...clients].filter(({ isBlocked }) => isBlocked).length,
    tracking_clients: 0,
  };
}

function memoryFacts({ heart, usage }: ServerView): Record<string, string | number> {
  const { cache } = heart.status();
  const { residentBytes, machineBytes } = usage?.() ?? { residentBytes: 0, machineBytes: 0 };
  return {
    used_memory: cache.bytes,
    used_memory_human: amount(cache.bytes),
    used_memory_rss: residentBytes,
    used_memory_rss_human: amount(residentBytes),
    total_system_memory: machineBytes,
    total_system_memory_human: amount(machineBytes),
    maxmemory: cache.bytesMax,
    maxmemory_human: amount(cache.bytesMax),
    // What is dropped from memory is read back from the database: nothing is evicted that a client could miss.
    maxmemory_policy: "noeviction",
  };
}

function persistenceFacts({ heart }: ServerView): Record<string, string | number> {
  return {
    loading: 0,
    async_loading: 0,
    rdb_changes_since_last_save: heart.status().queue.pendingChanges,
    rdb_bgsave_in_progress: 0,
    rdb_last_bgsave_status: "ok",
    aof_enabled: heart.durability === "memory" ? 0 : 1,
    aof_rewrite_in_progress: 0,
    aof_last_bgrewrite_status: "ok",
    aof_last_write_status: "ok",
  };
}

function statFacts({ heart, counters }: ServerView): Record<string, number> {
  const { cache } = heart.status();
  const { hits, misses, evictions } = counters.cacheBefore;
  return {
    total_connections_received: counters.connections,
    total_commands_processed: counters.commands,
    total_net_input_bytes: counters.bytesIn,
    total_net_output_bytes: counters.bytesOut,
    rejected_connections: counters.rejected,
    evicted_keys: cache.evictions - evictions,
    keyspace_hits: cache.hits - hits,
    keyspace_misses: cache.misses - misses,
    pubsub_channels: 0,
    pubsub_patterns: 0,
    total_error_replies: counters.errors,
  };
}

function cpuFacts({ usage }: ServerView): Record<string, string> {
  const { userSec, systemSec } = usage?.() ?? { userSec: 0, systemSec: 0 };
  return { used_cpu_sys: systemSec.toFixed(6), used_cpu_user: userSec.toFixed(6) };
}

function commandFacts({ counters }: ServerView): Record<string, string> {
  const called = [...counters.byCommand].filter(([command, { calls }]) => command !== undefined && calls > 0);
  return Object.fromEntries(called.map(([command, { calls }]) => [`cmdstat_${command?.name}`, `calls=${calls}`]));
}

function keyspaceFacts({ heart }: ServerView): Record<string, string> {
  const { records } = heart.status().cache;
  return records === 0 ? {} : { db0: `keys=${records},expires=0,avg_ttl=0` };
}

/** What status says, as far as it is one word or number. */
function ownFacts({ heart }: ServerView): Record<string, string | number> {
  const { state, queue, writer, store, deadLetters } = heart.status();
  return {
    writebehind_state: state,
    writebehind_durability: queue.durability,
    writebehind_accepted: queue.accepted,
    writebehind_durable: queue.durable,
    writebehind_stored: queue.stored ?? "",
    writebehind_pending_changes: queue.pendingChanges,
    writebehind_pending_records: queue.pendingRecords,
    writebehind_pending_bytes: queue.pendingBytes,
    writebehind_lag_ms: Math.round(queue.oldestAgeMs),
    writebehind_batches: writer.batches,
    writebehind_rows: writer.rows,
    writebehind_coalesced: writer.coalesced,
    writebehind_last_commit_ms: writer.lastCommitMs ?? "",
    writebehind_retries: writer.retries,
    writebehind_store: store.kind,
    writebehind_store_state: store.state,
    writebehind_dead_letters: deadLetters.count,
    writebehind_waiting_behind: deadLetters.waitingBehind,
  };
}

const sections: readonly Section[] = [
  { title: "Server", told: "always", facts: serverFacts },
  { title: "Clients", told: "always", facts: clientFacts },
  { title: "Memory", told: "always", facts: memoryFacts },
  { title: "Persistence", told: "always", facts: persistenceFacts },
  { title: "Stats", told: "always", facts: statFacts },
  {
    title: "Replication",
    told: "always",
    facts: ({ heart, runId }) => ({
      role: "master",
      connected_slaves: 0,
      master_failover_state: "no-failover",
      master_replid: runId,
      master_repl_offset: heart.accepted,
    }),
  },
  { title: "CPU", told: "always", facts: cpuFacts },
  { title: "Modules", told: "in everything", facts: () => ({}) },
  { title: "Commandstats", told: "in all", facts: commandFacts },
  { title: "Cluster", told: "always", facts: () => ({ cluster_enabled: 0 }) },
  { title: "Keyspace", told: "always", facts: keyspaceFacts },
  { title: "Writebehind", told: "always", facts: ownFacts },
];

function isAsked({ title, told }: Section, wanted: ReadonlySet<string>): boolean {
  if (wanted.has("everything") || wanted.has(title.toLowerCase())) return true;
  if (told === "always") return wanted.size === 0 || wanted.has("default") || wanted.has("all");
  return told === "in all" && wanted.has("all");
}

/** The text of INFO: the asked sections, or those that are always told. */
export function infoText(server: ServerView, asked: readonly string[]): string {
  const wanted = new Set(asked.map((name) => name.toLowerCase()));
  const texts = sections
    .filter((section) => isAsked(section, wanted))
    .map(({ title, facts }) => {
      const lines = Object.entries(facts(server)).map(([fact, value]) => `${fact}:${value}\r\n`);
      return `# ${title}\r\n${lines.join("")}`;
    });
  return texts.join("\r\n");
}

/** The command. */
export const infoCommand: SessionCommand = {
  kind: "session",
  name: "info",
  arity: -1,
  flags: ["loading", "stale"],
  keys: noKeys,
  group: "server",
  syntax: "[section [section ...]]",
  summary: `Facts about the server: ${sections.map(({ title }) => title.toLowerCase()).join(" ")}, or default, all, everything.`,
  run: (session, args: readonly Bytes[]): Reply => ({
    kind: "text",
    text: bytesOfText(infoText(session.server, args.slice(1))),
  }),
};
