/** Question: how near is a transaction of three SETs on `serve` to one on redis-server, at the same durability? */
import { once, EventEmitter } from "node:events";
import { keyCount, keys, values } from "./load.js";
import { perSecond, sideBySide, type Question } from "./question.js";
import { encoded, RawClient } from "./raw-client.js";
import { withBoth } from "./serve.js";

const connections = 50;
const pipeline = 16;
const reply = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n+OK\r\n";

/** Pipelines of transactions, made before. */
function pipelines(count: number): Buffer[] {
  let key = 0;
  const set = (): string[] => {
    key = (key + 7919) % keyCount;
    return ["SET", keys[key] as string, values[key % values.length] as string];
  };
  const transaction = (): Buffer => encoded(["MULTI"], set(), set(), set(), ["EXEC"]);
  return Array.from({ length: count }, () => Buffer.concat(Array.from({ length: pipeline }, transaction)));
}

/** Transactions a second. */
async function rateOf(port: number, requests: readonly Buffer[], count: number): Promise<number> {
  const over = new EventEmitter();
  let [sent, answered] = [0, 0];
  const clients: RawClient[] = [];
  const start = performance.now();
  for (let index = 0; index < connections; index += 1) {
    let open = 0;
    const next = (): void => {
      if (sent >= count) return;
      clients[index]?.write(requests[(sent / pipeline) % requests.length] as Buffer);
      sent += pipeline;
      open = pipeline;
    };
    const client = await RawClient.open(port, reply.length, (more) => {
      answered += more;
      open -= more;
      if (open === 0) next();
      if (answered >= count) over.emit("over");
    });
    clients.push(client);
    next();
  }
  if (answered < count) await once(over, "over");
  const rate = (answered * 1000) / (performance.now() - start);
  for (const client of clients) client.close();
  return rate;
}

export const serveTransactions: Question = {
  name: "serve-transactions",
  ask: ({ folder, quick }) =>
    withBoth(folder, async (ours, redis) => {
      const requests = pipelines(2000);
      const count = (quick ? 20_000 : 200_000) - ((quick ? 20_000 : 200_000) % pipeline);
      for (const { port } of [ours, redis]) await rateOf(port, requests, count);
      const pair = await sideBySide(
        quick ? 1 : 5,
        () => rateOf(ours.port, requests, count),
        () => rateOf(redis.port, requests, count),
      );
      return [
        {
          what: `serve MULTI of three SETs, ${connections} connections, pipeline ${pipeline}, durability disk`,
          rival: "redis-server, appendfsync always",
          ours: perSecond(pair.ours),
          theirs: perSecond(pair.theirs),
          ratio: pair.ratio,
          goal: { atLeast: 0.5 },
        },
      ];
    }),
};
