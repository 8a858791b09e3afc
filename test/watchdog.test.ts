/** A writer that stands still without a word: what counts as that, and who is told. In simulated time. */
import { describe, expect, test } from "vitest";
import type { ThreadMain } from "../src/host/host.js";
import { standsStill, stillMs, Watchdog, type WriterFacts } from "../src/heart/watchdog.js";
import { memoryStore } from "../src/index.js";
import { WriteBehind } from "../src/library/library.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { StoreError, type Store, type StoreDescriptor } from "../src/store/store.js";
import { openHeart } from "../src/write-behind.js";
import { Dice } from "../simulator/host/random.js";
import { Machine } from "../simulator/machine.js";
import { Trace } from "../simulator/trace.js";

const still = stillMs + 1;
const busy: WriterFacts = {
  now: 0,
  paused: false,
  store: "open",
  heardAt: 0,
  pendingSince: null,
  runningSince: null,
  nextTryAt: null,
  delayMs: 100,
};

describe("what counts as standing still", () => {
  const cases: readonly (readonly [string, Partial<WriterFacts>, RegExp | null])[] = [
    ["nothing to do", { now: 10 * still }, null],
    ["a run under way", { now: stillMs, runningSince: 0 }, null],
    ["a run without an end", { now: still, runningSince: 0 }, /a run has been under way for 30 s without an end/],
    [
      "a run without an end, and paused meanwhile",
      { now: still, pendingSince: 0, runningSince: 0, paused: true },
      /a run/,
    ],
    ["a step that found nothing, while paused", { now: still, runningSince: 0, paused: true }, null],
    ["changes that wait for company", { now: stillMs, pendingSince: 0 }, null],
    ["changes that wait for company for an hour", { now: 3_600_000, pendingSince: 0, delayMs: 3_600_000 }, null],
    ["changes that nobody takes", { now: still + 100, pendingSince: 0 }, /should have been written 30 s ago/],
    ["changes that are taken in parts", { now: still + 100, pendingSince: 0, heardAt: 200 }, null],
    ["changes while paused", { now: 10 * still, pendingSince: 0, paused: true }, null],
    ["down, the next try to come", { now: still, pendingSince: 0, nextTryAt: 2 * still }, null],
    ["down, a try without an end", { now: still + 1, nextTryAt: 1 }, /the try that was due 30 s ago has no end/],
    ["down and paused: it is not tried", { now: 10 * still, nextTryAt: 0, paused: true }, null],
    ["not opened yet", { now: stillMs, store: "unopened" }, null],
    ["never opened", { now: still, store: "unopened" }, /the database has been silent for 30 s/],
    ["broken: that is said louder", { now: 10 * still, store: "broken", runningSince: 0, pendingSince: 0 }, null],
  ];
  test.each(cases)("%s", (_, facts, reason) => {
    const found = standsStill({ ...busy, ...facts });
    if (reason === null) expect(found).toBeNull();
    else expect(found).toMatch(reason);
  });
});

test("one look is no look: a process that was asleep finds everything overdue before it hears of anything", () => {
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now, after: () => ({ cancel: () => {} }), soon: () => {} };
  const watchdog = new Watchdog(clock, 0);
  const here = { paused: false, store: "open" } as const;
  watchdog.runBegins();
  now = 10 * still;
  expect([watchdog.look(here), watchdog.stalled(here)]).toEqual([null, null]);
  watchdog.heard();
  expect(watchdog.look(here)).toBeNull();
  watchdog.runBegins();
  now = 20 * still;
  expect([watchdog.look(here), watchdog.look(here), watchdog.look(here)]).toEqual([
    null,
    { stalled: expect.stringContaining("a run has been under way") as string },
    null,
  ]);
  expect(watchdog.stalled(here)).not.toBeNull();
  watchdog.heard();
  expect(watchdog.stalled(here)).toBeNull();
  expect([watchdog.look(here), watchdog.look(here)]).toEqual([{ goesOn: true }, null]);
});

/** An engine in simulated time. */
function world() {
  const machine = new Machine(new Dice(1), new Trace(false));
  const { host } = machine.start();
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const watched = work.finally(() => (over = true));
    watched.catch(() => {});
    await machine.loop.run(() => over);
    return watched;
  };
  const options = resolveEngineOptions({ data: "data", delayMs: 10 });
  return {
    machine,
    during,
    open: async (store: Store | StoreDescriptor) => new WriteBehind(await during(openHeart({ host, store, options }))),
    /** Lets time go by. */
    pass: async (ms: number) => {
      const end = machine.loop.nowMs + ms;
      machine.loop.after(ms, "enough", null, () => {});
      await machine.loop.run(() => machine.loop.nowMs >= end);
    },
  };
}

function told(wb: WriteBehind): string[] {
  const events: string[] = [];
  wb.on("stalled", ({ reason }) => events.push(`stalled: ${reason}`));
  wb.on("warning", ({ text }) => events.push(text));
  return events;
}

/** A store whose verbs wait as long as they are told to. */
function heldStore() {
  const inner = memoryStore();
  let gate: Promise<void> = Promise.resolve();
  let failure: Error | null = null;
  const through = async <T>(verb: () => Promise<T>): Promise<T> => {
    await gate;
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
  return {
    store,
    hold(): () => void {
      let release = (): void => {};
      gate = new Promise((resolve) => (release = resolve));
      return release;
    },
    fail: (error: Error | null) => (failure = error),
  };
}

describe("a writer that stands still is said once, in status and as an event, and so is that it goes on", () => {
  test("a commit that hangs", async () => {
    const { open, pass, during } = world();
    const db = heldStore();
    const wb = await open(db.store);
    const events = told(wb);
    const release = db.hold();
    await during(wb.set("k", "v"));
    await pass(stillMs - 1000);
    expect(wb.status().state).toBe("running");
    await pass(3000);
    expect(wb.status()).toMatchObject({
      state: "stalled",
      reason: expect.stringContaining("a run has been under way for") as string,
      queue: { pendingChanges: 1 },
    });
    await pass(60_000);
    expect(events).toEqual([expect.stringMatching(/^stalled: a run has been under way for 3\d s/)]);
    // Clients are served all the time.
    expect(await wb.get("k")).toBe("v");
    release();
    await during(wb.flush());
    expect(wb.status().state).toBe("running");
    await pass(1000);
    expect(events.slice(1)).toEqual(["the writer goes on"]);
  });

  test("a database that has failed, and then hangs", async () => {
    const { open, pass, during } = world();
    const db = heldStore();
    const wb = await open(db.store);
    const events = told(wb);
    db.fail(new StoreError("retryable", "it is away"));
    await during(wb.set("k", "v"));
    await pass(10 * 60_000);
    // Known to be down, and tried again and again: that is not standing still, however long it takes.
    expect(wb.status()).toMatchObject({ state: "running", store: { state: "down" } });
    const release = db.hold();
    await pass(3 * stillMs);
    expect(wb.status()).toMatchObject({ state: "stalled", store: { state: "down" } });
    expect(events).toEqual([expect.stringMatching(/^stalled: the try that was due 3\d s ago has no end/)]);
    db.fail(null);
    release();
    await during(wb.flush());
    expect(wb.status().state).toBe("running");
  });

  test("paused is not stalled, and what has waited meanwhile is not late when it goes on", async () => {
    const { open, pass, during } = world();
    const wb = await open(memoryStore());
    const events = told(wb);
    await during(wb.pause());
    await during(wb.set("k", "v"));
    await pass(10 * stillMs);
    expect(wb.status().state).toBe("paused");
    await during(wb.resume());
    expect(wb.status().state).toBe("running");
    await during(wb.flush());
    await pass(1000);
    expect(events).toEqual([]);
  });

  test("a database that is silent from the start on", async () => {
    const { open, pass, during } = world();
    const first = await open(memoryStore());
    await during(first.pause());
    await during(first.set("k", "v"));
    await during(first.close());
    const db = heldStore();
    db.hold();
    const wb = await open(db.store);
    expect(await wb.get("k")).toBe("v");
    await during(wb.resume());
    await pass(2 * stillMs);
    expect(wb.status()).toMatchObject({
      state: "stalled",
      reason: expect.stringContaining("the database has been silent for") as string,
      store: { state: "down", kind: "memory" },
      queue: { stored: null, pendingChanges: 1 },
    });
  });

  test("a thread that dies, and whose successor never says a word", async () => {
    const { machine, open, pass, during } = world();
    const first = await open(memoryStore());
    await during(first.set("k", "v"));
    await during(first.close());
    const url = new URL("../src/writer/writer-thread.js", import.meta.url).href;
    let threads = 0;
    const main: ThreadMain = () => {
      if (++threads === 1) throw new Error("planted");
    };
    machine.threadMains.set(url, main);
    const wb = await open({ module: "no-such-store", options: null, reads: "caller" });
    await pass(2 * stillMs);
    expect(threads).toBe(2);
    expect(wb.status()).toMatchObject({
      state: "stalled",
      reason: expect.stringContaining("the try that was due") as string,
      store: { state: "down", error: expect.stringContaining("planted") as string },
    });
  });
});
