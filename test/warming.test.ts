/** Rows of routes with `warm` at the start: what is in memory, what stays as it was, and where it ends. */
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { WriteBehindError } from "../src/errors.js";
import { Emitter, type Events } from "../src/events.js";
import { Warming, type WarmingParts } from "../src/heart/warming.js";
import { nodeHost } from "../src/host/node-host.js";
import type { WriteBehind } from "../src/index.js";
import { engineKit } from "./engine-kit.js";
import { routes, routesLab } from "./routes-kit.js";

const kit = engineKit();
const warm = routes.map((route) =>
  route.key === "plain:{id}" || route.key === "page:{path}" ? { ...route, warm: true } : route,
);

/** What it says until all tables are done, or no more fit. */
function said(wb: WriteBehind, until: string): Promise<Events["warming"][]> {
  return new Promise((resolve) => {
    const heard: Events["warming"][] = [];
    wb.on("warming", (event) => {
      heard.push(event);
      if (event.state === "full" || event.table === until) resolve(heard);
    });
  });
}

const fill = (count: number, bytes: number): string => `
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${count})
  INSERT INTO plain (id, a, b) SELECT 'r' || i, printf('%.*c', ${bytes}, 'x'), i FROM n`;

describe("warm routes", () => {
  test("their rows are in memory without having been asked for, those of others are not", async () => {
    const { db, start } = routesLab(kit);
    db.run(`${fill(2500, 10)}; INSERT INTO pages (path) VALUES ('/a'); INSERT INTO users (id, name) VALUES (1, 'A');`);
    const wb = await start({ routes: warm });
    expect(await said(wb, "plain")).toEqual([
      { table: "pages", records: 1, state: "done" },
      { table: "plain", records: 2500, state: "done" },
    ]);
    expect(wb.status().cache).toMatchObject({ records: 2501, misses: 0, evictions: 0 });
    expect(await wb.hash("plain:r2500").getAll()).toEqual({ a: "xxxxxxxxxx", b: "2500" });
    expect(await wb.get("views:/a")).toBe("0");
    expect(wb.status().cache).toMatchObject({ records: 2501, misses: 0 });
    expect((await wb.inspect("user:1")).cache.state).toBe("unknown");
  });

  test("what is pending stays, and no more rows come in than fit", async () => {
    const { data, db, start } = routesLab(kit);
    db.run(fill(20_000, 200));
    const first = await start();
    await first.pause();
    await first.hash("plain:r1").set("a", "pending");
    await first.delete("plain:r2");
    for (let n = 0; n < 200; n++) await first.set(`own:${n}`, "y".repeat(500));
    await first.close({ deadlineMs: 0 });
    const wb = await start({ data, routes: warm, cacheBytes: 1024 * 1024 });
    const heard = await said(wb, "plain");
    const { records, state } = heard.at(-1) as Events["warming"];
    expect(state).toBe("full");
    expect(records).toBeGreaterThan(200);
    const { cache, queue } = wb.status();
    expect(cache.evictions).toBe(0);
    expect(cache.bytes).toBeLessThan(cache.bytesMax);
    expect(queue.pendingRecords).toBe(202);
    expect(await wb.hash("plain:r1").getAll()).toEqual({ a: "pending", b: "1" });
    expect(await wb.hash("plain:r2").getAll()).toBeNull();
    expect(await wb.get("own:199")).toBe("y".repeat(500));
  });

  test("closing does not wait for it", async () => {
    const { db, start } = routesLab(kit);
    db.run(fill(20_000, 10));
    const wb = await start({ routes: warm });
    const warnings: string[] = [];
    wb.on("warning", ({ text }) => warnings.push(text));
    expect(await wb.close()).toMatchObject({ drained: true, hangs: false });
    expect(warnings).toEqual([]);
  });
});

describe("one table by itself", () => {
  const names = Array.from({ length: 2500 }, (_, n) => `r${n}` as Bytes);

  /** Pages of names; `load` decides what becomes of them. */
  function warming(load: (cache: MemoryCache, records: readonly Bytes[]) => Promise<void>, bytesMax = 1e9) {
    const cache = new MemoryCache({ bytesMax, absentMs: 1000 });
    const events = new Emitter();
    const heard: unknown[] = [];
    events.on("warming", (event) => heard.push(event));
    events.on("warning", ({ text }) => heard.push(text));
    const host = nodeHost();
    const clock: WarmingParts["clock"] = { ...host.clock, monotonic: () => (time += 2000) };
    let time = 0;
    let isOver = false;
    const made = new Warming({
      reader: {
        scan: (after, limit) => {
          const from = after === null ? 0 : names.indexOf(after) + 1;
          const records = names.slice(from, from + limit);
          return Promise.resolve({ records, next: from + limit < names.length ? (records.at(-1) as Bytes) : null });
        },
      },
      loads: { load: (records) => load(cache, records) },
      cache,
      clock,
      events,
      now: () => 1,
      ended: () => isOver,
    });
    return { made, cache, heard, end: () => (isOver = true) };
  }

  const row = (bytes: number) => ({ content: "x".repeat(bytes) as Bytes, expiresAt: null });
  const filling =
    (bytes: number, loaded: Bytes[] = []) =>
    (cache: MemoryCache, records: readonly Bytes[]) => {
      loaded.push(...records);
      for (const record of records) cache.fill(cache.place(record), row(bytes), 1);
      return Promise.resolve();
    };

  test("every row is read once, those in memory not at all, and progress is said", async () => {
    const loaded: Bytes[] = [];
    const { made, cache, heard } = warming(filling(10, loaded));
    cache.fill(cache.place("r1" as Bytes), row(5), 1);
    await made.run(["t"]);
    expect(loaded).toEqual(names.filter((name) => name !== "r1"));
    expect(heard.at(-1)).toEqual({ table: "t", records: 2500, state: "done" });
    expect(heard[0]).toMatchObject({ table: "t", state: "reading" });
  });

  test("it ends before the cache is full, however large the rows are", async () => {
    for (const bytes of [10, 1000, 30_000]) {
      const { made, cache, heard } = warming(filling(bytes), 400_000);
      await made.run(["t", "never"]);
      expect(heard.at(-1)).toMatchObject({ table: "t", state: "full" });
      expect(cache.evictions).toBe(0);
      expect(cache.bytes).toBeGreaterThan(400_000 * 0.5);
    }
  });

  test("rows that are too large for the cache end it, too", async () => {
    const tooLarge = () => Promise.reject(new WriteBehindError("TOO_LARGE", "the records exceed the cache"));
    const { made, heard } = warming(tooLarge);
    await made.run(["t"]);
    expect(heard).toEqual([{ table: "t", records: 0, state: "full" }]);
  });

  test("a failure of the database ends it with a warning, and nothing else", async () => {
    const { made, heard } = warming(() => Promise.reject(new WriteBehindError("STORE_DOWN", "it is away")));
    await made.run(["t", "never"]);
    expect(heard).toEqual([expect.stringMatching(/^rows of t are no longer read into the cache.*: it is away$/)]);
  });

  test("closing ends it without a word", async () => {
    const { made, heard, end } = warming(() => {
      end();
      return Promise.reject(new WriteBehindError("CLOSED", "closing"));
    });
    await made.run(["t"]);
    expect(heard).toEqual([]);
  });
});
