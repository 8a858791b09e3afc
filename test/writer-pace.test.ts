/** When the writer acts, when it tries again, and what it may sweep: the pure parts. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreError, storeErrorKind } from "../src/store/store.js";
import { enoughBytes, lookAgainMs, pace, restMs } from "../src/writer/pace.js";
import { hurriedRetryMaxMs, retryDelayMs, verdict } from "../src/writer/retry.js";
import { clockSlackMs, sweepBound } from "../src/writer/beat.js";
import { Wake } from "../src/writer/wake.js";
import { quiet, World } from "./writer-world.js";

const limits = { delayMs: 100, enoughBytes: 5000 };
const seen = { at: 1000, oldestAgeMs: 30, bytes: 10 };

describe("pace", () => {
  it("looks first, then waits for the queue to say that there is something", () => {
    expect(pace(quiet, limits)).toEqual({ act: "look" });
    expect(pace({ ...quiet, asking: true }, limits)).toEqual({ act: "sleep", ms: null });
  });

  it("gives a change company until it is as old as the delay, and counts what it has waited already", () => {
    expect(pace({ ...quiet, seen }, limits)).toEqual({ act: "sleep", ms: 70 });
    expect(pace({ ...quiet, seen, now: 1069 }, limits)).toEqual({ act: "sleep", ms: 1 });
    expect(pace({ ...quiet, seen, now: 1070 }, limits)).toEqual({ act: "run" });
    expect(pace({ ...quiet, seen: { ...seen, oldestAgeMs: 100 } }, limits)).toEqual({ act: "run" });
  });

  it("waits for no company where somebody waits, where there is enough, and for a run that failed", () => {
    expect(pace({ ...quiet, seen, hurried: true }, limits)).toEqual({ act: "run" });
    expect(pace({ ...quiet, seen: { ...seen, bytes: 5000 } }, limits)).toEqual({ act: "run" });
    expect(pace({ ...quiet, inHand: true }, limits)).toEqual({ act: "run" });
  });

  it("rests as long as the last commit took, but not beyond the delay, and not where somebody waits or there is enough", () => {
    expect(restMs(40, 100)).toBe(40);
    expect(restMs(4000, 100)).toBe(100);
    const old = { ...quiet, seen: { ...seen, oldestAgeMs: 100 }, restUntil: 1040 };
    expect(pace(old, limits)).toEqual({ act: "sleep", ms: 40 });
    expect(pace({ ...old, now: 1040 }, limits)).toEqual({ act: "run" });
    expect(pace({ ...old, hurried: true }, limits)).toEqual({ act: "run" });
    expect(pace({ ...old, seen: { ...old.seen, bytes: 5000 } }, limits)).toEqual({ act: "run" });
    expect(pace({ ...old, inHand: true }, limits)).toEqual({ act: "run" });
    expect(pace({ ...old, stepping: true }, limits)).toEqual({ act: "run" });
  });

  it("looks again while a long delay runs: the queue may fill", () => {
    const long = { ...limits, delayMs: 60_000 };
    expect(pace({ ...quiet, seen }, long)).toEqual({ act: "sleep", ms: lookAgainMs });
    expect(pace({ ...quiet, seen, now: 1000 + lookAgainMs }, long)).toEqual({ act: "look" });
  });

  it("hurries nobody past a pause before the next try, or past `paused`; a step passes both", () => {
    const waiting = { ...quiet, seen, hurried: true, inHand: true };
    expect(pace({ ...waiting, notBefore: 1500 }, limits)).toEqual({ act: "sleep", ms: 500 });
    expect(pace({ ...waiting, paused: true }, limits)).toEqual({ act: "sleep", ms: null });
    expect(pace({ ...waiting, paused: true, notBefore: 1500, stepping: true }, limits)).toEqual({ act: "run" });
  });

  it("beats where it would sleep: idle, paused, or with company to wait for", () => {
    expect(pace({ ...quiet, asking: true, beatAt: 1200 }, limits)).toEqual({ act: "sleep", ms: 200 });
    expect(pace({ ...quiet, seen, beatAt: 1200 }, limits)).toEqual({ act: "sleep", ms: 70 });
    for (const situation of [{ asking: true }, { seen }, { paused: true, inHand: true }]) {
      expect(pace({ ...quiet, ...situation, beatAt: 1000 }, limits)).toEqual({ act: "beat" });
    }
    expect(pace({ ...quiet, inHand: true, beatAt: 1000 }, limits)).toEqual({ act: "run" });
    expect(pace({ ...quiet, asking: true, notBefore: 1500, beatAt: 1000 }, limits)).toEqual({ act: "sleep", ms: 500 });
    expect(pace({ ...quiet, paused: true, notBefore: 1500, beatAt: 1000 }, limits)).toEqual({ act: "sleep", ms: 500 });
  });

  it("never sleeps past the moment at which the oldest change is due", () => {
    const moment = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(moment, moment, moment, moment, (now, back, oldestAgeMs, delayMs) => {
        const situation = { ...quiet, now, seen: { at: now - back, oldestAgeMs, bytes: 1 } };
        const next = pace(situation, { ...limits, delayMs });
        if (next.act !== "sleep") return;
        expect(oldestAgeMs + back + (next.ms ?? Infinity)).toBeLessThanOrEqual(delayMs);
      }),
    );
  });

  it("a queue smaller than a run is not waited full", () => {
    expect(enoughBytes(64, 4096)).toBe(64);
    expect(enoughBytes(64, 100)).toBe(25);
  });
});

describe("retry", () => {
  const limits = { retryMinMs: 100, retryMaxMs: 30_000 };

  it("backs off exponentially, within the limits, with full jitter", () => {
    const longest = (attempt: number): number => retryDelayMs(attempt, 1, false, limits);
    expect([1, 2, 3, 4, 9, 10, 1000].map(longest)).toEqual([100, 200, 400, 800, 25_600, 30_000, 30_000]);
    expect(retryDelayMs(5, 0.25, false, limits)).toBe(400);
    expect(retryDelayMs(5, 0, false, limits)).toBe(1);
  });

  it("tries at least every second while somebody waits", () => {
    expect(retryDelayMs(20, 1, true, limits)).toBe(hurriedRetryMaxMs);
    expect(retryDelayMs(1, 1, true, limits)).toBe(100);
  });

  it("knows what each kind means", () => {
    expect(verdict("retryable", 2, 0.5, false, limits)).toEqual({ broken: false, reopen: false, delayMs: 100 });
    expect(verdict("moved", 1, 0.5, false, limits)).toEqual({ broken: false, reopen: true, delayMs: 0 });
    expect(verdict("moved", 2, 0.5, false, limits)).toEqual({ broken: false, reopen: true, delayMs: 50 });
    for (const kind of ["refused", "broken", null] as const) {
      expect(verdict(kind, 1, 0.5, true, limits)).toEqual({ broken: true, reopen: true, delayMs: 30_000 });
    }
  });

  it("knows a store's error from any other", () => {
    expect(storeErrorKind(new StoreError("refused", "no"))).toBe("refused");
    expect(storeErrorKind(Object.assign(new Error("a copy"), { name: "StoreError", kind: "moved" }))).toBe("moved");
    expect(storeErrorKind(new TypeError("a fault"))).toBeNull();
    expect(storeErrorKind("text")).toBeNull();
  });
});

describe("sweep", () => {
  const start = { wall: 1_000_000_000, monotonic: 0 };
  const after = (wallMs: number, monotonicMs = wallMs) => ({ wall: start.wall + wallMs, monotonic: monotonicMs });

  it("goes up to the log's time, which may be long past", () => {
    expect(sweepBound(start.wall + 5, start, after(10))).toBe(start.wall + 5);
    expect(sweepBound(17, start, after(10))).toBe(17);
  });

  it("stops where a clock has jumped ahead, also when it has come back", () => {
    const year = 365 * 24 * 3_600_000;
    expect(sweepBound(start.wall + year, start, after(year, 10))).toBeNull();
    expect(sweepBound(start.wall + year, start, after(10))).toBeNull();
    expect(sweepBound(start.wall + year, start, after(year))).toBe(start.wall + year);
    expect(sweepBound(start.wall + clockSlackMs, start, after(0))).toBe(start.wall + clockSlackMs);
  });
});

describe("wake", () => {
  it("ends a sleep, and the next one where nobody slept", async () => {
    const world = new World();
    const wake = new Wake(world.clock);
    wake.wake();
    await wake.sleep(null);
    let over = false;
    const sleep = wake.sleep(50).then(() => (over = true));
    await world.advance(49);
    expect(over).toBe(false);
    await world.advance(1);
    await sleep;
    const forever = wake.sleep(null);
    wake.wake();
    await forever;
  });
});
