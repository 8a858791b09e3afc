/** Question: what does it cost to read a record that is not in the cache, beside the driver's own query? */
import { everyKeyOnce } from "./load.js";
import { delayed, openOn, withClient, withPostgres } from "./postgres-server.js";
import { percentile, type Answer, type Question, type Setting } from "./question.js";

/** Milliseconds that each of these calls takes, one after the other. */
async function timesOf(keys: readonly string[], call: (key: string) => Promise<string | null>): Promise<number[]> {
  const times: number[] = [];
  for (const key of keys) {
    const start = performance.now();
    const value = await call(key);
    times.push(performance.now() - start);
    if (value === null) throw new Error(`${key} is not there`);
  }
  return times;
}

/** Puts every key into the own tables, through the library, and into the rivals' table. */
async function fill(url: string, setting: Setting): Promise<void> {
  const writes = everyKeyOnce(1);
  const wb = await openOn(url, setting.folder);
  await wb.setMany(writes.map(({ key, value }) => [key, value] as const));
  await wb.flush();
  await wb.close();
  await withClient(url, async (client) => {
    await client.query({
      text: "INSERT INTO kv (key, value) SELECT * FROM unnest($1::text[], $2::text[])",
      values: [writes.map(({ key }) => key), writes.map(({ value }) => value)],
    });
    await client.query("VACUUM ANALYZE");
  });
}

/** Both read the same keys, some of each in turn. */
async function compare(url: string, setting: Setting, total: number, where: string): Promise<Answer> {
  // With an empty cache.
  const wb = await openOn(url, setting.folder);
  const asked = everyKeyOnce(2).slice(0, total);
  const [ours, theirs]: [number[], number[]] = [[], []];
  await withClient(url, async (client) => {
    const query = async (key: string): Promise<string | null> => {
      const text = "SELECT value FROM kv WHERE key = $1";
      const { rows } = await client.query<{ value: string }>({ name: "read", text, values: [key] });
      return rows[0]?.value ?? null;
    };
    for (let start = 0; start < asked.length; start += 100) {
      const keys = asked.slice(start, start + 100).map(({ key }) => key);
      theirs.push(...(await timesOf(keys, query)));
      ours.push(...(await timesOf(keys, (key) => wb.get(key))));
    }
  });
  await wb.close();
  const [median, rival] = [percentile(ours, 0.5), percentile(theirs, 0.5)];
  return {
    what: `read of a record of PostgreSQL that is not in the cache, median, ${where}`,
    rival: "the driver's prepared query for one row",
    ours: `${median.toFixed(3)} ms`,
    theirs: `${rival.toFixed(3)} ms`,
    ratio: median / rival,
    goal: { atMost: 1.5 },
  };
}

export const postgresRead: Question = {
  name: "postgres-read",
  ask: (setting) =>
    withPostgres(async (server) => {
      const url = await server.newBare();
      await fill(url, setting);
      const scale = setting.quick ? 0.1 : 1;
      return [
        await compare(url, setting, 20_000 * scale, "same machine"),
        await delayed(url, 1, (far) => compare(far, setting, 2000 * scale, "1 ms of network each way")),
      ];
    }),
};
