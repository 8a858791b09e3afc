/** The lines of the log: an outage from its beginning to its end, what is said once, and what is never said. */
import { pino } from "pino";
import { expect, test } from "vitest";
import { EventLog } from "../src/log/event-log.js";
import type { Logger } from "../src/log/logger.js";
import { Outages, type Sight } from "../src/log/outages.js";
import { WriteBehindError } from "../src/errors.js";
import { Emitter } from "../src/events.js";
import { memoryStore, sqlite, writeBehind } from "../src/index.js";
import { WriteBehind } from "../src/library/library.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { visitAddressing } from "../src/redis/front/fleet-addressing.js";
import { FleetHeart } from "../src/redis/front/fleet-heart.js";
import { StoreError, type Store } from "../src/store/store.js";
import { openHeart } from "../src/write-behind.js";
import { Dice } from "../simulator/host/random.js";
import { Machine } from "../simulator/machine.js";
import { MemoryKeeperState } from "../simulator/redis/keeper-state.js";
import { MemoryKeeper } from "../simulator/redis/memory-keeper.js";
import { Trace } from "../simulator/trace.js";
import { engineKit } from "./engine-kit.js";
import { fleetId } from "./fleet-kit.js";

const kit = engineKit();

/** A logger that keeps its lines. */
function heard(): { readonly logger: Logger; readonly lines: string[]; readonly fields: Record<string, unknown>[] } {
  const lines: string[] = [];
  const fields: Record<string, unknown>[] = [];
  const at =
    (level: string) =>
    (given: object, text: string): void => {
      lines.push(`${level} ${text}`);
      fields.push({ ...given });
    };
  return { logger: { info: at("info"), warn: at("warn"), error: at("error") }, lines, fields };
}

/** A store that fails as it is told to. */
function failingStore() {
  const inner = memoryStore();
  let failure: Error | null = null;
  const through = async <T>(verb: () => Promise<T>): Promise<T> => {
    if (failure !== null) throw failure;
    return verb();
  };
  const store: Store = {
    kind: inner.kind,
    place: inner.place,
    limits: inner.limits,
    open: (claim) => through(() => inner.open(claim)),
    commit: (batch) => through(() => inner.commit(batch)),
    read: (...args) => inner.read(...args),
    scan: (...args) => inner.scan(...args),
    close: () => inner.close(),
  };
  return { store, fail: (error: Error | null) => (failure = error) };
}

/** An engine with a log, in simulated time. */
function world(store: Store, durability: "disk" | "memory" = "disk") {
  const machine = new Machine(new Dice(1), new Trace(false));
  const { host } = machine.start();
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const watched = work.finally(() => (over = true));
    watched.catch(() => {});
    await machine.loop.run(() => over);
    return watched;
  };
  const options = resolveEngineOptions({ data: "data", delayMs: 10, durability, queueBytes: 64 * 2 ** 20 });
  const said = heard();
  /** Begins to open it: time must be let go by. */
  const begin = async (): Promise<WriteBehind> => {
    const events = new Emitter();
    const log = new EventLog({ events, logger: said.logger, clock: host.clock, options });
    const heart = await openHeart({ host, store, options, events });
    log.opened(heart);
    return new WriteBehind(heart, log);
  };
  const open = (): Promise<WriteBehind> => during(begin());
  const pass = async (ms: number): Promise<void> => {
    const end = machine.loop.nowMs + ms;
    machine.loop.after(ms, "enough", null, () => {});
    await machine.loop.run(() => machine.loop.nowMs >= end);
  };
  return { ...said, during, begin, open, pass };
}

test("an outage: a line when it begins, one a minute, one when it ends with what it cost; none per write or try", async () => {
  const db = failingStore();
  const { lines, fields, during, open, pass } = world(db.store);
  const wb = await open();
  await during(wb.set("before", "v"));
  await during(wb.flush());
  expect(lines).toEqual([]);
  db.fail(new StoreError("retryable", "it is away"));
  for (let i = 0; i < 50; i++) await during(wb.set(`secret-key-${i}`, "secret-value"));
  await pass(1000);
  expect(lines).toEqual([
    expect.stringMatching(/^warn the database is down: .*it is away; writes are kept in the queue in data$/),
  ]);
  await pass(3 * 60_000 + 10_000);
  expect(lines).toHaveLength(4);
  for (const line of lines.slice(1))
    expect(
      line
        .replace(/ in \S+ m?s;/, ";")
        .replace(/\(\S+ KB/, "(")
        .replaceAll(/[123] min( \d+ s)?/g, "…"),
    ).toBe(
      [
        "warn the database has been down for …: writing to memory failed: it is away; next try",
        "50 changes of 50 records pending (, under 0.1 % of queueBytes), the oldest for …",
        "writes are kept in the queue in data",
      ].join("; "),
    );
  const { retries } = wb.status().writer;
  db.fail(null);
  await during(wb.flush());
  expect(lines).toHaveLength(5);
  expect(lines[4]).toMatch(
    /^info the database is up again after 3 min[ \ds]* and \d+ failed tries; 50 changes waited at the most/,
  );
  expect(lines[4]).toMatch(/; (all is written|50 changes still to be written)$/);
  expect(fields[4]).toMatchObject({ event: "storeUp", tries: retries, pendingChangesMax: 50 });
  await pass(10 * 60_000);
  expect(lines).toHaveLength(5);
  await during(wb.close());
  expect(lines.slice(5)).toEqual(["info stopped; everything is in the database"]);
  expect(JSON.stringify([lines, fields])).not.toContain("secret");
});

test("a database that must be mended is said once, however often it is looked at, and so is that it is down instead", async () => {
  const db = failingStore();
  const { lines, during, open, pass } = world(db.store, "memory");
  const wb = await open();
  db.fail(new StoreError("broken", "no such table"));
  await during(wb.set("k", "v"));
  await pass(50_000);
  expect(lines).toEqual([
    expect.stringMatching(/^error the database must be mended: .*no such table.*; nothing is written to it until then/),
  ]);
  expect(lines[0]).toContain("; writes are kept in memory only (durability memory)");
  await pass(60_000);
  expect(lines[1]).toMatch(/^warn the database has been unusable for 1 min[ \ds]*: .*no such table/);
  db.fail(new StoreError("retryable", "it is away"));
  await pass(31_000);
  const begun = lines.filter((line) => !line.includes("has been"));
  expect(begun.slice(1)).toEqual([expect.stringMatching(/^warn the database is down: .*it is away/)]);
  db.fail(null);
  await during(wb.flush());
  expect(lines.at(-1)).toMatch(/^info the database is up again after 2 min[ \ds]* and /);
});

test("a first start that waits for the database says so once", async () => {
  const db = failingStore();
  const { lines, during, begin, pass } = world(db.store);
  db.fail(new StoreError("retryable", "it is away"));
  const opening = begin();
  await pass(30_000);
  expect(lines).toEqual([expect.stringMatching(/^warn the database is down: .*it is away; the start waits for it$/)]);
  db.fail(null);
  await during(opening);
  await pass(6000);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^info the database is up again/);
});

test("what waited at the most is known although the first commit came before the word that it is up", () => {
  const said = heard();
  let sight: Sight = { store: { state: "down", error: "away", nextTryAt: null }, queue: null, retries: 3 };
  const queue = { pendingRecords: 1, pendingBytes: 1, bytesMax: 10, recordsMax: 10, oldestAgeMs: 1 };
  const clock = { now: () => 0, monotonic: () => 0, after: () => ({ cancel: () => {} }), soon: () => {} };
  const outages = new Outages({ logger: said.logger, clock, look: () => sight, kept: () => "kept" });
  outages.look();
  sight = { ...sight, queue: { ...queue, pendingChanges: 40 } };
  outages.stored(60);
  sight = { ...sight, store: { state: "up", error: null, nextTryAt: null } };
  outages.look();
  outages.look();
  expect(said.lines).toEqual([
    "warn the database is down: away; kept",
    "info the database is up again after 0 ms and 3 failed tries; 100 changes waited at the most; 40 changes still to be written",
  ]);
});

test("the library takes a logger, or none, and refuses what is none; a logger that throws hurts nobody", async () => {
  const data = kit.folder();
  const store = sqlite({ file: `${data}/a.db` });
  const { logger, lines } = heard();
  const wb = await writeBehind({ data, store, logger });
  await wb.pause();
  await wb.set("k", "v");
  expect((await wb.close()).drained).toBe(false);
  expect(lines).toEqual([expect.stringMatching(/^info stopped; 1 change is in the journal in /)]);
  const throws = (): never => {
    throw new Error("full disk");
  };
  const again = await writeBehind({ data, store, logger: { info: throws, warn: throws, error: throws } });
  await again.resume();
  await again.flush();
  await again.close();
  // @ts-expect-error: no logger
  await expect(writeBehind({ data, store, logger: { info: throws } })).rejects.toMatchObject({
    code: "CONFIG",
    message: "`logger` has no function `warn`",
  });
});

test("a Redis that cannot be reached: said once, why is in the status, and that it goes on", async () => {
  const machine = new Machine(new Dice(1), new Trace(false));
  const { host } = machine.start();
  const { clock } = host;
  const state = new MemoryKeeperState(clock);
  let away: WriteBehindError | null = null;
  const before = (): void => {
    if (away !== null) throw away;
  };
  const keeper = new MemoryKeeper(state, { hooks: { before }, place: "redis://h" });
  const options = resolveEngineOptions({});
  const events = new Emitter();
  const { logger, lines } = heard();
  const log = new EventLog({ events, logger, clock, options });
  const fleet = { id: fleetId, partitions: 2 };
  await keeper.fleet(fleet);
  const heart = await FleetHeart.open({
    host,
    keeper,
    fleet,
    options,
    events,
    keeps: "",
    roomBytes: 1e6,
    storeKind: "memory",
    limits: null,
    reader: memoryStore(),
    addressing: await visitAddressing(keeper, options),
    worker: null,
    end: () => Promise.resolve(),
  });
  log.opened(heart);
  lines.length = 0;
  expect(heart.status().fleet?.failure).toBeNull();
  away = new WriteBehindError("CACHE_DOWN", "the Redis at redis://h cannot be reached");
  for (let look = 0; look < 5; look++) await heart.refresh();
  expect(heart.status().fleet?.failure).toBe("the Redis at redis://h cannot be reached");
  away = null;
  for (let look = 0; look < 5; look++) await heart.refresh();
  expect(heart.status().fleet?.failure).toBeNull();
  expect(lines).toEqual([
    "error the fleet stands still: the Redis at redis://h cannot be reached",
    "warn it goes on; it stood still because: the Redis at redis://h cannot be reached",
  ]);
});

test("a logger of pino fits as it is, and so does console", () => {
  const written: string[] = [];
  const loggers: Logger[] = [pino({}, { write: (line: string) => void written.push(line) }), console];
  loggers[0]?.warn({ event: "full" }, "the queue is full");
  expect(JSON.parse(written[0] as string)).toMatchObject({ level: 40, event: "full", msg: "the queue is full" });
  expect(loggers).toHaveLength(2);
});
