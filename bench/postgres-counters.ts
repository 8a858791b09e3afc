/** Question: how many rows does PostgreSQL see when a thousand counters are counted as fast as clients can? */
import { manyCallers, dice } from "./load.js";
import { openOn, withPostgres } from "./postgres-server.js";
import type { Question } from "./question.js";
import { callers } from "./set.js";

const counters = Array.from({ length: 1000 }, (_, i) => `views:${i}`);

export const postgresCounters: Question = {
  name: "postgres-counters",
  ask: (setting) =>
    withPostgres(async (server) => {
      const wb = await openOn(await server.newDatabase(), setting.folder);
      const total = setting.quick ? 200_000 : 2_000_000;
      const roll = dice(1);
      await manyCallers(callers, total, () => wb.increment(counters[Math.floor(roll() * counters.length)] as string));
      await wb.flush();
      const { rows } = wb.status().writer;
      await wb.close();
      return [
        {
          what: "rows written to PostgreSQL, 1,000 counters, INCR as fast as 1,000 callers can",
          rival: "one row for each increment",
          ours: rows.toLocaleString("en-US"),
          theirs: total.toLocaleString("en-US"),
          ratio: rows / total,
          goal: { atMost: 0.05 },
        },
      ];
    }),
};
