/** Status: every name that others rely on, with a true value, also while the database is away. */
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sqlite, type Status } from "../src/index.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();
const eventually = { timeout: 15_000, interval: 5 };
const position = expect.stringMatching(/^[0-9a-f]{32}:2(:[0-9a-f]{8})?$/) as string;

test("with nothing pending, with changes that wait, and with a database that is away from the start on", async () => {
  const data = folder();
  mkdirSync(join(data, "db"));
  const file = join(data, "db", "app.db");
  const before = Date.now();
  const wb = await start(sqlite({ file }), { data });
  await wb.set("a", 1);
  await wb.set("a", 2);
  await wb.flush();
  await wb.get("absent");
  const calm: Status = {
    state: "running",
    reason: null,
    cache: {
      // The one that is known to be absent, too.
      records: 2,
      bytes: expect.any(Number) as number,
      bytesMax: 256 * 2 ** 20,
      hits: 0,
      misses: 1,
      evictions: 0,
    },
    queue: {
      pendingChanges: 0,
      pendingRecords: 0,
      pendingBytes: 0,
      bytesMax: 4 * 2 ** 30,
      recordsMax: 2_000_000,
      oldestAgeMs: 0,
      durability: "disk",
      accepted: position,
      durable: position,
      stored: position,
      exactUpTo: null,
    },
    writer: {
      batches: expect.any(Number) as number,
      rows: expect.any(Number) as number,
      coalesced: expect.any(Number) as number,
      lastCommitMs: expect.any(Number) as number,
      retries: 0,
    },
    store: { kind: "sqlite", state: "up", since: expect.any(Number) as number, error: null, nextTryAt: null },
    deadLetters: { count: 0, bytes: 0, waitingBehind: 0, behindBytes: 0, bytesMax: 256 * 2 ** 20 },
  };
  expect(wb.status()).toEqual(calm);
  const { writer, store } = wb.status();
  expect(writer.rows + writer.coalesced).toBe(2);
  expect(store.since).toBeGreaterThanOrEqual(before);
  expect(store.since).toBeLessThanOrEqual(Date.now());

  await wb.pause();
  await wb.set("b", 1);
  await wb.set("b", 2);
  await expect.poll(() => wb.status().queue.oldestAgeMs, eventually).toBeGreaterThan(0);
  expect(wb.status()).toMatchObject({
    state: "paused",
    reason: expect.stringContaining("resume") as string,
    queue: {
      pendingChanges: 2,
      pendingRecords: 1,
      pendingBytes: expect.any(Number) as number,
      stored: position,
      accepted: expect.stringMatching(/:4$/) as string,
      durable: expect.stringMatching(/:4$/) as string,
    },
  });
  expect(wb.status().queue.pendingBytes).toBeGreaterThan(0);
  await wb.close();

  renameSync(join(data, "db"), join(data, "away"));
  const away = await start(sqlite({ file }), { data });
  expect(away.status()).toMatchObject({
    state: "broken",
    reason: expect.stringContaining("its folder does not exist") as string,
    // How far the database is it alone can say: at the most, all that the queue has kept is pending.
    queue: { pendingChanges: 4, pendingRecords: 2, stored: null, accepted: expect.stringMatching(/:4$/) as string },
    store: { kind: "sqlite", state: "broken", error: expect.stringContaining("its folder") as string },
  });
  expect(Object.keys(away.status())).toEqual(Object.keys(calm));
  for (const part of ["cache", "queue", "writer", "store", "deadLetters"] as const)
    expect(Object.keys(away.status()[part])).toEqual(Object.keys(calm[part]));
});
