/**
 * Question: how long does a SET take on `serve` while its writer drains, beside redis-server at the same rate? Commands
 * are sent when they are due, whether or not earlier ones were answered, and timed from then.
 */
import { keys, values } from "./load.js";
import { percentile, sideBySide, type Question } from "./question.js";
import { encoded, RawClient } from "./raw-client.js";
import { commandRate, withBoth } from "./serve.js";

const connections = 50;

/** Milliseconds of every SET, at so many a second for so long. */
async function latencies(port: number, rate: number, seconds: number): Promise<number[]> {
  const found: number[] = [];
  const dues: number[][] = Array.from({ length: connections }, () => []);
  const clients = await Promise.all(
    dues.map((due) =>
      RawClient.open(port, "+OK\r\n".length, (more) => {
        const now = performance.now();
        for (const each of due.splice(0, more)) found.push(now - each);
      }),
    ),
  );
  const requests = keys.map((key, i) => encoded(["SET", key, values[i % values.length] as string]));
  const begin = performance.now();
  const total = rate * seconds;
  for (let made = 0; made < total;) {
    for (; made < total && begin + (made * 1000) / rate <= performance.now(); made += 1) {
      const index = made % connections;
      dues[index]?.push(begin + (made * 1000) / rate);
      clients[index]?.write(requests[(made * 7919) % requests.length] as Buffer);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const deadline = performance.now() + 30_000;
  while (dues.some((due) => due.length > 0)) {
    if (performance.now() > deadline) throw new Error("not every SET was answered within 30 s");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (const client of clients) client.close();
  return found;
}

export const serveLatency: Question = {
  name: "serve-latency",
  ask: ({ folder, quick }) =>
    withBoth(folder, async (ours, redis) => {
      const most = commandRate(ours.port, "SET", 1, quick ? 20_000 : 200_000);
      const rate = Math.round(most / 2);
      const p99Of = async (port: number): Promise<number> =>
        percentile(await latencies(port, rate, quick ? 1 : 4), 0.99);
      const pair = await sideBySide(
        quick ? 1 : 5,
        () => p99Of(ours.port),
        () => p99Of(redis.port),
      );
      return [
        {
          what: `p99 of SET on serve at half its maximum, ${rate.toLocaleString("en-US")}/s, while the writer drains`,
          rival: "redis-server, appendfsync always, the same rate",
          ours: `${pair.ours.toFixed(2)} ms`,
          theirs: `${pair.theirs.toFixed(2)} ms`,
          ratio: pair.ratio,
          goal: { atMost: 2 },
        },
      ];
    }),
};
