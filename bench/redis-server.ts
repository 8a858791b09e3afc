/** The Redis of the benchmark, fleets in it, and the plain client that one would use without us. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { nodeHost } from "../src/host/node-host.js";
import { writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { bear, newFleetId } from "../src/redis/birth.js";
import { connect } from "../src/redis/connect.js";
import { redis } from "../src/redis/index.js";
import type { Fleet } from "../src/redis/keeper.js";
import { postgres } from "../src/store/postgres/index.js";
import { startRedis } from "../test/servers.js";
import { root } from "./question.js";

/** A Redis under measurement. It keeps nothing on disk: only what its processor can do counts. */
export interface BenchRedis {
  readonly port: number;
  readonly url: string;
  /** Memory that it uses, in bytes. */
  memory(): Promise<number>;
  /** Empties it. */
  empty(): Promise<void>;
}

/** Runs `use` with a Redis that is removed afterwards. */
export async function withRedis<T>(use: (server: BenchRedis) => Promise<T>): Promise<T> {
  const server = await startRedis();
  const client = new Redis({ port: server.port });
  try {
    return await use({
      port: server.port,
      url: `redis://127.0.0.1:${server.port}`,
      memory: async () => Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]),
      empty: async () => void (await client.flushall("SYNC")),
    });
  } finally {
    client.disconnect();
    await server.stop();
  }
}

const fleetOptions = resolveEngineOptions({ durability: "memory" });

/** Makes a fleet where there is none, without asking a database. */
export async function bearFleet(server: BenchRedis): Promise<Fleet> {
  const { keeper, close } = await connect(server.url, nodeHost(), fleetOptions, null);
  try {
    return await bear(keeper, { id: newFleetId(nodeHost()), partitions: fleetOptions.partitions });
  } finally {
    await close();
  }
}

/** A database that nobody asks: for a process without a worker that reads only what is in the cache. */
const nowhere = "postgres://nobody@127.0.0.1:1/none";

/**
 * Opens the library with cache and queue in this Redis, with every option at its default but those given. `store` null:
 * it has no worker, and never needs the database.
 */
export async function openShared(
  server: BenchRedis,
  store: string | null,
  options: Partial<WriteBehindOptions> = {},
): Promise<WriteBehind> {
  if (store === null) await bearFleet(server);
  return writeBehind({
    cache: redis(server.url),
    store: postgres(store ?? nowhere),
    worker: store !== null,
    durability: "memory",
    ...options,
  });
}

/** Resolves once `holds`, which looks at status, is true. */
export async function until(wb: WriteBehind, holds: () => boolean, deadlineMs = 60_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    await wb.heart.refresh?.();
    if (holds()) return;
    if (performance.now() > deadline) throw new Error(`not so after ${deadlineMs / 1000} s: ${holds.toString()}`);
    await sleep(20);
  }
}

/** The processes that own partitions, by partition; null where nobody does. */
export function ownersOf(wb: WriteBehind): (number | null)[] {
  const { partitions = [], workers = [] } = wb.status().fleet ?? {};
  const pids = new Map(workers.map(({ id, report }) => [id, (report as { pid?: number } | null)?.pid ?? null]));
  return partitions.map(({ owner }) => (owner === null ? null : (pids.get(owner) ?? null)));
}

/** The plain client, as one would use it for many calls at once. */
export async function withPlainClient<T>(server: BenchRedis, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port: server.port, enableAutoPipelining: true });
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** What a process with a worker is told. */
export interface WorkerSetup {
  readonly cache: string;
  readonly store: string;
  readonly options: Partial<WriteBehindOptions>;
}

/** A process with a worker in it. */
export interface WorkerProcess {
  readonly pid: number;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Starts a process that runs a worker, and waits until it has joined its fleet. */
export async function startWorkerProcess(setup: WorkerSetup): Promise<WorkerProcess> {
  const child = fork(join(root, "dist", "bench", "redis-worker.js"), [JSON.stringify(setup)]);
  const ended = once(child, "exit");
  await Promise.race([
    once(child, "message"),
    ended.then(() => {
      throw new Error("the process with the worker has ended");
    }),
  ]);
  return {
    pid: child.pid as number,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
