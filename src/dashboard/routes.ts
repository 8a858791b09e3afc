/** The endpoints of the admin API: what each one takes and gives. docs/reference/cli.md lists them. */
import { z } from "zod";
import { bytesOfBuffer, bytesOfJson, bytesOfText, type Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";
import { statusNow, turned, type Heart } from "../heart.js";
import { journeyOf } from "./journey.js";
import { metricsText, metricsType } from "./metrics-text.js";
import {
  argsOf,
  bad,
  commandShape,
  jsonBytes,
  nothing,
  ok,
  parse,
  type Answer,
  type Call,
  type Route,
} from "./route.js";
import { sandboxRoutes } from "./sandbox-routes.js";
import { historyOf } from "./watch.js";

const pageDefault = 100;
const pageMax = 1000;
const flushBody = z.strictObject({ keys: z.array(jsonBytes).optional() });
const commandBody = z.strictObject(commandShape);
const letterIds = z.union([z.literal("all"), z.array(z.string()).min(1)]);
const retryBody = z.strictObject({ ids: letterIds });
const discardBody = z.strictObject({ ids: letterIds, behind: z.boolean().optional() });

const idsHint = 'for example {"ids": ["17"]}, or {"ids": "all"}';

/** The table of endpoints. */
export const routes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/status",
    takes: "",
    doc: "state, cache, queue, writer and database, with counters",
    answer: async ({ heart }) => ok(await statusNow(heart)),
  },
  {
    method: "GET",
    path: "/api/record",
    takes: "key, or keyBase64",
    doc: "one record everywhere: cache, queue and, read now, the database",
    answer: async (call) => ok(await call.heart.inspect(keyOf(call))),
  },
  {
    method: "GET",
    path: "/api/journey",
    takes: "key, or keyBase64",
    doc: "the record's last changes, queued and stored, each with the run that stored it, as far as that is known",
    answer: (call) => journey(call),
  },
  {
    method: "GET",
    path: "/api/history",
    takes: "",
    doc: "the numbers of the last 15 minutes, one of each a second: a list for each, oldest first",
    answer: ({ watcher }) => ok(historyOf(watcher.samples)),
  },
  {
    method: "GET",
    path: "/api/queue",
    takes: "limit (1 to 1000, default 100), after",
    doc: "pending changes, oldest first; `next` is the next `after`",
    answer: async (call) => ok(await call.heart.pending(limitOf(call), call.query("after") ?? null)),
  },
  {
    method: "POST",
    path: "/api/pause",
    takes: "",
    doc: "the writer stands still after the run in hand; outlives a restart",
    answer: (call) => turn(call, () => call.heart.pause()),
  },
  {
    method: "POST",
    path: "/api/resume",
    takes: "",
    doc: "the writer goes on",
    answer: (call) => turn(call, () => call.heart.resume()),
  },
  {
    method: "POST",
    path: "/api/step",
    takes: "",
    doc: "one run of the writer now, paused or not",
    answer: async (call) => {
      parse(nothing, call.body);
      return ok(await call.heart.step());
    },
  },
  {
    method: "POST",
    path: "/api/flush",
    takes: "keys (optional list)",
    doc: "answers once what was pending is in the database, or parked: `parked` names the dead letters",
    answer: async ({ heart, body, signal }) => {
      const { keys } = parse(flushBody, body);
      return ok(await heart.flush({ signal, ...(keys === undefined ? {} : { keys: keys.map(bytesOfJson) }) }));
    },
  },
  {
    method: "GET",
    path: "/api/dead-letters",
    takes: "limit (1 to 1000, default 100), after",
    doc: "what the database has refused, oldest first, and what waits behind it; `next` is the next `after`",
    answer: async (call) => ok(await call.heart.deadLetters.list(limitOf(call), call.query("after") ?? null)),
  },
  {
    method: "POST",
    path: "/api/dead-letters/retry",
    takes: 'ids (list, or "all")',
    doc: "tries them and the others of their groups again now; says what became of each",
    answer: async ({ heart, body }) => ok(await heart.deadLetters.retry(parse(retryBody, body, idsHint).ids)),
  },
  {
    method: "POST",
    path: "/api/dead-letters/discard",
    takes: 'ids (list, or "all"), behind (default false)',
    doc: "gives them up and writes what waits behind them; with `behind` that is given up, too",
    answer: async ({ heart, body }) => {
      const { ids, behind } = parse(discardBody, body, idsHint);
      return ok(await heart.deadLetters.discard(ids, { behind }));
    },
  },
  {
    method: "POST",
    path: "/api/command",
    takes: "args (list), or line (as it is typed)",
    doc: "runs one command as a client does, and waits until it is kept",
    answer: async ({ run, body, signal }) => ok({ reply: await run(argsOf(parse(commandBody, body)), signal) }),
  },
  {
    method: "GET",
    path: "/metrics",
    takes: "",
    doc: "every number of [metrics.md](metrics.md), as text for Prometheus",
    answer: async ({ heart, metrics }) => {
      await heart.refresh?.();
      return { status: 200, text: await metricsText(metrics()), type: metricsType };
    },
  },
  {
    method: "GET",
    path: "/health/live",
    takes: "",
    doc: "200 while the process works; 503 once the journal has failed",
    answer: () => ok({ live: true }),
  },
  {
    method: "GET",
    path: "/health/ready",
    takes: "",
    doc: "200 while clients are served; 503 and why not while it starts or stops, while the writer stands still (stalled), while a fleet's Redis cannot be reached",
    answer: ({ heart }) => ready(heart),
  },
  ...sandboxRoutes,
];

/**
 * Ready: clients are served, and whoever asks need do nothing. A database that is down or broken is to be mended itself
 * (the queue keeps everything meanwhile), so it is only said. A writer that stands still may be helped by a restart.
 * Without its Redis a process of a fleet serves nobody, and another one may reach it.
 */
async function ready(heart: Heart): Promise<Answer> {
  const { state, reason, store, fleet } = await statusNow(heart);
  const failure = fleet?.failure ?? null;
  const serves = state !== "draining" && state !== "stalled" && failure === null;
  return { status: serves ? 200 : 503, json: { ready: serves, state, reason: failure ?? reason ?? store.error } };
}

async function journey(call: Call): Promise<Answer> {
  const { heart, watcher } = call;
  const { changes, deadLetters } = await heart.recent(keyOf(call));
  const { stored } = heart.status().queue;
  return ok({ items: journeyOf(changes, { runs: watcher.runs, stored, deadLetters }), next: null });
}

async function turn(call: Call, work: () => Promise<void>): Promise<Answer> {
  parse(nothing, call.body);
  return ok(await turned(call.heart, work()));
}

function keyOf(call: Call): Bytes {
  const text = call.query("key");
  const base64 = call.query("keyBase64");
  if (text !== undefined && base64 === undefined) return bytesOfText(text);
  if (base64 === undefined || text !== undefined) throw bad("give one of key and keyBase64");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw bad("keyBase64 is not base64");
  return bytesOfBuffer(Buffer.from(base64, "base64"));
}

function limitOf(call: Call): number {
  const text = call.query("limit");
  if (text === undefined) return pageDefault;
  const limit = Number(text);
  if (!/^\d{1,9}$/.test(text) || limit < 1 || limit > pageMax)
    throw new WriteBehindError("BAD_VALUE", `limit must be between 1 and ${pageMax}`, {
      hint: "for example limit=100",
    });
  return limit;
}
