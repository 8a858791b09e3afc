/**
 * A fleet, asked through its Redis: the same endpoints as those of the admin API, answered by a process of the fleet
 * that lives for one question. It needs no server, and runs no worker.
 */
import type { Call } from "../dashboard/route.js";
import { routes } from "../dashboard/routes.js";
import { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import { nodeHost } from "../host/node-host.js";
import { version } from "../host/version.js";
import { sourcesOf } from "../metrics/metric.js";
import { resolveEngineOptions } from "../options-resolve.js";
import { visitFleet } from "../redis/open-fleet.js";
import { neededCache, type NamedCache } from "./cache-url.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, notDone } from "./exit.js";
import { namedStore } from "./store-url.js";

/** Asks. Throws CliError: `noServer` where there is no fleet, else `failed`. */
export async function askFleet(
  url: string,
  flags: Flags,
  method: "GET" | "POST",
  path: string,
  body: unknown,
): Promise<unknown> {
  const asked = new URL(path, "http://fleet");
  const route = routes.find((each) => each.method === method && each.path === asked.pathname);
  if (route === undefined) throw new Error(`broken invariant: there is no endpoint ${path}`);
  const heart = await visited(neededCache(url), flags);
  try {
    const answer = await route.answer(callOf(heart, asked, body));
    return "text" in answer ? answer.text : (JSON.parse(JSON.stringify(answer.json)) as unknown);
  } catch (error) {
    if (!(error instanceof WriteBehindError)) throw error;
    throw notDone(error.code, error.message, error.hint);
  } finally {
    await heart.close({ deadlineMs: 0 });
  }
}

function callOf(heart: Heart, asked: URL, body: unknown): Call {
  return {
    heart,
    watcher: { samples: [], runs: [] },
    metrics: () => sourcesOf(heart, version()),
    query: (name) => asked.searchParams.get(name) ?? undefined,
    body,
    signal: new AbortController().signal,
    run: () => Promise.reject(new Error("broken invariant: a verb asks for a command")),
  };
}

async function visited(cache: NamedCache, flags: Flags): Promise<Heart> {
  const { data, store: storeUrl, ...options } = someOptions(flags, ["data", "store", "routes", "unrouted"]);
  const store = storeUrl === null ? null : namedStore(storeUrl, data).descriptor;
  const all = { ...resolveEngineOptions({}), routes: options.routes, unrouted: options.unrouted };
  let heart: Heart | null;
  try {
    heart = await visitFleet(cache.url, { host: nodeHost(), store, options: all });
  } catch (error) {
    throw notThere(error);
  }
  if (heart !== null) return heart;
  const hint =
    "start a server or a worker with it (serve or work --cache URL --store URL), or name another: --cache URL";
  throw new CliError(exitCodes.noServer, `there is no write queue in the Redis at ${cache.place}`, hint);
}

function notThere(error: unknown): unknown {
  if (!(error instanceof WriteBehindError) || error.code !== "CACHE_DOWN") return error;
  return new CliError(
    exitCodes.noServer,
    error.message,
    "see that it runs, or name another one: --cache URL",
    error.code,
  );
}
