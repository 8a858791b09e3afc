/**
 * `write-behind work`: a worker of a fleet alone. It writes what is queued in the Redis to the database, and
 * answers nobody.
 */
import type { Host } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import type { Logger } from "../log/logger.js";
import { resolveEngineOptions } from "../options-resolve.js";
import { identity } from "../host/identity.js";
import { openFleetWork, type FleetWork, type FleetWorkStopped } from "../redis/open-fleet.js";
import { neededCache, type NamedCache } from "./cache-url.js";
import { waitForRedis } from "./cache-wait.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, type ExitCode } from "./exit.js";
import { openLog, watchedProgress } from "./log.js";
import { columns, counted, duration } from "./output.js";
import { killItself, Signals } from "./signals.js";
import { namedStore, storeJson, type NamedStore } from "./store-url.js";
import { WorkerLog } from "./worker-log.js";
import { workOptions } from "./work-options.js";

/** How long stopping may take beyond the time to hand over. */
const hungCloseMs = 5000;

/** What it runs with. */
interface Setup {
  readonly host: Host;
  readonly options: ReturnType<typeof optionsOf>;
  readonly cache: NamedCache;
  readonly store: NamedStore;
  readonly log: Logger;
}

/**
 * Runs the worker until a signal ends it, or what only a person can mend. `host`: the world that it runs in, for
 * tests.
 */
export async function work(flags: Flags, host: Host = nodeHost()): Promise<ExitCode> {
  const options = optionsOf(flags);
  const cache = neededCache(options.cache);
  if (options.store === null) {
    const hint = "--store postgres://user:password@host/database";
    throw new CliError(exitCodes.usage, "--store is missing: a database that all processes of the fleet reach", hint);
  }
  const store = namedStore(options.store, options.data);
  const json = flags["json"] === true;
  const log = openLog(watchedProgress(json));
  const signals = new Signals(host);
  let fail = (): void => {};
  const failed = new Promise<ExitCode>((resolve) => (fail = () => resolve(exitCodes.failed)));
  const told = new WorkerLog({ log, clock: host.clock, place: cache.place, ended: fail });
  const setup: Setup = { host, options, cache, store, log };
  const running = await started(setup, told, signals);
  if (running === null) return exitCodes.done;
  process.stdout.write(json ? startJson(running, setup) : startLines(running, setup));
  told.backlog = running.backlog;
  running.watch(({ message, hint }) => log.error({ event: "warning" }, `${message}; repair it: ${hint}`));
  const signalled = new Promise<null>((stopped) => signals.onFirst(() => stopped(null)));
  const end = await Promise.race([signalled, failed]);
  await stop(running, told, setup, signals);
  return end ?? exitCodes.done;
}

function optionsOf(flags: Flags) {
  const { data, ...options } = someOptions(flags, ["data", ...workOptions]);
  return { ...resolveEngineOptions({}), ...options, data };
}

/** Starts, or gives null where a signal came first. */
async function started(setup: Setup, told: WorkerLog, signals: Signals): Promise<FleetWork | null> {
  const { host, options, cache, store, log } = setup;
  const signalled = new AbortController();
  signals.onFirst(() => signalled.abort());
  signals.onSecond(killItself);
  const { signal } = signalled;
  let said = false;
  const waits = (why: string): void => {
    if (!said) log.warn({ event: "starting" }, `the database cannot be reached (${why}); it is waited for`);
    said = true;
  };
  const parts = { host, store: store.descriptor, options, signal, waits, tell: told.hear };
  try {
    const running = await waitForRedis(() => openFleetWork(cache.url, parts), host.clock, log, signal);
    if (!signal.aborted) return running;
    await running.stop(0);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  log.warn({ event: "stopped" }, "stopped while it started");
  return null;
}

async function stop(
  running: FleetWork,
  told: WorkerLog,
  { host, options, log }: Setup,
  signals: Signals,
): Promise<void> {
  const owned = told.partitions.length;
  log.info(
    { event: "stopping", partitions: told.partitions },
    `stopping: hands ${counted(owned, "partition")} over, within ${duration(options.closeMs)} (once more to stop at once)`,
  );
  const atOnce = (why: string): never => {
    log.warn({ event: "stopped" }, `${why}: its partitions are taken over after ${duration(options.leaseMs)}`);
    killItself();
  };
  signals.onSecond(() => atOnce("stopped at once"));
  host.clock.after(options.closeMs + hungCloseMs, () =>
    atOnce("stopped at the deadline, without waiting for what hangs"),
  );
  const stopped = await running.stop(options.closeMs);
  told.end();
  log.info({ event: "stopped", ...stopped.left }, stoppedText(stopped));
  if (stopped.hangs) atOnce("stopped at the deadline, without waiting for what hangs");
}

function stoppedText({ left }: FleetWorkStopped): string {
  const begin = "stopped; its partitions are free for other workers";
  if (left === null || left.pendingChanges === 0) return begin;
  const pending = `${counted(left.pendingChanges, "change")} pending in the Redis`;
  const who =
    left.workers === 0 ? "NO other worker lives: start one" : `${counted(left.workers, "worker")} of the fleet`;
  return `${begin}; ${pending}: ${who}`;
}

function startLines({ fleet, keeps }: FleetWork, { cache, store, options }: Setup): string {
  const { pid, host, version } = identity();
  return columns([
    ["Worker", `process ${pid} on ${host}, version ${version}, of the fleet ${fleet.id}`],
    ["Cache, queue", `${cache.place}, ${counted(fleet.partitions, "partition")}; ${keeps}`],
    ["Database", `${store.place}, ${options.delayMs} ms behind`],
    ["See", "npx write-behind status --cache URL"],
  ]);
}

function startJson({ fleet, keeps }: FleetWork, { cache, store }: Setup): string {
  const { place } = cache;
  const where = { kind: "redis", place, fleet: fleet.id, partitions: fleet.partitions, keeps };
  return `${JSON.stringify({ worker: identity(), cache: where, store: storeJson(store), pid: process.pid })}\n`;
}
