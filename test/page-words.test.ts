/** What the page says, without a browser: the headline for every trouble, what is at risk, rates. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { duration } from "../src/amounts.js";
import { hitShares, perSecond, ratesOf } from "../src/dashboard/page/rates.js";
import { replyText } from "../src/dashboard/page/reply.js";
import { headlineOf, riskOf, storeWords, whereSafe } from "../src/dashboard/page/words.js";
import type { Sample } from "../src/dashboard/watch.js";
import type { FleetStatus, Status } from "../src/heart.js";
import { idlePartition, idleStatus } from "./idle-status.js";

const now = 1_800_000_000_000;

const well: Status = { ...idleStatus, store: { ...idleStatus.store, since: now - 60_000 } };
const pending = {
  ...well.queue,
  pendingChanges: 48_210,
  pendingRecords: 900,
  pendingBytes: 5_000_000,
  oldestAgeMs: 130_000,
};
const down: Status = {
  ...well,
  queue: pending,
  store: { kind: "postgres", state: "down", since: now - 130_000, error: "connection refused", nextTryAt: now + 8000 },
};
const fleet: FleetStatus = {
  place: "redis://localhost:6379",
  keeps: "what it has on disk",
  failure: null,
  partitions: [
    { ...idlePartition, owner: "w1" },
    { ...idlePartition, partition: 1 },
  ],
  workers: [],
};

describe("the headline", () => {
  test("a database that is down: since when, when it is tried next, how much is safe and where", () => {
    const { mood, text, advice } = headlineOf(down, now);
    expect(mood).toBe("bad");
    expect(text).toBe(
      "The database is unreachable for 2 min 10 s, next try in 8.0 s; 48,210 changes are safe on disk. It says: connection refused.",
    );
    expect(advice).not.toBeNull();
    expect(storeWords(down, now)).toBe("unreachable for 2 min 10 s");
    expect(headlineOf({ ...down, store: { ...down.store, nextTryAt: now - 5 } }, now).text).toContain("trying now");
  });

  test("every other trouble is named, the worst first, with what to press", () => {
    const paused: Status = { ...well, state: "paused", reason: "paused by an operator", queue: pending };
    const refused = { ...well.deadLetters, count: 2, waitingBehind: 7 };
    const cases: readonly (readonly [Status, string, string, readonly string[]])[] = [
      [well, "well", "the database has everything", []],
      [{ ...well, queue: { ...pending, oldestAgeMs: 20 } }, "well", "keeps up", []],
      [{ ...well, queue: pending }, "care", "2 min 10 s behind", ["queue"]],
      [{ ...well, deadLetters: refused }, "care", "refuses 2 dead letters; 7 changes", ["letters"]],
      [paused, "care", "paused by a person; 48,210 changes", ["resume", "step"]],
      [{ ...paused, deadLetters: refused }, "care", "paused by a person", ["resume", "step"]],
      [{ ...well, state: "draining" }, "care", "stopping", []],
      [{ ...well, fleet }, "bad", "No worker writes 1 partition", ["fleet"]],
      [
        { ...well, state: "stalled", reason: "no commit for 60 s" },
        "bad",
        "stands still: no commit for 60 s",
        ["queue"],
      ],
      [
        { ...well, state: "broken", reason: "the journal has failed" },
        "bad",
        "cannot go on: the journal has failed",
        ["queue"],
      ],
      [
        { ...down, state: "broken", store: { ...down.store, state: "broken", error: "no such table" } },
        "bad",
        "not as it must be",
        ["queue"],
      ],
      [{ ...down, state: "stalled", reason: "x" }, "bad", "unreachable", ["queue"]],
    ];
    for (const [status, mood, text, press] of cases) {
      const headline = headlineOf(status, now);
      expect([headline.mood, headline.press], headline.text).toEqual([mood, press]);
      expect(headline.text).toContain(text);
    }
  });
});

describe("what is at risk", () => {
  test("is said for each durability, and never more than it keeps", () => {
    const at = (durability: Status["queue"]["durability"]): string =>
      riskOf({ ...well, queue: { ...pending, durability } });
    expect(at("disk")).toContain("loses power now nothing is lost; 48,210 changes");
    expect(at("os")).toMatch(/dies now nothing is lost.*loss of power may lose/);
    expect(at("memory")).toMatch(/48,210 changes .* may be LOST/);
    expect(riskOf(well)).toContain("nothing is late");
    expect(riskOf({ ...well, queue: pending, fleet })).toMatch(/other processes go on. What it has on disk/);
    expect(riskOf({ ...well, deadLetters: { ...well.deadLetters, count: 1 } })).toContain("1 dead letter");
    expect(whereSafe({ ...well, queue: { ...pending, durability: "memory" } })).toBe("in memory only");
    expect(whereSafe({ ...well, fleet })).toContain("redis://localhost:6379");
  });
});

describe("rates", () => {
  const none: Omit<Sample, "at"> = {
    writes: 0,
    hits: 0,
    misses: 0,
    batches: 0,
    rows: 0,
    coalesced: 0,
    retries: 0,
    pendingChanges: 0,
    pendingBytes: 0,
    oldestAgeMs: 0,
    lastCommitMs: null,
    deadLetters: 0,
  };
  const sample = (at: number, more: Partial<Sample>): Sample => ({ ...none, at, ...more });

  test("are differences of the last seconds", () => {
    const samples = [
      sample(0, {}),
      sample(1000, { writes: 500, hits: 30, misses: 10, batches: 2, rows: 100, coalesced: 300 }),
      sample(2000, { writes: 1000, hits: 60, misses: 20, batches: 4, rows: 200, coalesced: 600 }),
    ];
    expect(ratesOf(samples)).toEqual({
      writesPerSecond: 500,
      rowsPerSecond: 100,
      batchesPerSecond: 2,
      changesPerBatch: 200,
      hitShare: 0.75,
      savedShare: 0.75,
    });
    expect(perSecond(samples, "writes")).toEqual([null, 500, 500]);
    expect(hitShares(samples)).toEqual([null, 75, 75]);
  });

  test("nothing is divided by nothing, and a counter that began anew is no negative rate", () => {
    const counters = fc.record({
      writes: fc.nat(1000),
      hits: fc.nat(1000),
      misses: fc.nat(1000),
      batches: fc.nat(10),
      rows: fc.nat(1000),
      coalesced: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5000), counters), { maxLength: 12 }), (steps) => {
        let at = 0;
        const samples = steps.map(([later, more]) => sample((at += later), more));
        for (const value of Object.values(ratesOf(samples)))
          expect(value === null || (Number.isFinite(value) && value >= 0)).toBe(true);
        for (const value of [...perSecond(samples, "rows"), ...hitShares(samples)])
          expect(value === null || (Number.isFinite(value) && value >= 0)).toBe(true);
      }),
    );
  });
});

test("lengths of time are told in two units at the most", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 ms"],
    [0.25, "0.3 ms"],
    [999, "999 ms"],
    [3400, "3.4 s"],
    [59_400, "59 s"],
    [59_700, "1 min"],
    [130_000, "2 min 10 s"],
    [3_600_000, "1 h"],
    [3_780_000, "1 h 3 min"],
    [187_200_000, "2 d 4 h"],
  ];
  for (const [ms, text] of cases) expect(duration(ms)).toBe(text);
});

test("replies are shown as redis-cli does", () => {
  expect(replyText({ type: "null", value: null })).toBe("(nil)");
  expect(replyText({ type: "integer", value: 7 })).toBe("(integer) 7");
  expect(replyText({ type: "error", value: "ERR no" })).toBe("(error) ERR no");
  expect(replyText({ type: "bulk", value: 'a "b"' })).toBe('"a \\"b\\""');
  expect(replyText({ type: "array", value: [] })).toBe("(empty)");
  const nested = {
    type: "array",
    value: [
      { type: "bulk", value: "a" },
      {
        type: "array",
        value: [
          { type: "integer", value: 1 },
          { type: "null", value: null },
        ],
      },
    ],
  } as const;
  expect(replyText(nested)).toBe('1) "a"\n2) 1) (integer) 1\n   2) (nil)');
  expect(replyText({ type: "map", value: [["k", { type: "simple", value: "v" }]] })).toBe('1) "k" => v');
});
