/** The moments that break other write-behind systems, by name, on the whole engine. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { memoryStore, sqlite } from "../src/index.js";
import { StoreError, type Batch, type Store } from "../src/store/store.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();

/** A store in memory whose commits can be held, failed, or lost, and are remembered. */
function watchedStore() {
  const inner = memoryStore();
  const commits: Batch[] = [];
  let gate: Promise<void> = Promise.resolve();
  let failures = 0;
  let reached: (() => void) | null = null;
  const store: Store = {
    kind: inner.kind,
    place: inner.place,
    limits: inner.limits,
    open: (claim) => inner.open(claim),
    read: (records) => inner.read(records),
    scan: (after, limit, nowMs) => inner.scan(after, limit, nowMs),
    close: () => inner.close(),
    async commit(batch) {
      if (batch.rows.size > 0) reached?.();
      await gate;
      if (batch.rows.size > 0 && failures > 0) {
        failures--;
        throw new StoreError("retryable", "the database is away");
      }
      await inner.commit(batch);
      if (batch.rows.size > 0) commits.push(batch);
    },
  };
  return {
    store,
    commits,
    value: (key: string) => inner.rows().get(key as Bytes)?.content ?? null,
    /** Commits wait until the returned function is called. */
    hold(): () => void {
      let release = (): void => {};
      gate = new Promise((resolve) => (release = resolve));
      return release;
    },
    fail(times: number): void {
      failures = times;
    },
    /** Resolves when a commit with rows has begun. */
    commitBegun: () => new Promise<void>((resolve) => (reached = resolve)),
  };
}

describe("order", () => {
  test("a write while its older version is being committed is not lost", async () => {
    const db = watchedStore();
    const wb = await start(db.store);
    const release = db.hold();
    const begun = db.commitBegun();
    await wb.set("k", "old");
    await begun;
    await wb.set("k", "new");
    expect(await wb.get("k")).toBe("new");
    release();
    await wb.flush();
    expect(db.value("k")).toBe("new");
    expect(db.commits.map((batch) => batch.rows.get("k" as Bytes))).toMatchObject([
      { content: "old" },
      { content: "new" },
    ]);
  });

  test("a failed batch, then a newer write: the older value never lands after the newer one", async () => {
    const db = watchedStore();
    const wb = await start(db.store, { retryMinMs: 1, retryMaxMs: 2 });
    db.fail(3);
    const retried = new Promise<void>((resolve) => wb.on("retry", () => resolve()));
    await wb.set("k", "old");
    await retried;
    await wb.set("k", "new");
    await wb.flush();
    expect(db.value("k")).toBe("new");
    const landed = db.commits.map((batch) => batch.rows.get("k" as Bytes));
    expect(landed.at(-1)).toMatchObject({ content: "new" });
    expect(wb.status()).toMatchObject({ store: { state: "up" }, queue: { pendingChanges: 0 } });
  });

  test("while the database is away the queue keeps everything, and reads see the newest", async () => {
    const db = watchedStore();
    const wb = await start(db.store, { retryMinMs: 1, retryMaxMs: 2 });
    db.fail(20);
    for (let n = 0; n < 50; n++) await wb.set(`k${n % 5}`, n);
    expect(await wb.getMany(["k0", "k4"])).toEqual(["45", "49"]);
    await wb.flush();
    expect(["k0", "k1", "k2", "k3", "k4"].map(db.value)).toEqual(["45", "46", "47", "48", "49"]);
  });
});

describe("what does not belong together", () => {
  async function written(): Promise<{ data: string; file: string }> {
    const data = folder();
    const file = join(data, "app.db");
    const wb = await start(sqlite({ file }), { data });
    await wb.set("a", 1);
    await wb.flush();
    await wb.close();
    return { data, file };
  }

  test("an older folder beside a newer database", async () => {
    const { data, file } = await written();
    const older = folder();
    cpSync(join(data, "journal"), join(older, "journal"), { recursive: true });
    const wb = await start(sqlite({ file }), { data });
    await wb.set("b", 2);
    await wb.flush();
    await wb.close();
    await expect(start(sqlite({ file }), { data: older })).rejects.toMatchObject({
      code: "QUEUE_MISMATCH",
      hint: expect.stringContaining("adopt"),
    });
  });

  test("a restored database is healed from what the queue has kept", async () => {
    const { data, file } = await written();
    const backup = join(folder(), "backup.db");
    cpSync(file, backup);
    const wb = await start(sqlite({ file }), { data });
    await wb.set("a", 2);
    await wb.set("b", 3);
    await wb.flush();
    await wb.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    cpSync(backup, file);
    const again = await start(sqlite({ file }), { data });
    await again.flush();
    await again.close();
    expect(rowsOf(file)).toEqual([
      { key: "a", value: "2" },
      { key: "b", value: "3" },
    ]);
  });

  test("a database restored from before what the queue has kept is named, not guessed at", async () => {
    const data = folder();
    const file = join(data, "app.db");
    const backup = join(folder(), "backup.db");
    const small = { data, segmentBytes: "64kb", retainBytes: 0, diskReserve: 0 };
    const wb = await start(sqlite({ file }), small);
    await wb.set("a", 1);
    await wb.flush();
    await wb.close();
    cpSync(file, backup);
    const later = await start(sqlite({ file }), small);
    for (let n = 0; n < 40; n++) await later.set(`big${n}`, "x".repeat(10_000));
    await later.flush();
    await later.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    cpSync(backup, file);
    await expect(start(sqlite({ file }), small)).rejects.toMatchObject({ code: "QUEUE_MISMATCH" });
  });
});

describe("time", () => {
  let offset = 0;
  const host = nodeHost();
  const clock: Host["clock"] = { ...host.clock, now: () => host.clock.now() + offset };

  test("the clock jumps back while nothing is written: what was seen ended stays so", async () => {
    const wb = await start(memoryStore(), {}, { ...host, clock });
    offset = 0;
    await wb.set("k", "v", { ttlMs: 60_000 });
    offset = 3_600_000;
    expect(await wb.get("k")).toBeNull();
    offset = 0;
    expect(await wb.get("k")).toBeNull();
    expect((await wb.inspect("k")).cache.value).toBeNull();
  });

  test("the clock jumps back: log time does not, and nothing that ended comes back", async () => {
    const db = watchedStore();
    offset = 0;
    const wb = await start(db.store, {}, { ...host, clock });
    await wb.set("k", "v", { ttlMs: 1000 });
    offset = 10_000;
    await wb.set("other", "moves log time on");
    expect(await wb.get("k")).toBeNull();
    offset = -3_600_000;
    expect(await wb.get("k")).toBeNull();
    await wb.set("k", "again", { ttlMs: 1000 });
    expect(await wb.get("k")).toBe("again");
    await wb.flush();
    expect(db.value("k")).toBe("again");
    expect(wb.status().queue.oldestAgeMs).toBe(0);
  });
});

describe("a hash that was read", () => {
  test("stays as it was read, whatever is written while its reader waits for the disk", async () => {
    const wb = await start(memoryStore());
    const hash = wb.hash("h");
    await hash.set({ f: "0", g: "0" });
    // From the second change on the cache works on fields of its own.
    await hash.set("f", "1");
    const written = hash.set("f", "2");
    const all = hash.getAll();
    let tries = 0;
    const seen: unknown[] = [];
    const inTransaction = wb.transaction(async (tx) => {
      const fields = tx.getHash("h");
      if (++tries === 1) void hash.set("g", "2");
      seen.push(await fields);
    });
    const inspected = wb.inspect("h");
    const later = hash.set({ f: "3", g: "3" });
    expect(await all).toEqual({ f: "2", g: "0" });
    expect((await inspected).cache.value).toMatchObject({
      fields: [
        ["f", "2"],
        ["g", "2"],
      ],
    });
    await inTransaction;
    expect(seen[0]).toEqual({ f: "2", g: "0" });
    await Promise.all([written, later]);
    expect(await hash.getAll()).toEqual({ f: "3", g: "3" });
  });
});

function rowsOf(file: string): unknown[] {
  const db = new DatabaseSync(file, { timeout: 10_000 });
  try {
    return db.prepare("SELECT key, value FROM write_behind_kv ORDER BY key").all();
  } finally {
    db.close();
  }
}
