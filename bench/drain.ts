/** Question: does the writer write to SQLite as fast as a plain loop of upserts would? */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBare } from "./bare-sqlite.js";
import { everyKeyOnce } from "./load.js";
import { open } from "./set.js";
import { perSecond, secondsOf, sideBySide, type Question } from "./question.js";

const transactionRows = 5000;

export const drain: Question = {
  name: "drain",
  ask: async (setting) => {
    // Every key once: nothing can be coalesced, so both sides write the same number of rows.
    const writesOf = (round: number) => everyKeyOnce(round + 1).slice(0, setting.quick ? 10_000 : undefined);
    const pair = await sideBySide(
      5,
      async (round) => {
        const folder = join(setting.folder, `ours-${round}`);
        mkdirSync(folder);
        const wb = await open(folder);
        await wb.pause();
        const writes = writesOf(round);
        await Promise.all(writes.map(({ key, value }) => wb.set(key, value)));
        const seconds = await secondsOf(async () => {
          await wb.resume();
          await wb.flush();
        });
        const { rows } = wb.status().writer;
        if (rows !== writes.length) throw new Error(`${rows} rows were written, not ${writes.length}`);
        await wb.close();
        return rows / seconds;
      },
      async (round) => {
        const bare = openBare(join(setting.folder, `bare-${round}.db`));
        const writes = writesOf(round);
        const seconds = await secondsOf(async () => bare.upsertAll(writes, transactionRows));
        bare.close();
        return writes.length / seconds;
      },
    );
    return [
      {
        what: "drain into SQLite, synchronous=FULL",
        rival: "bare prepared upserts in transactions of 5,000",
        ours: perSecond(pair.ours),
        theirs: perSecond(pair.theirs),
        ratio: pair.ratio,
        goal: { atLeast: 0.7 },
      },
    ];
  },
};
