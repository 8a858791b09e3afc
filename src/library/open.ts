/** The front door of the library. */
import { WriteBehindError } from "../errors.js";
import { nodeHost } from "../host/node-host.js";
import { version } from "../host/version.js";
import { routesOf, type AnyCollection } from "./collection.js";
import { WriteBehind } from "./library.js";
import { sourcesOf } from "../metrics/metric.js";
import type { EngineOptions } from "../options.js";
import { resolveEngineOptions } from "../options-resolve.js";
import type { Route } from "../routes/route.js";
import type { CacheDescriptor } from "../shared-cache.js";
import type { Store, StoreDescriptor } from "../store/store.js";
import type { Telemetry } from "../telemetry.js";
import { openHeart } from "../write-behind.js";

/** What `writeBehind` takes: the store, and any of the options (docs/reference/options.md). */
export interface WriteBehindOptions extends Partial<Omit<EngineOptions, "routes">> {
  /** Which keys go to which table. */
  readonly routes?: readonly (Route | AnyCollection)[];
  /** The database: `sqlite({ file })`, or a store of your own. */
  readonly store: Store | StoreDescriptor;
  /** Where cache and queue are, if many processes share them: `redis("redis://…")`. */
  readonly cache?: CacheDescriptor | undefined;
  /** Where traces and metrics go: `openTelemetry()` of write-behind/telemetry. */
  readonly telemetry?: Telemetry | undefined;
}

/**
 * Opens a write-behind in this process: recovers the journal in `data`, starts the writer, waits for the database only
 * at the very first start. Rejects CONFIG, FOLDER_IN_USE, JOURNAL_DAMAGED, QUEUE_MISMATCH, TABLES_IN_USE.
 */
export async function writeBehind(given: WriteBehindOptions): Promise<WriteBehind> {
  const { store, cache, telemetry, ...options } = given;
  if (typeof store !== "object" || store === null) {
    throw new WriteBehindError("CONFIG", "`store` is missing", { hint: 'pass store: sqlite({ file: "app.db" })' });
  }
  const routes = Array.isArray(options.routes) ? routesOf(options.routes) : options.routes;
  const resolved = resolveEngineOptions({ ...options, routes });
  const host = nodeHost();
  const heart = await openHeart({ host, store, cache, options: resolved });
  const sources = () => sourcesOf(heart, version());
  return new WriteBehind(telemetry?.around(heart, host.clock, sources) ?? heart);
}
