/** The admin API: an HTTP server for people and tools. guard.ts says who may use it, routes.ts what there is. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono, type Context } from "hono";
import type { ServerCounters } from "../commands/command.js";
import { plainError, WriteBehindError, type ErrorCode } from "../errors.js";
import type { Heart } from "../heart.js";
import { withHint } from "../heart/failures.js";
import type { Clock } from "../host/host.js";
import type { Sandboxes } from "../lesson/sandbox.js";
import { sourcesOf, type MetricSources } from "../metrics/metric.js";
import { isLoopback } from "../options-resolve.js";
import type { Options } from "../options.js";
import { cutLong } from "./cut.js";
import { namesOf, streamEvents, type EventStream } from "./event-stream.js";
import { refusal } from "./guard.js";
import { LoopLag } from "./loop-lag.js";
import type { RunCommand } from "./command.js";
import { addPage } from "./page-files.js";
import { cutOf, type Call, type Route } from "./route.js";
import { routes } from "./routes.js";
import { Watcher } from "./watch.js";

/** What the admin API is made of. */
export interface AdminParts {
  readonly heart: Heart;
  readonly clock: Clock;
  readonly options: Pick<Options, "host" | "adminPort" | "adminToken" | "password">;
  readonly run: RunCommand;
  /** Version of write-behind. */
  readonly version: string;
  /** What the server of the Redis protocol has counted, for metrics; left out where there is none. */
  readonly counters?: Readonly<ServerCounters> | undefined;
  /** Engines for the walkthrough: closed with the API. */
  readonly sandboxes?: Sandboxes | undefined;
}

/** What lives as long as the server does. */
interface Live {
  readonly watcher: Watcher;
  readonly loopLag: LoopLag;
  readonly streams: Set<EventStream>;
}

/** A running admin API. */
export interface Admin {
  readonly url: string;
  /** What metrics are read from, now. */
  readonly metrics: () => MetricSources;
  /** Ends streams and connections. */
  close(): Promise<void>;
}

const bodyBytesMax = 2 ** 20;
const closeMs = 250;
const connectionsMax = 256;
const streamsMax = 32;

/** Starts the admin API. Rejects CONFIG where it would be open to others without a token, or the port is taken. */
export async function startAdmin(parts: AdminParts): Promise<Admin> {
  const { host, adminPort, adminToken, password } = parts.options;
  if (adminToken === null && (!isLoopback(host) || password !== null)) {
    throw new WriteBehindError("CONFIG", `the admin API on ${host} needs a token`, { hint: "set --admin-token" });
  }
  const live: Live = {
    watcher: new Watcher(parts.heart, parts.clock),
    loopLag: new LoopLag(parts.clock),
    streams: new Set(),
  };
  const app = adminApp(parts, live);
  // The adapter's own Request and Response would replace the global ones for the whole process.
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  server.maxConnections = connectionsMax;
  try {
    await listen(server, host, adminPort);
  } catch (error) {
    endLooking(live);
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: urlOf(host, port),
    metrics: () => metricsOf(parts, live),
    close: async () => {
      endLooking(live);
      for (const stream of live.streams) stream.end();
      const closed = once(server, "close");
      server.close();
      const emptied = parts.sandboxes?.close();
      // Answers in hand, and the ends of the streams, get a moment to leave.
      const timer = parts.clock.after(closeMs, () => server.closeAllConnections());
      await closed;
      timer.cancel();
      await emptied;
    },
  };
}

function endLooking({ watcher, loopLag }: Live): void {
  watcher.end();
  loopLag.end();
}

function metricsOf({ heart, counters, version }: AdminParts, { loopLag }: Live): MetricSources {
  return { ...sourcesOf(heart, version), server: counters ?? null, eventLoopLag: loopLag.seconds };
}

function urlOf(host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const message = `the admin API cannot listen on ${host}:${port}: ${taken ? "the port is taken" : error.message}`;
      const hint = taken ? "use another one: --admin-port 8381 (0 picks a free one)" : "see --host and --admin-port";
      reject(new WriteBehindError("CONFIG", message, { hint, cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

function adminApp(parts: AdminParts, live: Live): Hono {
  const { heart, options } = parts;
  const app = new Hono();
  const health: { failure: WriteBehindError | null } = { failure: null };
  heart.onFailed((error) => (health.failure = error));
  app.use(async (context, next) => {
    const refused = refusal(askedOf(context), options.host, options.adminToken);
    if (refused !== null) return failed(context, refused.status, refused);
    await next();
    if (!context.res.headers.has("Cache-Control")) context.header("Cache-Control", "no-store");
    context.header("X-Content-Type-Options", "nosniff");
    return undefined;
  });
  for (const route of routes) {
    app.on(route.method, route.path, async (context) => {
      if (health.failure !== null && route.path.startsWith("/health/"))
        return context.json(unhealthy(route.path, withHint(health.failure)), 503);
      const call = await callOf(parts, live, route, context);
      const answer = await route.answer(call);
      if ("text" in answer) return context.body(answer.text, answer.status, { "Content-Type": answer.type });
      const { status, json } = answer;
      const cutAt = cutOf(call);
      return context.json(cutAt === null ? json : (cutLong(json, cutAt) as object), status);
    });
  }
  app.get("/api/events", (context) => events(parts, live, context));
  addPage(app);
  for (const [path, method] of [
    ...routes.map((route) => [route.path, route.method] as const),
    ["/api/events", "GET"] as const,
  ]) {
    app.all(path, (context) => {
      context.header("Allow", method === "GET" ? "GET, HEAD" : method);
      return failed(context, 405, { code: "METHOD_NOT_ALLOWED", message: `${path} takes ${method} only`, hint: null });
    });
  }
  app.notFound((context) =>
    failed(context, 404, {
      code: "NOT_FOUND",
      message: `there is nothing at ${context.req.path}`,
      hint: `there is: ${routes.map((route) => route.path).join(" ")} /api/events`,
    }),
  );
  app.onError((error, context) => {
    const plain = plainError(error);
    const ours = error instanceof WriteBehindError;
    return failed(context, ours ? statusOf(plain.code) : 500, ours ? plain : { ...plain, code: "INTERNAL" });
  });
  return app;
}

/** A journal that has failed takes nothing more: only a new process can help. */
function unhealthy(path: string, reason: string): object {
  return path === "/health/live" ? { live: false, reason } : { ready: false, state: "broken", reason };
}

function askedOf(context: Context): Parameters<typeof refusal>[0] {
  const { req } = context;
  return {
    method: req.method,
    path: req.path,
    host: req.header("host"),
    origin: req.header("origin"),
    authorization: req.header("authorization"),
    contentType: req.header("content-type"),
  };
}

async function callOf(parts: AdminParts, live: Live, route: Route, context: Context): Promise<Call> {
  const text = route.method === "POST" ? await bodyOf(context) : "";
  let body: unknown = {};
  try {
    if (text !== "") body = JSON.parse(text);
  } catch {
    throw new WriteBehindError("BAD_VALUE", "the body is not JSON", {
      hint: 'for example {"args": ["GET", "user:1:name"]}',
    });
  }
  return {
    heart: parts.heart,
    watcher: live.watcher,
    metrics: () => metricsOf(parts, live),
    run: parts.run,
    body,
    query: (name) => context.req.query(name),
    signal: context.req.raw.signal,
    sandboxes: parts.sandboxes,
  };
}

/** The body, up to its limit, whether its length was said or not. Hono's own limit needs the global Request. */
async function bodyOf(context: Context): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of (context.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > bodyBytesMax) throw new WriteBehindError("TOO_LARGE", `the body is over ${bodyBytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function events({ heart, clock }: AdminParts, { watcher, streams }: Live, context: Context): Response {
  if (streams.size >= streamsMax) {
    return failed(context, 503, {
      code: "TOO_MANY",
      message: `${streamsMax} event streams are open already`,
      hint: "close one of them",
    });
  }
  const only = namesOf(context.req.query("only"));
  // Hono answers HEAD by GET and drops the body without a word: the stream would never end.
  if (context.req.raw.method === "HEAD")
    return new Response(null, { headers: { "Content-Type": "text/event-stream" } });
  const stream = streamEvents({ heart, clock, watcher, only, ended: (ended) => streams.delete(ended) });
  streams.add(stream);
  return context.body(stream.body, 200, { "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" });
}

type FailureStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 500 | 503;

function failed(
  context: Context,
  status: FailureStatus,
  error: { code: string; message: string; hint: string | null },
): Response {
  const { code, message, hint } = error;
  return context.json({ error: { code, message, hint } }, status);
}

/** The HTTP status of an error. */
export function statusOf(code: ErrorCode): FailureStatus {
  switch (code) {
    case "BAD_VALUE":
    case "WRONG_TYPE":
    case "CONFIG":
      return 400;
    case "TOO_LARGE":
      return 413;
    case "REFUSED":
      return 409;
    case "UNKNOWN":
      return 500;
    default:
      return 503;
  }
}
