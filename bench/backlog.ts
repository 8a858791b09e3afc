/** How long does a start take with a million pending changes, and how much memory do five million cost in an outage? */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { manyCallers, uniformWrites } from "./load.js";
import { megabytes, secondsOf, type Question } from "./question.js";
import { callers, open } from "./set.js";

/** Bytes in use after a full garbage collection. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A string of its own, as a program gets it from the network: the load's own strings would be shared. */
function copyOf(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

const recoverable = 1_000_000;
const held = 5_000_000;
/** Pending changes that a start takes in within a second, at the least. */
const perSecondMin = 300_000;
/** What an outage may cost above idle. */
const bytesMax = 300 * 1024 * 1024;

export const backlog: Question = {
  name: "backlog",
  ask: async (setting) => {
    const scale = setting.quick ? 0.1 : 1;
    const next = uniformWrites(1);
    const [heapBefore, before] = [heapBytes(), process.memoryUsage().rss];
    let wb = await open(setting.folder);
    await wb.pause();
    const write = (): Promise<unknown> => {
      const { key, value } = next();
      return wb.set(copyOf(key), copyOf(value));
    };
    await manyCallers(callers, recoverable * scale, write);
    await wb.close({ deadlineMs: 0 });

    const seconds = await secondsOf(async () => {
      wb = await open(setting.folder);
    });
    const { pendingChanges } = wb.status().queue;
    if (pendingChanges !== recoverable * scale) throw new Error(`${pendingChanges} changes were recovered`);
    await manyCallers(callers, (held - recoverable) * scale, write);
    const bytes = process.memoryUsage().rss - before;
    const heap = heapBytes() - heapBefore;
    const pending = wb.status().queue;
    await wb.close({ deadlineMs: 0 });
    const [changes, records] = [
      pending.pendingChanges.toLocaleString("en-US"),
      pending.pendingRecords.toLocaleString("en-US"),
    ];
    return [
      {
        what: `start with ${pendingChanges.toLocaleString("en-US")} pending changes`,
        rival: `1 s for each ${perSecondMin.toLocaleString("en-US")}`,
        ours: `${seconds.toFixed(2)} s`,
        theirs: `${(pendingChanges / perSecondMin).toFixed(2)} s`,
        ratio: (seconds * perSecondMin) / pendingChanges,
        goal: { atMost: 1 },
      },
      {
        what: `memory of the process with ${changes} pending changes of ${records} records, above idle`,
        rival: "300 MB",
        ours: `${megabytes(bytes)} (heap ${megabytes(heap)})`,
        theirs: megabytes(bytesMax),
        ratio: bytes / bytesMax,
        goal: { atMost: 1 },
      },
    ];
  },
};
