/** Reported, not judged: how long a start takes with a million pending changes, and how memory five million cost. */
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

export const backlog: Question = {
  name: "backlog",
  ask: async (setting) => {
    const scale = setting.quick ? 0.1 : 1;
    const next = uniformWrites(1);
    const before = heapBytes();
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
    const bytes = heapBytes() - before;
    const pending = wb.status().queue;
    await wb.close({ deadlineMs: 0 });
    const [changes, records] = [
      pending.pendingChanges.toLocaleString("en-US"),
      pending.pendingRecords.toLocaleString("en-US"),
    ];
    const reported = { rival: "-", theirs: "-", ratio: null, goal: null };
    return [
      {
        ...reported,
        what: `start with ${pendingChanges.toLocaleString("en-US")} pending changes`,
        ours: `${seconds.toFixed(2)} s`,
      },
      {
        ...reported,
        what: `heap with ${changes} pending changes of ${records} records`,
        ours: megabytes(bytes),
      },
    ];
  },
};
