/** `GET /metrics` of a whole server: a parser of another house reads it, and every metric of the table moves. */
import { afterEach, expect, test } from "vitest";
import { startAdmin, type Admin } from "../src/dashboard/admin.js";
import { commandRunner } from "../src/dashboard/command.js";
import { metricsText } from "../src/dashboard/metrics-text.js";
import { Counters, WriterTally } from "../src/counters.js";
import type { FleetStatus, Heart } from "../src/heart.js";
import type { Disk } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { nodeSockets } from "../src/host/sockets.js";
import { sourcesOf } from "../src/metrics/metric.js";
import { metrics } from "../src/metrics/table.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { startServer, type RespServer } from "../src/server/server.js";
import { openHeart } from "../src/write-behind.js";
import { idlePartition } from "./idle-status.js";
import { faultyStore, parsed, unmoved, valueOf, type FaultyStore } from "./metrics-kit.js";
import { command, RawClient, testFolder } from "./server-setup.js";

const eventually = { timeout: 10_000, interval: 5 };
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A server, and the disk and the database below it. */
interface Served {
  readonly heart: Heart;
  readonly server: RespServer;
  readonly admin: Admin;
  readonly store: FaultyStore;
  readonly disk: { full: boolean };
  /** Gives the text of `/metrics`, and keeps it. */
  readonly scrape: () => Promise<string>;
  readonly texts: string[];
}

interface Settings {
  readonly engine?: Readonly<Record<string, unknown>>;
  readonly maxClients?: number;
  readonly adminToken?: string;
  readonly version?: string;
}

async function serve({ engine = {}, maxClients = 2, adminToken, version = "1.2.3" }: Settings = {}): Promise<Served> {
  const store = faultyStore();
  const disk = { full: false };
  const host = { ...nodeHost(), disk: withLimit(nodeHost().disk, disk) };
  const options = resolveEngineOptions({
    data: testFolder(),
    delayMs: 0,
    cacheBytes: "1mb",
    segmentBytes: "64kb",
    queueRecords: 50,
    waitMs: 2000,
    retainBytes: 0,
    retryMinMs: 1,
    retryMaxMs: 100,
    ...engine,
  });
  const heart = await openHeart({ host, store, options });
  ends.push(() => heart.close({ deadlineMs: 0 }));
  const server = await startServer({
    heart,
    sockets: nodeSockets(),
    clock: host.clock,
    random: host.random,
    version,
    log: { info: () => undefined, error: () => undefined },
    options: { port: 0, host: "127.0.0.1", password: null, allowFlush: false, maxClients },
  });
  ends.push(() => server.close({ deadlineMs: 100 }));
  const admin = await startAdmin({
    heart,
    clock: host.clock,
    run: commandRunner(heart, false),
    version,
    counters: server.counters,
    options: { host: "127.0.0.1", adminPort: 0, adminToken: adminToken ?? null, password: null },
  });
  ends.push(() => admin.close());
  const texts: string[] = [];
  const scrape = async () => {
    const answer = await fetch(`${admin.url}/metrics`);
    texts.push(await answer.text());
    return texts.at(-1) as string;
  };
  return { heart, server, admin, store, disk, scrape, texts };
}

function withLimit(disk: Disk, limit: { readonly full: boolean }): Disk {
  return { ...disk, freeBytes: async (path) => (limit.full ? 0 : disk.freeBytes(path)) };
}

/** Asks one command, and waits for so many characters of a reply, or for any. */
async function ask(client: RawClient, args: readonly string[]): Promise<string> {
  client.received = "";
  client.send(command(...args));
  await expect.poll(() => client.received, eventually).toMatch(/\r\n$/);
  return client.received;
}

async function drained({ heart }: Served): Promise<void> {
  await expect.poll(() => heart.status().queue.pendingChanges, eventually).toBe(0);
}

/** Writes, reads, and what is refused. */
async function clients(served: Served): Promise<void> {
  const { server, scrape } = served;
  const client = new RawClient(server.port);
  expect(await ask(client, ["SET", "a", "1"])).toBe("+OK\r\n");
  await ask(client, ["MSET", "b", "2", "c", "3"]);
  await ask(client, ["GET", "a"]);
  await ask(client, ["GET", "nobody"]);
  expect(await ask(client, ["HSET", "a", "field", "1"])).toMatch(/^-WRONGTYPE/);
  expect(await ask(client, ["NOSUCH"])).toMatch(/^-ERR unknown/);
  const others = [new RawClient(server.port), new RawClient(server.port)];
  await expect.poll(() => server.counters.rejected, eventually).toBe(1);
  await drained(served);
  const text = await scrape();
  expect(valueOf(text, "write_behind_accepted_writes_total")).toBe(2);
  expect(valueOf(text, "write_behind_accepted_changes_total")).toBe(3);
  expect(valueOf(text, "write_behind_rejected_writes_total", { code: "WRONG_TYPE" })).toBe(1);
  expect(valueOf(text, "write_behind_commands_total", { command: "get" })).toBe(2);
  expect(valueOf(text, "write_behind_commands_total", { command: "unknown" })).toBe(1);
  expect(valueOf(text, "write_behind_error_replies_total")).toBe(2);
  expect(valueOf(text, "write_behind_connections_total")).toBe(3);
  expect(valueOf(text, "write_behind_cache_hits_total")).toBeGreaterThan(0);
  expect(valueOf(text, "write_behind_cache_misses_total")).toBeGreaterThan(0);
  expect(valueOf(text, "write_behind_sync_seconds")).toBeGreaterThan(0);
  expect(valueOf(text, "write_behind_commit_seconds")).toBe(valueOf(text, "write_behind_runs_total"));
  for (const each of [client, ...others]) each.socket.destroy();
}

/** A paused writer: what is pending, until there is no room, and what coalescing saves. */
async function backlog(served: Served): Promise<void> {
  const { heart, scrape } = served;
  await heart.pause();
  for (let i = 0; i < 5; i++) await write(heart, "hot", String(i));
  for (let i = 0; i < 49; i++) await write(heart, `cold:${i}`, "x".repeat(60_000));
  await expect(write(heart, "one more", "1")).rejects.toMatchObject({ code: "QUEUE_FULL" });
  await expect.poll(async () => valueOf(await scrape(), "write_behind_oldest_pending_age_seconds")).toBeGreaterThan(0);
  const text = await scrape();
  expect(valueOf(text, "write_behind_state", { state: "paused" })).toBe(1);
  expect(valueOf(text, "write_behind_state", { state: "running" })).toBe(0);
  expect(valueOf(text, "write_behind_pending_changes")).toBe(54);
  expect(valueOf(text, "write_behind_pending_records")).toBe(50);
  expect(valueOf(text, "write_behind_pending_bytes")).toBeGreaterThan(49 * 60_000);
  expect(valueOf(text, "write_behind_rejected_writes_total", { code: "QUEUE_FULL" })).toBe(1);
  await heart.resume();
  await drained(served);
  const after = await scrape();
  expect(valueOf(after, "write_behind_coalesced_changes_total")).toBe(4);
  expect(valueOf(after, "write_behind_rows_total")).toBe(3 + 50);
  expect(valueOf(after, "write_behind_cache_evictions_total")).toBeGreaterThan(0);
}

async function write(heart: Heart, key: string, value: string): Promise<void> {
  await heart.execute((workspace) => workspace.setString(key as never, value as never));
}

/** A database that is away, one that must be mended, one that refuses a change. */
async function troubles(served: Served): Promise<void> {
  const { heart, store, scrape } = served;
  store.fault = "down";
  await write(heart, "a", "2");
  const retries = async (of: string) => valueOf(await scrape(), "write_behind_retries_total", { class: of });
  await expect.poll(() => retries("retryable"), eventually).toBeGreaterThan(0);
  expect(valueOf(await scrape(), "write_behind_store_state", { state: "down" })).toBe(1);
  store.fault = "broken";
  await expect.poll(() => retries("broken"), eventually).toBeGreaterThan(0);
  expect(valueOf(await scrape(), "write_behind_store_state", { state: "broken" })).toBe(1);
  expect(valueOf(await scrape(), "write_behind_state", { state: "broken" })).toBe(1);
  store.fault = "none";
  await drained(served);
  await write(heart, "bad", "1");
  await drained(served);
  await write(heart, "bad", "2");
  await drained(served);
  const text = await scrape();
  expect(valueOf(text, "write_behind_dead_letters")).toBe(1);
  expect(valueOf(text, "write_behind_waiting_behind_changes")).toBe(1);
  expect(valueOf(text, "write_behind_parked_bytes", { part: "letters" })).toBeGreaterThan(0);
}

/** No room on the disk for another file. */
async function fullDisk({ heart, disk, scrape }: Served): Promise<void> {
  disk.full = true;
  await heart.pause();
  const fill = async () => {
    for (;;) await write(heart, "large", "x".repeat(60_000));
  };
  await expect(fill()).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(valueOf(await scrape(), "write_behind_disk_full")).toBe(1);
  disk.full = false;
  await expect.poll(async () => valueOf(await scrape(), "write_behind_disk_full"), eventually).toBe(0);
}

test("every metric of a process of its own moves when what it counts happens", { timeout: 60_000 }, async () => {
  const served = await serve();
  const { scrape, texts } = served;
  await scrape();
  await clients(served);
  await backlog(served);
  await troubles(served);
  await fullDisk(served);
  await expect
    .poll(async () => valueOf(await scrape(), "write_behind_event_loop_lag_seconds"), eventually)
    .toBeGreaterThan(1);
  // Settings move from one server to another.
  const other = await serve({ engine: { cacheBytes: "2mb", queueBytes: "65mb" }, maxClients: 3, version: "1.2.4" });
  const theirs = await other.scrape();
  expect(valueOf(theirs, "write_behind_cache_max_bytes")).toBe(2 * 2 ** 20);
  expect(valueOf(theirs, "write_behind_queue_max_bytes")).toBe(65 * 2 ** 20);
  expect(valueOf(theirs, "write_behind_max_connections")).toBe(3);
  expect(valueOf(theirs, "write_behind_info", { version: "1.2.4", store: "faulty", durability: "disk" })).toBe(1);
  const elsewhere = metrics.filter(({ embedded }) => !embedded).map(({ name }) => name);
  expect(unmoved([...texts, theirs])).toEqual(elsewhere);
  const whole = parsed(texts.at(-1) as string);
  for (const { name, type, embedded } of metrics)
    expect([name, whole.get(name)?.type]).toEqual([name, embedded ? type.toUpperCase() : undefined]);
});

test("every metric of a fleet moves with its status", async () => {
  const { heart } = await serve();
  const quiet: FleetStatus = { place: "", failure: null, keeps: "", partitions: [idlePartition], workers: [] };
  const moved = { ...idlePartition, owner: "one", pendingChanges: 3, oldestAgeMs: 2500, broken: "it is" };
  const busy: FleetStatus = {
    ...quiet,
    partitions: [moved, { ...idlePartition, partition: 1 }],
    workers: [{ id: "one", seenAt: 0, seenAgoMs: 0, report: null }],
  };
  const counters = new Counters(new WriterTally());
  const text = (fleet: FleetStatus) =>
    metricsText({ ...sourcesOf(heart, "1"), counters, status: { ...heart.status(), fleet } });
  const [before, after] = [await text(quiet), await text(busy)];
  const fleetOnly = metrics.filter(({ embedded }) => !embedded).map(({ name }) => name);
  expect(fleetOnly.length).toBeGreaterThan(4);
  expect(unmoved([before, after]).filter((name) => fleetOnly.includes(name))).toEqual([]);
  expect(valueOf(after, "write_behind_partition_oldest_pending_age_seconds", { partition: "0" })).toBe(2.5);
  expect(valueOf(after, "write_behind_partition_pending_changes", { partition: "1" })).toBe(0);
  // What only a journal and a cache of one's own have is not there.
  for (const { name, inFleet } of metrics) if (inFleet === null) expect(after).not.toContain(name);
});

test("names say the unit, and what they are", () => {
  for (const { name, type, doc, labels } of metrics) {
    expect(name).toMatch(/^write_behind(_[a-z]+)+$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(/bytes|seconds/.test(name) || !/\b(bytes|seconds|age)\b/.test(doc), name).toBe(true);
    expect(labels.every((label) => /^[a-z]+$/.test(label))).toBe(true);
  }
  expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
});

test("with a token /metrics wants it too, as Prometheus can send it; /health does not", async () => {
  const { admin } = await serve({ adminToken: "secret" });
  const status = async (path: string, headers = {}) => (await fetch(`${admin.url}${path}`, { headers })).status;
  expect(await status("/metrics")).toBe(401);
  expect(await status("/metrics", { Authorization: "Bearer secret" })).toBe(200);
  expect(await status("/health/ready")).toBe(200);
});

test("the answer says which format it has, and takes GET only", async () => {
  const { admin } = await serve();
  const answer = await fetch(`${admin.url}/metrics`);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const json = { "Content-Type": "application/json" };
  expect((await fetch(`${admin.url}/metrics`, { method: "POST", body: "{}", headers: json })).status).toBe(405);
});
