/** The front door of the library. */
import { WriteBehindError } from "../errors.js";
import { Emitter } from "../events.js";
import { nodeHost } from "../host/node-host.js";
import { version } from "../host/version.js";
import { routesOf, type AnyCollection } from "./collection.js";
import { WriteBehind } from "./library.js";
import { EventLog, type EventLogParts } from "../log/event-log.js";
import type { Logger } from "../log/logger.js";
import { sourcesOf } from "../metrics/metric.js";
import type { EngineOptions } from "../options.js";
import { resolveEngineOptions } from "../options-resolve.js";
import type { Route } from "../routes/route.js";
import type { CacheDescriptor } from "../shared-cache.js";
import type { Store, StoreDescriptor } from "../store/store.js";
import type { Telemetry } from "../telemetry.js";
import { openHeart } from "../write-behind.js";

/** What `writeBehind` takes: the store and other parts, and any of the options (docs/reference/options.md). */
export interface WriteBehindOptions extends Partial<Omit<EngineOptions, "routes">> {
  /** Which keys go to which table. */
  readonly routes?: readonly (Route | AnyCollection)[];
  /** The database: `sqlite({ file })`, or a store of your own. */
  readonly store: Store | StoreDescriptor;
  /** Where cache and queue are, if many processes share them: `redis("redis://…")`. */
  readonly cache?: CacheDescriptor | undefined;
  /**
   * Takes one line for each event that an operator would want to know of, none for a write: a logger of pino, `console`,
   * or anything with `info`, `warn` and `error`. Without it the library is silent.
   */
  readonly logger?: Logger | undefined;
  /** Where traces and metrics go: `openTelemetry()` of write-behind/telemetry. */
  readonly telemetry?: Telemetry | undefined;
}

/**
 * Opens a write-behind in this process: recovers the journal in `data`, starts the writer, waits for the database only
 * at the very first start. Rejects CONFIG, FOLDER_IN_USE, JOURNAL_DAMAGED, QUEUE_MISMATCH, TABLES_IN_USE.
 */
export async function writeBehind(given: WriteBehindOptions): Promise<WriteBehind> {
  const { store, cache, logger, telemetry, ...options } = given;
  if (typeof store !== "object" || store === null) {
    throw new WriteBehindError("CONFIG", "`store` is missing", { hint: 'pass store: sqlite({ file: "app.db" })' });
  }
  const routes = Array.isArray(options.routes) ? routesOf(options.routes) : options.routes;
  const resolved = resolveEngineOptions({ ...options, routes });
  const [host, events] = [nodeHost(), new Emitter()];
  const log = logger === undefined ? null : openLog(logger, { events, clock: host.clock, options: resolved });
  try {
    const heart = await openHeart({ host, store, cache, options: resolved, events });
    const sources = () => sourcesOf(heart, version());
    log?.opened(heart);
    heart.onFailed((error) => log?.failed(error, "nothing more is taken"));
    return new WriteBehind(telemetry?.around(heart, host.clock, sources) ?? heart, log);
  } catch (error) {
    log?.end();
    throw error;
  }
}

function openLog(logger: Logger, parts: Omit<EventLogParts, "logger">): EventLog {
  for (const level of ["info", "warn", "error"] as const) {
    if (typeof (logger as Partial<Logger> | null)?.[level] === "function") continue;
    throw new WriteBehindError("CONFIG", `\`logger\` has no function \`${level}\``, {
      hint: "pass a logger of pino, console, or { info, warn, error }, each called with (fields, text)",
    });
  }
  return new EventLog({ ...parts, logger });
}
