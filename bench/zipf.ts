/** Question: how many rows does coalescing save when some keys are hotter than others? */
import { manyCallers, zipfWrites } from "./load.js";
import type { Question } from "./question.js";
import { callers, open } from "./set.js";

export const zipf: Question = {
  name: "zipf",
  ask: async (setting) => {
    const wb = await open(setting.folder);
    const next = zipfWrites(1, 0.99);
    const total = setting.quick ? 100_000 : 1_000_000;
    await manyCallers(callers, total, () => {
      const { key, value } = next();
      return wb.set(key, value);
    });
    await wb.flush();
    const { rows } = wb.status().writer;
    await wb.close();
    return [
      {
        what: `rows written for ${total.toLocaleString("en-US")} writes, Zipf 0.99 over 100,000 keys`,
        rival: "one row per write",
        ours: rows.toLocaleString("en-US"),
        theirs: total.toLocaleString("en-US"),
        ratio: rows / total,
        goal: { atMost: 0.3 },
      },
    ];
  },
};
