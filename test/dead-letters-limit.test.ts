/** Promise 8 beside promise 7: what waits behind dead letters is bounded, and nobody but its writers hears of it. */
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, test } from "vitest";
import type { WriteBehind } from "../src/index.js";
import { nodeHost } from "../src/host/node-host.js";
import { createStore } from "../src/store/sqlite/index.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();
const mb = 1024 * 1024;
const patient = { ...nodeHost(), random: { ...nodeHost().random, number: () => 0.999_999 } };
const options = { retryMinMs: 3_600_000, retryMaxMs: 3_600_000, cacheBytes: mb };

/** An engine whose database refuses fields that say `bad`, where hash `h` has a letter and a megabyte behind it. */
async function full(): Promise<{ wb: WriteBehind; data: string; file: string }> {
  const data = folder();
  const file = join(data, "app.db");
  const wb = await start(createStore({ file }), { data, ...options }, patient);
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.exec(`CREATE TRIGGER no_bad BEFORE INSERT ON write_behind_field WHEN NEW.value = 'bad'
    BEGIN SELECT RAISE(ABORT, 'bad is not allowed'); END;`);
  database.close();
  await wb.hash("h").set("a", "bad");
  const part = "x".repeat(100_000);
  for (let n = 0; wb.status().deadLetters.behindBytes < mb; n++) {
    // So much is enough, whatever is estimated beside the bytes themselves.
    expect(n).toBeLessThan(12);
    await wb.hash("h").set(`part${n}`, part);
    await wb.flush();
  }
  return { wb, data, file };
}

const queueFull = {
  code: "QUEUE_FULL",
  message: expect.stringMatching(/"h" would wait behind dead letter 1, .* may take 1048576/) as string,
  hint: expect.stringContaining("write-behind dead list") as string,
};

describe("behind dead letters", () => {
  test("there is room for as much as the cache; then only changes of parked records are refused", async () => {
    const { wb } = await full();
    expect(wb.status()).toMatchObject({
      state: "running",
      deadLetters: { count: 1, bytes: expect.any(Number) as number, bytesMax: mb },
    });
    await expect(wb.hash("h").set("b", "1")).rejects.toMatchObject(queueFull);
    await expect(wb.set("h", "whole")).rejects.toMatchObject(queueFull);
    await expect(
      wb.transaction(async (tx) => {
        tx.set("other", "1");
        tx.set("h", "1");
      }),
    ).rejects.toMatchObject(queueFull);
    expect(await wb.hash("h").get("b")).toBeNull();
    expect(await wb.get("other")).toBeNull();
    await (await wb.set("other", "2")).stored();
  });

  test("the same after a restart, until what is parked was given up", async () => {
    const { wb, data, file } = await full();
    const { deadLetters } = wb.status();
    await wb.close();
    const again = await start(createStore({ file }), { data, ...options }, patient);
    expect(again.status().deadLetters).toEqual(deadLetters);
    await expect(again.hash("h").set("b", "1")).rejects.toMatchObject(queueFull);
    await again.discardDeadLetters("all");
    expect(again.status().deadLetters).toEqual({ count: 0, bytes: 0, waitingBehind: 0, behindBytes: 0, bytesMax: mb });
    await (await again.hash("h").set("b", "1")).stored();
  });

  test("a record may always be removed, which heals it and makes room", async () => {
    const { wb } = await full();
    const ended = new Promise((resolve) => wb.on("deadLetterEnded", resolve));
    await wb.delete("h");
    expect(await ended).toMatchObject({ how: "superseded" });
    await (await wb.set("h", "1")).stored();
    expect(wb.status().deadLetters.behindBytes).toBe(0);
  });
});
