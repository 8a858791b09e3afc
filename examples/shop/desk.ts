/** The shop as a process: it is sent requests as messages, and answers them. `node desk.js DATA STORE-URL [CACHE-URL]` */
import { sqlite, writeBehind } from "write-behind";
import { postgres } from "write-behind/postgres";
import { redis } from "write-behind/redis";
import { fulfil, type Answer, type Closed, type Outcome, type Request } from "./requests.js";
import { once, Refusal, routes } from "./shop.js";

const [data, url, cache] = process.argv.slice(2) as [string, string, string?];
const store = url.startsWith("sqlite:") ? sqlite({ file: url.slice("sqlite:".length) }) : postgres(url);
// A small cache, so that rows are read from the database, too; retries that do not take longer than the whole play.
const options = { store, routes, cacheBytes: 1024 * 1024, retryMaxMs: 200 };
// In a Redis it is one partition: an order, its lines, the stock and the customer change together.
const wb = await writeBehind(
  cache === undefined ? { ...options, data } : { ...options, cache: redis(cache), partitions: 1, leaseMs: 500 },
);

const send = (message: Answer | Closed | "open"): void => void process.send?.(message);

async function outcomeOf(request: Request): Promise<Outcome> {
  try {
    return { is: "done", order: await once(wb, request, (tx) => fulfil(tx, request.wish)) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { is: error instanceof Refusal ? "refused" : "failed", why };
  }
}

async function close(): Promise<void> {
  await wb.flush();
  const { items } = await wb.deadLetters();
  const { drained } = await wb.close();
  send({ drained, deadLetters: items.map(({ reason }) => reason) });
  process.disconnect();
}

process.on("message", (request: Request | "close") => {
  if (request === "close") void close();
  else void outcomeOf(request).then((outcome) => send({ client: request.client, no: request.no, outcome }));
});
send("open");
