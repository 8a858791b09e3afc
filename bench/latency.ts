/**
 * Question: do clients notice the writer? Calls are made at a fixed rate whether or not earlier ones were answered, and
 * each is timed from the moment at which it was due: a stall is felt by every call that it delays.
 */
import type { WriteBehind } from "../src/index.js";
import { manyCallers, uniformWrites, type Write } from "./load.js";
import { percentile, type Answer, type Question } from "./question.js";
import { callers, open } from "./set.js";

/** Calls a second; half of them `get`, half `set`. */
const rate = 4000;

interface Latencies {
  readonly get: number[];
  readonly set: number[];
}

/** Calls at the fixed rate until `over` says so; milliseconds of every call. */
async function load(wb: WriteBehind, seed: number, over: () => boolean): Promise<Latencies> {
  const next = uniformWrites(seed);
  const latencies: Latencies = { get: [], set: [] };
  const calls: Promise<void>[] = [];
  const start = performance.now();
  const call = async (due: number, kind: keyof Latencies, { key, value }: Write): Promise<void> => {
    await (kind === "get" ? wb.get(key) : wb.set(key, value));
    latencies[kind].push(performance.now() - start - due);
  };
  for (let made = 0; !over();) {
    for (; (made * 1000) / rate <= performance.now() - start; made += 1) {
      calls.push(call((made * 1000) / rate, made % 2 === 0 ? "get" : "set", next()));
    }
    // Asleep until the next calls are due, as a server between its requests: spinning would take a processor from the
    // writer and from the disk's threads, which no client does.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(calls);
  return latencies;
}

export const latency: Question = {
  name: "latency",
  ask: async (setting) => {
    const wb = await open(setting.folder);
    await wb.pause();
    const backlog = uniformWrites(1);
    await manyCallers(callers, setting.quick ? 200_000 : 1_000_000, () => {
      const { key, value } = backlog();
      return wb.set(key, value);
    });

    const end = performance.now() + (setting.quick ? 1000 : 5000);
    await load(wb, 2, () => performance.now() > end - 3000);
    const without = await load(wb, 3, () => performance.now() > end);
    await wb.resume();
    let drained = false;
    const flushed = wb.flush().then(() => (drained = true));
    const start = performance.now();
    const draining = await load(wb, 4, () => drained);
    const seconds = (performance.now() - start) / 1000;
    await flushed;
    await wb.close();

    return (["get", "set"] as const).map((kind): Answer => {
      const ours = percentile(draining[kind], 0.99);
      const theirs = percentile(without[kind], 0.99);
      return {
        what: `p99 of ${kind} at ${rate.toLocaleString("en-US")} calls/s while the writer drains (${seconds.toFixed(1)} s)`,
        rival: "without a writer",
        ours: `${ours.toFixed(2)} ms`,
        theirs: `${theirs.toFixed(2)} ms`,
        ratio: ours / theirs,
        goal: { atMost: 2 },
      };
    });
  },
};
