/** What a worker of a fleet tells, as lines: an outage with the fleet's backlog, each thing once. */
import { expect, test } from "vitest";
import { WorkerLog } from "../src/cli/worker-log.js";
import type { Backlog } from "../src/log/outages.js";
import type { WorkerReport } from "../src/redis/worker/report.js";

const calm: WorkerReport = {
  id: "w1",
  version: "1",
  pid: 1,
  host: "h",
  partitions: [],
  totals: { batches: 0, rows: 0, coalesced: 0, retries: 0 },
  store: { kind: "postgres", state: "up", since: 1, error: null, nextTryAt: null },
  error: null,
};

function lab() {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  let now = 0;
  const clock = {
    now: () => now,
    monotonic: () => now,
    after: (_: number, call: () => void) => {
      timers.push(call);
      return { cancel: () => {} };
    },
    soon: () => {},
  };
  const line = (_: object, text: string): void => void lines.push(text);
  const log = { info: line, warn: line, error: line };
  const told = new WorkerLog({ log, clock, place: "redis://h", ended: () => {} });
  const report = (changes: Partial<WorkerReport>): void =>
    told.hear({ type: "report", report: { ...calm, ...changes } });
  /** A timer is due. */
  const pass = (ms: number): void => {
    now += ms;
    timers.shift()?.();
  };
  return { lines, told, report, pass };
}

test("an outage of the database: what is pending in the fleet is asked for while it lasts", async () => {
  const { lines, told, report, pass } = lab();
  const backlog: Backlog = {
    pendingChanges: 500,
    pendingRecords: 20,
    pendingBytes: 1000,
    bytesMax: 10_000,
    recordsMax: 1000,
    oldestAgeMs: 61_000,
  };
  let asked = 0;
  told.backlog = async () => {
    asked++;
    return backlog;
  };
  report({});
  expect([lines, asked]).toEqual([[], 0]);
  const error = { code: "STORE_DOWN", message: "it is away", hint: null } as const;
  const down = { ...calm.store, state: "down", error, nextTryAt: 70_000 } as const;
  for (let beat = 1; beat <= 5; beat++) report({ store: down, totals: { ...calm.totals, retries: beat } });
  await Promise.resolve();
  pass(61_000);
  report({ totals: { ...calm.totals, retries: 5 } });
  expect(lines).toEqual([
    "the database is down: it is away; the queue in the Redis at redis://h keeps every change",
    "the database has been down for 1 min 1 s: it is away; next try in 9.0 s; 500 changes of 20 records pending (1000 bytes, 10 % of queueBytes), the oldest for 1 min 1 s; the queue in the Redis at redis://h keeps every change",
    "the database is up again after 1 min 1 s and 5 failed tries; 500 changes waited at the most; 500 changes still to be written",
  ]);
  expect(asked).toBe(1);
  report({});
  pass(600_000);
  expect(lines).toHaveLength(3);
});
