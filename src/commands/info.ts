/** INFO: what the server says about itself, in Redis' sections and one of its own. */
import { bytesOfText, type Bytes } from "../bytes.js";
import { noKeys, type ServerView, type SessionCommand } from "./command.js";
import type { Reply } from "./reply.js";

/** The version of Redis whose commands are followed: clients choose what they send by it. */
export const redisVersion = "7.2.0";

type Section = (server: ServerView) => Record<string, string | number>;

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)}M`;
}

const sections: Readonly<Record<string, Section>> = {
  Server: (server) => ({
    redis_version: redisVersion,
    redis_mode: "standalone",
    server_name: "write-behind",
    writebehind_version: server.version,
    run_id: server.runId,
    tcp_port: server.port,
    uptime_in_seconds: Math.floor(server.uptimeMs / 1000),
    uptime_in_days: Math.floor(server.uptimeMs / 86_400_000),
  }),
  Clients: ({ counters }) => ({
    connected_clients: counters.clients,
    maxclients: counters.clientsMax,
    blocked_clients: 0,
  }),
  Memory: ({ heart }) => {
    const { cache } = heart.status();
    return {
      used_memory: cache.bytes,
      used_memory_human: megabytes(cache.bytes),
      maxmemory: cache.bytesMax,
      maxmemory_human: megabytes(cache.bytesMax),
    };
  },
  Persistence: ({ heart }) => ({
    loading: 0,
    aof_enabled: heart.durability === "memory" ? 0 : 1,
    rdb_changes_since_last_save: heart.status().queue.pendingChanges,
  }),
  Stats: ({ heart, counters }) => {
    const { cache } = heart.status();
    return {
      total_connections_received: counters.connections,
      total_commands_processed: counters.commands,
      total_net_input_bytes: counters.bytesIn,
      total_net_output_bytes: counters.bytesOut,
      rejected_connections: counters.rejected,
      evicted_keys: cache.evictions,
      keyspace_hits: cache.hits,
      keyspace_misses: cache.misses,
      total_error_replies: counters.errors,
    };
  },
  Replication: ({ heart, runId }) => ({
    role: "master",
    connected_slaves: 0,
    master_replid: runId,
    master_repl_offset: heart.accepted,
  }),
  Keyspace: ({ heart }) => {
    const { records } = heart.status().cache;
    return records === 0 ? {} : { db0: `keys=${records},expires=0,avg_ttl=0` };
  },
  Writebehind: ({ heart }) => {
    const { state, queue, writer, store, deadLetters } = heart.status();
    return {
      writebehind_state: state,
      writebehind_durability: queue.durability,
      writebehind_pending_changes: queue.pendingChanges,
      writebehind_pending_records: queue.pendingRecords,
      writebehind_pending_bytes: queue.pendingBytes,
      writebehind_lag_ms: Math.round(queue.oldestAgeMs),
      writebehind_batches: writer.batches,
      writebehind_rows: writer.rows,
      writebehind_coalesced: writer.coalesced,
      writebehind_retries: writer.retries,
      writebehind_store: store.kind,
      writebehind_store_state: store.state,
      writebehind_dead_letters: deadLetters.count,
    };
  },
};

const everything = new Set(["default", "all", "everything"]);

/** The text of INFO: the asked sections, or all of them. */
export function infoText(server: ServerView, asked: readonly string[]): string {
  const wanted = new Set(asked.map((name) => name.toLowerCase()));
  const all = wanted.size === 0 || [...wanted].some((name) => everything.has(name));
  const texts: string[] = [];
  for (const [name, section] of Object.entries(sections)) {
    if (!all && !wanted.has(name.toLowerCase())) continue;
    const lines = Object.entries(section(server)).map(([fact, value]) => `${fact}:${value}\r\n`);
    texts.push(`# ${name}\r\n${lines.join("")}`);
  }
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
  summary: "Facts about the server: server clients memory persistence stats replication keyspace writebehind.",
  run: (session, args: readonly Bytes[]): Reply => ({
    kind: "text",
    text: bytesOfText(infoText(session.server, args.slice(1))),
  }),
};
