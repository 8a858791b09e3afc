/**
 * Question: how many rows does coalescing save when some keys are hotter than others? It depends on how many writes
 * fall into one run: about 60,000 make the goal, 25,000 do not. So it is asked with the default delay and a longer one.
 */
import { join } from "node:path";
import { manyCallers, zipfWrites } from "./load.js";
import type { Answer, Question } from "./question.js";
import { callers, open } from "./set.js";

export const zipf: Question = {
  name: "zipf",
  ask: async (setting) => {
    const total = setting.quick ? 100_000 : 1_000_000;
    const answers: Answer[] = [];
    for (const delayMs of [100, 1000]) {
      const wb = await open(join(setting.folder, `${delayMs}`), { delayMs });
      const next = zipfWrites(1, 0.99);
      await manyCallers(callers, total, () => {
        const { key, value } = next();
        return wb.set(key, value);
      });
      await wb.flush();
      const { rows, batches } = wb.status().writer;
      await wb.close();
      const perRun = Math.round(total / batches).toLocaleString("en-US");
      answers.push({
        what: `rows written, Zipf 0.99 over 100,000 keys, delay ${delayMs} ms (${perRun} writes per run)`,
        rival: "one row per write",
        ours: rows.toLocaleString("en-US"),
        theirs: total.toLocaleString("en-US"),
        ratio: rows / total,
        goal: { atMost: 0.3 },
      });
    }
    return answers;
  },
};
