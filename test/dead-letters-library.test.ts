/** Promise 7 on the whole engine, with a real SQLite whose owner refuses rows: what readers and writers of it see. */
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { statusText } from "../src/cli/status.js";
import type { Events } from "../src/events.js";
import type { Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { sqlite, StoreError, type Receipt, type Store, type WriteBehind } from "../src/index.js";
import { createStore } from "../src/store/sqlite/index.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();

/** Times are rolled as long as they can be: nothing is tried again before a test asks for it. */
const patient: Host = { ...nodeHost(), random: { ...nodeHost().random, number: () => 0.999_999 } };
const slow = { retryMinMs: 3_600_000, retryMaxMs: 3_600_000 };

const refusing = `
  CREATE TRIGGER no_bad_insert BEFORE INSERT ON write_behind_kv WHEN NEW.value = 'bad'
  BEGIN SELECT RAISE(ABORT, 'bad is not allowed'); END;
  CREATE TRIGGER no_bad_update BEFORE UPDATE ON write_behind_kv WHEN NEW.value = 'bad'
  BEGIN SELECT RAISE(ABORT, 'bad is not allowed'); END;
  CREATE TRIGGER no_bad_field BEFORE INSERT ON write_behind_field WHEN NEW.value = 'bad'
  BEGIN SELECT RAISE(ABORT, 'bad is not allowed'); END;
  CREATE TRIGGER no_delete BEFORE DELETE ON write_behind_kv WHEN OLD.key = 'kept'
  BEGIN SELECT RAISE(ABORT, 'it is needed'); END;`;
const mending = "DROP TRIGGER no_bad_insert; DROP TRIGGER no_bad_update; DROP TRIGGER no_bad_field;";

/** A database whose owner refuses the value `bad`, and what is in it. */
class Database {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  run(sql: string): void {
    const connection = new DatabaseSync(this.file, { timeout: 10_000 });
    connection.exec(sql);
    connection.close();
  }

  /** The value of a string record, or the fields of a hash as one text; null where there is no row. */
  value(key: string): unknown {
    const connection = new DatabaseSync(this.file, { timeout: 10_000 });
    const row = connection.prepare("SELECT value FROM write_behind_kv WHERE key = ?").get(key) as
      | { value: unknown }
      | undefined;
    const fields = connection
      .prepare("SELECT field, value FROM write_behind_field WHERE key = ? ORDER BY field")
      .all(key);
    connection.close();
    if (fields.length > 0) return Object.fromEntries(fields.map(({ field, value }) => [field, value]));
    return row?.value ?? null;
  }
}

interface Lab {
  readonly wb: WriteBehind;
  readonly db: Database;
  readonly data: string;
}

/** An engine on the caller's thread, over a database that refuses `bad`. */
async function lab(options: Record<string, unknown> = {}): Promise<Lab> {
  const data = folder();
  const db = new Database(join(data, "app.db"));
  const wb = await start(createStore({ file: db.file }), { data, ...slow, ...options }, patient);
  db.run(refusing);
  return { wb, db, data };
}

function once<Name extends keyof Events>(wb: WriteBehind, name: Name): Promise<Events[Name]> {
  return new Promise((resolve) => {
    const off = wb.on(name, (event) => {
      off();
      resolve(event);
    });
  });
}

/** Waits until a write was refused, and gives the id of its dead letter. */
async function letterOf(receipt: Receipt): Promise<string> {
  await expect(receipt.stored()).rejects.toMatchObject({ code: "REFUSED" });
  return String(receipt.sequence);
}

/** What a restored backup does, while the database is open. */
function restoreOwnTables(db: Database, backup: string): void {
  const tables = ["kv", "field", "position", "dead_letters"].map((name) => `write_behind_${name}`);
  const copies = tables.map((name) => `DELETE FROM ${name}; INSERT INTO ${name} SELECT * FROM backup.${name};`);
  db.run(`DROP TRIGGER no_delete; ATTACH '${backup}' AS backup; BEGIN IMMEDIATE; ${copies.join("")} COMMIT;`);
}

/** A store's verbs, to be replaced one by one. */
function bound(store: Store): Store {
  return {
    kind: store.kind,
    place: store.place,
    limits: store.limits,
    open: (claim) => store.open(claim),
    commit: (batch) => store.commit(batch),
    read: (records, reached) => store.read(records, reached),
    scan: (...args) => store.scan(...args),
    close: () => store.close(),
  };
}

const text = expect.any(String) as string;

describe("a change that the database refuses", () => {
  test("a backup from before a discard: the next cold read finds it, and shows what is parked again", async () => {
    const { wb, db, data } = await lab();
    await wb.set("k", "old");
    const id = await letterOf(await wb.set("k", "bad"));
    const backup = join(data, "backup.db");
    db.run(`VACUUM INTO '${backup}'`);
    await wb.discardDeadLetters([id]);
    restoreOwnTables(db, backup);
    expect(await wb.get("k")).toBe("bad");
    expect(wb.status().deadLetters.count).toBe(1);
  });

  test("the same where the writer has opened the database anew, and has not told yet what is parked", async () => {
    const data = folder();
    const db = new Database(join(data, "app.db"));
    const store = createStore({ file: db.file });
    let opens = 0;
    let readAgain = (): void => {};
    const slowToTell: Store = {
      ...bound(store),
      read: async (records, reached) => {
        const rows = await store.read(records, reached);
        readAgain();
        return rows;
      },
      open: async (claim) => {
        const opened = await store.open(claim);
        opens += 1;
        // A read that does not wait for the writer would be done now.
        if (opens > 1) {
          const patience = new Promise<void>((resolve) => setTimeout(resolve, 300));
          await Promise.race([patience, new Promise<void>((resolve) => (readAgain = resolve))]);
        }
        return opened;
      },
    };
    const wb = await start(slowToTell, { data, ...slow }, patient);
    db.run(refusing);
    await wb.set("k", "old");
    const id = await letterOf(await wb.set("k", "bad"));
    const backup = join(data, "backup.db");
    db.run(`VACUUM INTO '${backup}'`);
    await wb.discardDeadLetters([id]);
    restoreOwnTables(db, backup);
    expect(await wb.get("k")).toBe("bad");
    expect(opens).toBe(2);
  });

  test("up to where the database is a past moment is shown: before the oldest letter, also after a restart", async () => {
    const { wb, db, data } = await lab();
    await wb.set("a", "1");
    await wb.flush();
    const exact = (one: WriteBehind): string | null => one.status().queue.exactUpTo;
    expect(exact(wb)).toBeNull();
    const first = await letterOf(await wb.set("k", "bad"));
    await wb.set("b", "2");
    await letterOf(await wb.set("l", "bad"));
    await letterOf(await wb.set("k", "bad"));
    await wb.set("c", "3");
    await wb.flush();
    const [logId] = wb.status().queue.accepted.split(":");
    expect(exact(wb)).toBe(`${logId}:${Number(first) - 1}`);
    expect(statusText(wb.status())).toContain(`up to ${logId}:1; of what came later`);
    await wb.close();
    const next = await start(createStore({ file: db.file }), { data, ...slow }, patient);
    expect(exact(next)).toBe(`${logId}:1`);
    await next.discardDeadLetters([first], { behind: true });
    expect(exact(next)).toBe(`${logId}:3`);
    db.run(mending);
    await next.retryDeadLetters("all");
    expect(exact(next)).toBeNull();
    expect(statusText(next.status())).not.toContain("exact");
  });

  test("blocks nothing but itself, is read as it was written, and is named to whoever asks", async () => {
    const { wb, db } = await lab();
    await wb.set("k", "old");
    await wb.flush();
    const told = once(wb, "deadLetter");
    await wb.pause();
    const before = await wb.set("a", "1");
    const refused = await wb.set("k", "bad");
    const after = await wb.set("b", "2");
    await wb.resume();
    await Promise.all([before.stored(), after.stored()]);
    const id = String(refused.sequence);
    await expect(refused.stored()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(new RegExp(`dead letter ${id} .*bad is not allowed`)) as string,
      hint: expect.stringContaining(`dead show ${id}`) as string,
    });
    expect(await told).toEqual({
      id,
      position: text,
      records: ["k"],
      reason: expect.stringContaining("bad is not allowed") as string,
    });
    expect([db.value("a"), db.value("k"), db.value("b")]).toEqual(["1", "old", "2"]);
    expect(await wb.getMany(["a", "k", "b"])).toEqual(["1", "bad", "2"]);
    expect(wb.status()).toMatchObject({
      state: "running",
      queue: { pendingChanges: 0 },
      store: { state: "up" },
      deadLetters: { count: 1, waitingBehind: 0 },
    });
    // Asked once more, and by a flush that began later.
    await expect(refused.stored()).rejects.toMatchObject({ code: "REFUSED" });
    expect((await wb.flush()).parked).toEqual([]);
    const { items, next } = await wb.deadLetters();
    expect(next).toBeNull();
    expect(items).toEqual([
      {
        id,
        group: id,
        position: text,
        changes: [{ key: "k", kind: "replace", value: { type: "string", value: "bad", expiresAt: null }, unset: [] }],
        reason: expect.stringContaining("bad is not allowed") as string,
        refusedAt: expect.any(Number) as number,
        tries: 1,
        behind: [],
        waitingBehind: 0,
      },
    ]);
    expect(await wb.inspect("k")).toMatchObject({
      cache: { state: "present", value: { value: "bad" } },
      queue: [],
      database: { value: { value: "old" }, error: null },
      deadLetters: [id],
    });
    expect((await wb.inspect("a")).deadLetters).toEqual([]);
  });

  test("a flush says which dead letters keep its changes, and only those", async () => {
    const { wb } = await lab();
    await wb.pause();
    const [first, second] = [await wb.set("a", "bad"), await wb.set("b", "bad")];
    await wb.set("c", "1");
    await wb.resume();
    const ids = [first, second].map(({ sequence }) => String(sequence));
    expect((await wb.flush()).parked).toEqual(ids);
    await wb.pause();
    await wb.set("a", "bad");
    await wb.set("c", "2");
    await wb.resume();
    // It was not tried: it waits behind the first one.
    expect((await wb.flush()).parked).toEqual([ids[0]]);
    await wb.pause();
    await wb.hash("h").set("f", "bad");
    await wb.set("c", "3");
    const kept = wb.resume();
    const [h, c] = await Promise.all([
      kept.then(() => wb.flush({ keys: ["h"] })),
      kept.then(() => wb.flush({ keys: ["c"] })),
    ]);
    expect(h.parked).toHaveLength(1);
    expect(c.parked).toEqual([]);
  });

  test("reads see it after it was evicted, and after a restart, with the row below it", async () => {
    const { wb, db, data } = await lab({ cacheBytes: 1024 * 1024 });
    await wb.hash("h").set({ a: "1", b: "1" });
    await wb.set("kept", "old");
    await wb.flush();
    await letterOf(await wb.hash("h").set("b", "bad"));
    await letterOf(await wb.delete("kept"));
    const large = "x".repeat(100_000);
    // Each of them in demand, so that the record of the test gives way.
    for (let n = 0; n < 60; n++) {
      await wb.set(`large${n}`, large);
      for (let use = 0; use < 3; use++) await wb.get(`large${n}`);
    }
    await wb.flush();
    expect((await wb.inspect("h")).cache.state).toBe("unknown");
    expect(await wb.hash("h").getAll()).toEqual({ a: "1", b: "bad" });
    expect(await wb.get("kept")).toBeNull();
    expect([db.value("h"), db.value("kept")]).toEqual([{ a: "1", b: "1" }, "old"]);
    expect(await wb.close()).toMatchObject({ drained: true, leftIn: null, deadLetters: 2 });

    const again = await start(sqlite({ file: db.file }), { data, ...slow });
    expect(await again.hash("h").getAll()).toEqual({ a: "1", b: "bad" });
    expect(await again.get("kept")).toBeNull();
    expect(again.status().deadLetters).toMatchObject({ count: 2, waitingBehind: 0 });
    // What follows waits behind it, and is read, too.
    const behind = await again.hash("h").set("c", "3");
    await expect(behind.stored()).rejects.toMatchObject({ code: "REFUSED" });
    expect(await again.hash("h").getAll()).toEqual({ a: "1", b: "bad", c: "3" });
    expect(db.value("h")).toEqual({ a: "1", b: "1" });
    expect(again.status().deadLetters).toMatchObject({ count: 2, waitingBehind: 1 });
  });

  test("a transaction is parked whole", async () => {
    const { wb, db } = await lab();
    const receipt = await wb.setMany([
      ["a", "1"],
      ["b", "bad"],
    ]);
    await expect(receipt.stored()).rejects.toMatchObject({ code: "REFUSED" });
    expect(await wb.getMany(["a", "b"])).toEqual(["1", "bad"]);
    expect([db.value("a"), db.value("b")]).toEqual([null, null]);
    expect((await wb.inspect("a")).deadLetters).toEqual([String(receipt.sequence)]);
  });
});

describe("retry", () => {
  test("after the database was mended everything is stored, in order, and the receipts say so", async () => {
    const { wb, db } = await lab();
    const refused = await wb.hash("h").set("a", "bad");
    const behind = await wb.hash("h").set("b", "2");
    const id = String(refused.sequence);
    await expect(behind.stored()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(new RegExp(`waits behind dead letter ${id}, .*: .*bad is not allowed`)) as string,
    });
    expect(await wb.retryDeadLetters([id])).toEqual({
      items: [{ id, became: "refused", reason: expect.stringContaining("not allowed") as string, hint: text }],
      next: null,
    });
    const [letter] = (await wb.deadLetters()).items;
    expect(letter).toMatchObject({ id, waitingBehind: 1, behind: [{ key: "h", kind: "merge", frames: 1 }] });
    expect(letter?.tries).toBeGreaterThan(1);
    db.run(mending);
    const ended = once(wb, "deadLetterEnded");
    expect(await wb.retryDeadLetters("all")).toEqual({
      items: [{ id, became: "stored", reason: null, hint: null }],
      next: null,
    });
    expect(await ended).toEqual({ ids: [id], how: "retried" });
    expect(db.value("h")).toEqual({ a: "bad", b: "2" });
    expect(await wb.hash("h").getAll()).toEqual({ a: "bad", b: "2" });
    await Promise.all([refused.stored(), behind.stored()]);
    expect(wb.status().deadLetters).toMatchObject({ count: 0, waitingBehind: 0 });
    expect(await wb.retryDeadLetters("all")).toEqual({ items: [], next: null });
  });

  test("of one of two leaves what waits behind the other, also where one run has parked both", async () => {
    const { wb, db } = await lab();
    const letters = [
      await letterOf(await wb.hash("g").set("a", "bad")),
      await letterOf(await wb.hash("h").set("a", "bad")),
    ];
    await wb.pause();
    const behind = [await wb.hash("g").set("b", "2"), await wb.hash("h").set("b", "2")] as const;
    await wb.resume();
    await Promise.allSettled(behind.map((receipt) => receipt.stored()));
    await wb.pause();
    db.run(mending);
    await wb.retryDeadLetters(letters.slice(0, 1));
    await behind[0].stored();
    await expect(behind[1].stored()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining(`dead letter ${letters[1]}`) as string,
    });
    expect([db.value("g"), db.value("h")]).toEqual([{ a: "bad", b: "2" }, null]);
  });

  test("a later write of the whole record heals it without a person", async () => {
    const { wb, db } = await lab();
    const refused = await wb.set("k", "bad");
    await expect(refused.stored()).rejects.toMatchObject({ code: "REFUSED" });
    const ended = once(wb, "deadLetterEnded");
    const good = await wb.set("k", "good");
    expect(await ended).toEqual({ ids: [String(refused.sequence)], how: "superseded" });
    await good.stored();
    expect(db.value("k")).toBe("good");
    expect(await wb.get("k")).toBe("good");
    expect(wb.status().deadLetters.count).toBe(0);
  });

  test("what was mended heals by itself, also on the writer's own thread", async () => {
    const data = folder();
    const db = new Database(join(data, "app.db"));
    const wb = await start(sqlite({ file: db.file }), { data, retryMinMs: 1, retryMaxMs: 1 });
    db.run(refusing);
    const refused = await wb.set("k", "bad");
    await expect(refused.stored()).rejects.toMatchObject({ code: "REFUSED" });
    const ended = once(wb, "deadLetterEnded");
    db.run(mending);
    expect(await ended).toMatchObject({ how: "retried" });
    expect(db.value("k")).toBe("bad");
    await refused.stored();
  });
});

describe("discard", () => {
  test("shows the database's row again, and writes what waited behind", async () => {
    const { wb, db } = await lab();
    await wb.hash("h").set({ a: "1", b: "1" });
    await wb.flush();
    const refused = await wb.hash("h").set("a", "bad");
    const id = await letterOf(refused);
    const behind = await wb.hash("h").set("b", "2");
    await expect(behind.stored()).rejects.toMatchObject({ code: "REFUSED" });
    expect(await wb.discardDeadLetters([id])).toEqual({
      items: [{ id, became: "discarded", reason: null, hint: null }],
      next: null,
    });
    expect(await wb.hash("h").getAll()).toEqual({ a: "1", b: "2" });
    expect(db.value("h")).toEqual({ a: "1", b: "2" });
    expect((await wb.inspect("h")).deadLetters).toEqual([]);
    await expect(refused.stored()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("discarded") as string,
    });
    await behind.stored();
  });

  test("with what waits behind, where that is refused as well", async () => {
    const { wb, db } = await lab();
    await wb.set("k", "old");
    await wb.flush();
    const refused = await wb.hash("h").set("a", "bad");
    const behind = await wb.hash("h").set("b", "bad");
    await wb.flush();
    const id = String(refused.sequence);
    expect((await wb.discardDeadLetters([id])).items).toEqual([
      { id, became: "refused", reason: text, hint: expect.stringContaining("behind") as string },
    ]);
    expect(await wb.hash("h").getAll()).toEqual({ a: "bad", b: "bad" });
    expect((await wb.discardDeadLetters("all", { behind: true })).items).toMatchObject([{ id, became: "discarded" }]);
    expect(await wb.hash("h").getAll()).toBeNull();
    expect(db.value("h")).toBeNull();
    await expect(behind.stored()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("discarded with it") as string,
    });
  });

  test("a transaction that has read what is given up runs again", async () => {
    const { wb } = await lab();
    await wb.set("k", "old");
    await wb.flush();
    const { sequence } = await wb.set("k", "bad");
    await wb.flush();
    const seen: (string | null)[] = [];
    await wb.transaction(async (tx) => {
      seen.push(await tx.get("k"));
      if (seen.length === 1) await wb.discardDeadLetters([String(sequence)]);
      tx.set("copy", seen.at(-1) as string);
    });
    expect(seen).toEqual(["bad", "old"]);
    expect(await wb.get("copy")).toBe("old");
  });

  test("an id that is none is an error, and nothing is done", async () => {
    const { wb } = await lab();
    const { sequence } = await wb.set("k", "bad");
    await wb.flush();
    const ids = [String(sequence), "99"];
    const error = { code: "BAD_VALUE", message: expect.stringContaining("99") as string };
    await expect(wb.discardDeadLetters(ids)).rejects.toMatchObject(error);
    await expect(wb.retryDeadLetters(ids)).rejects.toMatchObject(error);
    await expect(wb.deadLetters({ after: "x" })).rejects.toMatchObject({ code: "BAD_VALUE" });
    expect(wb.status().deadLetters.count).toBe(1);
    await wb.close();
    await expect(wb.deadLetters()).rejects.toMatchObject({ code: "CLOSED" });
    await expect(wb.retryDeadLetters("all")).rejects.toMatchObject({ code: "CLOSED" });
  });
});

test("lists come in pages", async () => {
  const { wb } = await lab();
  for (const key of ["a", "b", "c"]) await wb.set(key, "bad");
  await wb.flush();
  const first = await wb.deadLetters({ limit: 2 });
  expect(first.items.map(({ changes }) => changes[0]?.key)).toEqual(["a", "b"]);
  const second = await wb.deadLetters({ limit: 2, after: first.next });
  expect(second).toMatchObject({ items: [{ changes: [{ key: "c" }] }], next: null });
});

test("whatever is parked goes with everything else when everything is cleared", async () => {
  const { wb } = await lab();
  const refused = await wb.set("k", "bad");
  await expect(refused.stored()).rejects.toMatchObject({ code: "REFUSED" });
  await wb.write((workspace) => workspace.clear());
  await wb.flush();
  expect(wb.status().deadLetters.count).toBe(0);
  expect(await wb.get("k")).toBeNull();
});

test("what was discarded does not come back from the log where the database is away at the start", async () => {
  const { wb, db, data } = await lab();
  await wb.set("k", "old");
  await wb.set("other", "1");
  await wb.flush();
  const { sequence } = await wb.set("k", "bad");
  await wb.flush();
  await wb.discardDeadLetters([String(sequence)]);
  await wb.close();

  const inner = createStore({ file: db.file });
  let away = true;
  const store: Store = {
    kind: inner.kind,
    place: inner.place,
    limits: inner.limits,
    open: (claim) => (away ? Promise.reject(new StoreError("retryable", "it is away")) : inner.open(claim)),
    commit: (batch) => inner.commit(batch),
    read: (records: readonly Bytes[]) => inner.read(records),
    scan: (after, limit, nowMs) => inner.scan(after, limit, nowMs),
    close: () => inner.close(),
  };
  const again = await start(store, { data, retryMinMs: 1, retryMaxMs: 1 });
  expect(again.status().store.state).toBe("down");
  expect(await again.get("other")).toBe("1");
  const up = once(again, "storeUp");
  away = false;
  await up;
  expect(await again.get("k")).toBe("old");
});
