/** Question: what does a user gain who wrote each value to SQLite before? */
import { join } from "node:path";
import { openedSet, rounds } from "./set.js";
import { openBare } from "./bare-sqlite.js";
import { uniformWrites } from "./load.js";
import { perSecond, secondsOf, sideBySide, type Question } from "./question.js";

export const setUpsert: Question = {
  name: "set-upsert",
  ask: async (setting) => {
    const ours = await openedSet(setting);
    const bare = openBare(join(setting.folder, "bare.db"));
    const total = setting.quick ? 500 : 5000;
    const pair = await sideBySide(rounds, ours.rate, async (round) => {
      const next = uniformWrites(round + 1);
      const seconds = await secondsOf(async () => {
        for (let i = 0; i < total; i += 1) bare.upsert(next());
      });
      return total / seconds;
    });
    bare.close();
    await ours.close();
    return [
      {
        what: "library set, durability disk, 1,000 callers",
        rival: "one SQLite upsert per write, synchronous=FULL",
        ours: perSecond(pair.ours),
        theirs: perSecond(pair.theirs),
        ratio: pair.ratio,
        goal: { atLeast: 50 },
      },
    ];
  },
};
