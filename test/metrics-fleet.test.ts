/** The metrics of a fleet: what its processes count, and what its workers have done, added up. */
import { expect, onTestFinished, test } from "vitest";
import { metricsText } from "../src/dashboard/metrics-text.js";
import { nodeHost } from "../src/host/node-host.js";
import { sourcesOf } from "../src/metrics/metric.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { WorkerTotals } from "../src/redis/front/worker-totals.js";
import { redis } from "../src/redis/index.js";
import type { WorkerReport } from "../src/redis/worker/report.js";
import { WriteBehind } from "../src/library/library.js";
import { openHeart } from "../src/write-behind.js";
import { faultyStore, valueOf } from "./metrics-kit.js";
import { describeRedis } from "./with-redis.js";

const eventually = { timeout: 20_000, interval: 20 };

describeRedis("a process of a fleet", (server) => {
  test("counts what it took and refused; the worker's commits and retries are told", { timeout: 30_000 }, async () => {
    const store = faultyStore();
    const options = resolveEngineOptions({
      durability: "memory",
      delayMs: 0,
      leaseMs: 1000,
      partitions: 4,
      retryMinMs: 1,
      retryMaxMs: 100,
    });
    const cache = redis(`redis://127.0.0.1:${server().port}`);
    const wb = new WriteBehind(await openHeart({ host: nodeHost(), store, options, cache }));
    onTestFinished(async () => void (await wb.close()));
    const scrape = async () => {
      await wb.heart.refresh?.();
      return metricsText(sourcesOf(wb.heart, "1"));
    };
    store.fault = "down";
    await wb.set("a", "1");
    await wb.set("b", "2");
    const retried = async () => valueOf(await scrape(), "write_behind_retries_total", { class: "retryable" });
    await expect.poll(retried, eventually).toBeGreaterThan(0);
    const pending = await scrape();
    expect(valueOf(pending, "write_behind_pending_changes")).toBe(2);
    const both = ["0", "1", "2", "3"].map((partition) =>
      valueOf(pending, "write_behind_partition_pending_changes", { partition }),
    );
    expect(both.reduce((sum, each) => sum + each)).toBe(2);
    store.fault = "none";
    await wb.flush();
    const spread = new Map(Array.from({ length: 20 }, (_, n) => [`k${n}`, "v"]));
    await expect(wb.setMany(spread)).rejects.toMatchObject({ code: "CROSSSLOT" });
    await wb.set("h", "text");
    await expect(wb.hash("h").set({ a: "1" })).rejects.toMatchObject({ code: "WRONG_TYPE" });
    await wb.flush();
    await expect.poll(async () => valueOf(await scrape(), "write_behind_runs_total"), eventually).toBeGreaterThan(0);
    const text = await scrape();
    expect(valueOf(text, "write_behind_accepted_writes_total")).toBe(3);
    expect(valueOf(text, "write_behind_rejected_writes_total", { code: "CROSSSLOT" })).toBe(1);
    expect(valueOf(text, "write_behind_rejected_writes_total", { code: "WRONG_TYPE" })).toBe(1);
    expect(valueOf(text, "write_behind_commit_seconds")).toBe(valueOf(text, "write_behind_runs_total"));
    expect(valueOf(text, "write_behind_workers")).toBe(1);
  });
});

function report(id: string, batches: number, tally = true): WorkerReport {
  const commitCounts = [batches, ...Array.from({ length: 15 }, () => 0)];
  const retries = { retryable: 1, moved: 0, refused: 0, broken: 0, queue: 0, other: 0 };
  return {
    version: "1",
    pid: 1,
    host: "here",
    id,
    partitions: [],
    error: null,
    store: { kind: "memory", state: "up", since: 0, error: null, nextTryAt: null },
    totals: { batches, rows: 2 * batches, coalesced: 0, retries: 1 },
    ...(tally ? { tally: { commitCounts, commitSum: batches, retries } } : {}),
  };
}

test("what workers have done never goes back: not when one leaves, nor when it is heard of again", () => {
  const all = new WorkerTotals();
  for (const each of [report("one", 3), report("two", 5), null, report("one", 4), report("two", 5)]) all.saw(each);
  expect(all.totals).toEqual({ batches: 9, rows: 18, coalesced: 0, retries: 2 });
  expect(all.tally.commitSeconds.count).toBe(9);
  expect(all.tally.commitSeconds.sum).toBe(9);
  expect(all.tally.retries.retryable).toBe(2);
  all.saw(report("three", 1));
  all.saw(report("two", 6));
  expect(all.totals.batches).toBe(11);
});

test("a worker of a version that tells less is counted as far as it tells, and many are not kept for ever", () => {
  const all = new WorkerTotals();
  all.saw(report("old", 3, false));
  expect([all.totals.batches, all.tally.commitSeconds.count]).toEqual([3, 0]);
  for (let n = 0; n < 3000; n++) all.saw(report(String(n), 1));
  expect(all.totals.batches).toBe(3003);
});
