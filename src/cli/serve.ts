/** `write-behind serve`: puts the server together, says where it is, and stops it truthfully. */
import { resolve } from "node:path";
import { startAdmin, type Admin } from "../dashboard/admin.js";
import { listenWhileStarting } from "../dashboard/starting.js";
import { commandRunner } from "../dashboard/command.js";
import type { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import type { Clock, Host } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import { nodeSockets, type TlsMaterial } from "../host/sockets.js";
import { processUsage } from "../host/usage.js";
import { Emitter } from "../events.js";
import { EventLog } from "../log/event-log.js";
import type { Logger } from "../log/logger.js";
import { sourcesOf } from "../metrics/metric.js";
import { resolveEngineOptions } from "../options-resolve.js";
import type { EngineOptions, Options } from "../options.js";
import { rest } from "../rest.js";
import { startServer, type RespServer } from "../server/server.js";
import { openHeart } from "../write-behind.js";
import { namedCache, queueIn, type NamedCache } from "./cache-url.js";
import { waitForRedis } from "./cache-wait.js";
import { serveOptions, type Flags } from "./config.js";
import { exitCodes, type CliError, type ExitCode } from "./exit.js";
import { openLog, watchedProgress } from "./log.js";
import { EarlyReason } from "./serve-early.js";
import { counted, duration } from "./output.js";
import { startJson, startLines, type Started } from "./serve-lines.js";
import { killItself, Signals } from "./signals.js";
import { readTls } from "./tls-files.js";
import { startFailure } from "./start-failure.js";
import { namedStore, type NamedStore } from "./store-url.js";
import { withTelemetry } from "./with-telemetry.js";
import { openSandboxes } from "./temporary-folders.js";
import { version } from "../host/version.js";

/** A start that takes longer than this waits for somebody, and says so. */
const quietStartMs = 1000;
/** How long closing may take beyond the time to drain. */
const hungCloseMs = 5000;
/** How long a server that cannot go on may take to say so and end. */
const failedCloseMs = 1000;

/** What runs. */
interface Running {
  readonly clock: Clock;
  readonly heart: Heart;
  readonly server: RespServer;
  readonly admin: Admin;
}

/** What it runs with, and where that is. */
interface Setup {
  readonly host: Host;
  readonly options: Options;
  readonly store: NamedStore;
  /** Null: cache and queue are this process's own. */
  readonly cache: NamedCache | null;
  /** Where the queue is, for people. */
  readonly queue: string;
  /** What the port of the Redis protocol speaks TLS with; null: it does not. */
  readonly tls: TlsMaterial | null;
  readonly log: Logger;
  readonly events: Emitter;
  /** Stops it as SIGTERM does. */
  readonly stop: () => void;
  /** What the events are worth in the log. */
  readonly told: EventLog;
}

/** Why it stops. */
type Stop = { readonly why: "signal" } | { readonly why: "failed"; readonly error: WriteBehindError };

/** Runs the server until a signal or a failed journal ends it. `host`: the world that it runs in, for tests. */
export async function serve(flags: Flags, host: Host = nodeHost()): Promise<ExitCode> {
  const options = serveOptions(flags);
  const store = namedStore(options.store, options.data);
  const cache = namedCache(options.cache);
  const tls = readTls(options);
  const json = flags["json"] === true;
  const progress = watchedProgress(json);
  const log = openLog(progress);
  const signals = new Signals(host);
  const events = new Emitter();
  const stop = (): void => signals.ask();
  const told = new EventLog({ events, logger: log, clock: host.clock, options, progress });
  const queue = queueIn(cache, options.data);
  const setup: Setup = { host, options, store, cache, queue, tls, log, events, told, stop };
  const running = await started(setup, signals);
  if (running === null) return exitCodes.left;
  const said: Started = {
    host: running.server.host,
    port: running.server.port,
    adminUrl: running.admin.url,
    data: resolve(options.data),
    fleet: running.heart.status().fleet ?? null,
    worker: options.worker,
    store,
    durability: options.durability,
    delayMs: options.delayMs,
    hasPassword: options.password !== null,
    tls: options.tlsCert === null ? null : { clients: options.tlsClientCa !== null },
  };
  process.stdout.write(json ? startJson(said) : startLines(said));
  told.opened(running.heart);
  if (tls !== null) signals.onHangup(() => renewTls(running.server, options, log));
  const ended = await new Promise<Stop>((stopped) => {
    signals.onFirst(() => stopped({ why: "signal" }));
    running.heart.onFailed((error) => stopped({ why: "failed", error }));
  });
  return ended.why === "signal" ? stopTruthfully(running, setup, signals) : endFailed(running, ended.error, told);
}

/** Starts, or gives null where a signal came first. */
async function started(setup: Setup, signals: Signals): Promise<Running | null> {
  const { host, options, store, queue, log, events } = setup;
  const signalled = new AbortController();
  signals.onFirst(() => {
    signalled.abort();
    host.clock.after(hungCloseMs, () => {
      log.warn({ event: "stopped" }, "stopped while it started, without waiting for what hangs");
      killItself();
    });
  });
  const waitsFor = `${queue} or ${store.place} may be in use by another process, or out of reach`;
  const early = new EarlyReason(events, waitsFor);
  const waiting = host.clock.after(quietStartMs, () => log.info({ event: "starting" }, `still starting: ${waitsFor}`));
  try {
    const running = await start(setup, early, signalled.signal);
    if (!signalled.signal.aborted) return running;
    await Promise.allSettled([running.server.close(), running.admin.close(), running.heart.close({ deadlineMs: 0 })]);
  } catch (error) {
    if (!signalled.signal.aborted) throw startFailure(error, options, store);
  } finally {
    waiting.cancel();
  }
  log.warn({ event: "stopped" }, `stopped while it started; the queue in ${queue} is as it was`);
  return null;
}

async function start(setup: Setup, early: EarlyReason, signal: AbortSignal): Promise<Running> {
  const { host, options, store, cache, tls, log, events } = setup;
  const named = { store: store.descriptor, cache: cache?.descriptor };
  const parts = { host, ...named, options: engineOptions(options), signal, events };
  const starting = await listenWhileStarting(options, () => early.text);
  let admin: Admin | null = null;
  let opened: Heart;
  try {
    opened = await waitForRedis(
      () => openHeart(parts),
      host.clock,
      log,
      signal,
      (why) => early.waits(why),
    );
  } finally {
    await starting?.close();
  }
  const heart = await withTelemetry(opened, host.clock, () => admin?.metrics() ?? sourcesOf(opened, version()));
  try {
    const server = await startServer({
      heart,
      sockets: nodeSockets(),
      clock: host.clock,
      random: host.random,
      options,
      tls,
      version: version(),
      log,
      stop: setup.stop,
      usage: processUsage,
    });
    try {
      admin = await startAdmin({
        heart,
        clock: host.clock,
        options,
        run: commandRunner(heart, options.allowFlush),
        version: version(),
        counters: server.counters,
        sandboxes: openSandboxes(host),
      });
      return { clock: host.clock, heart, server, admin };
    } catch (error) {
      await server.close();
      throw error;
    }
  } catch (error) {
    await heart.close();
    throw error;
  }
}

/** The files may have been replaced: later clients get what is in them now. What is wrong with them changes nothing. */
function renewTls(server: RespServer, options: Options, log: Logger): void {
  try {
    const tls = readTls(options);
    if (tls !== null) server.renewTls(tls);
    log.info({ event: "certificate" }, "the certificate was read again; new clients get this one");
  } catch (error) {
    const { message, hint } = error as CliError;
    log.error({ event: "certificate" }, `the certificate was not renewed: ${message} (${hint}); the old one is kept`);
  }
}

function engineOptions(options: Options): EngineOptions {
  const names = Object.keys(resolveEngineOptions({})) as (keyof EngineOptions)[];
  return Object.fromEntries(names.map((name) => [name, options[name]])) as unknown as EngineOptions;
}

/** Takes nothing new, drains within the deadline, says what is left and where it is safe. */
async function stopTruthfully(running: Running, setup: Setup, signals: Signals): Promise<ExitCode> {
  const { heart } = running;
  const { options, cache, queue, log, told } = setup;
  // What others of a fleet have written is theirs to wait for.
  const left = (): number => (cache === null ? heart.status().queue.pendingChanges : heart.accepted - heart.stored);
  const pending = left();
  const draining =
    pending === 0
      ? ""
      : `: ${counted(pending, "change")} to write to the database, for up to ${duration(options.closeMs)} (once more to stop at once)`;
  log.info({ event: "stopping", pendingChanges: pending }, `stopping${draining}`);
  told.drains(left);
  const atOnce = (why: string): never => {
    const safe =
      cache === null && options.durability === "memory"
        ? "with durability memory they may be lost"
        : `what was answered is in the queue in ${queue}`;
    const text = `${why}: ${counted(left(), "change")} not in the database yet; ${safe}`;
    log.warn({ event: "stopped", pendingChanges: left() }, text);
    killItself();
  };
  signals.onSecond(() => {
    void heart.close({ deadlineMs: 0 });
    running.clock.after(hungCloseMs, () => atOnce("stopped at once, without waiting for what hangs"));
  });
  // A disk or a database that hangs must not make the stop hang: what was answered is safe already.
  running.clock.after(options.closeMs + hungCloseMs, () =>
    atOnce("stopped at the deadline, without waiting for what hangs"),
  );
  await running.server.close();
  const report = await heart.close({ deadlineMs: options.closeMs });
  if (report.hangs) atOnce("stopped at the deadline, without waiting for what hangs");
  await running.admin.close();
  told.stopped(report);
  return report.drained ? exitCodes.done : exitCodes.left;
}

async function endFailed(
  { clock, heart, server, admin }: Running,
  error: WriteBehindError,
  told: EventLog,
): Promise<ExitCode> {
  told.failed(error, "the server ends");
  told.end();
  const closed = Promise.allSettled([
    server.close({ deadlineMs: failedCloseMs }),
    admin.close(),
    heart.close({ deadlineMs: 0 }),
  ]);
  await Promise.race([closed, rest(clock, 2 * failedCloseMs)]);
  return exitCodes.failed;
}
