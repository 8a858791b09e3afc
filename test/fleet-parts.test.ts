/** The small parts of a fleet's worker: what is retained and remembered, turns. */
import { DatabaseSync } from "@photostructure/sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { FrameOnDisk } from "../src/queue/queue.js";
import { bytesOfParked, parkedOfBytes } from "../src/redis/parked-change.js";
import { Remembered } from "../src/redis/worker/remembered.js";
import { Retained } from "../src/redis/worker/retained.js";
import { Turns } from "../src/redis/worker/turns.js";
import { storeErrorOf } from "../src/store/sqlite/sqlite-errors.js";
import { missesRow, storeErrorKind } from "../src/store/store.js";
import { change as anyChange } from "./arbitraries.js";

test("a parked change comes back as it was", () => {
  fc.assert(
    fc.property(anyChange, fc.nat(), (change, sequence) => {
      const parked = { change, letter: String(sequence) };
      expect(parkedOfBytes(bytesOfParked(parked))).toEqual(parked);
    }),
  );
});

test("so much or so long is kept, whichever is less, and never is trimmed what was not committed", () => {
  const runs = fc.array(fc.record({ bytes: fc.nat(100), ms: fc.nat(100), frames: fc.integer({ min: 1, max: 9 }) }));
  fc.assert(
    fc.property(runs, fc.nat(300), fc.nat(300), (made, bytes, ms) => {
      const retained = new Retained({ bytes, ms });
      retained.start(5, 0);
      const all: { readonly upTo: number; readonly bytes: number; readonly since: number }[] = [];
      let [upTo, now] = [5, 0];
      for (const run of made) {
        now += run.ms;
        upTo += run.frames;
        retained.add(upTo, run.bytes, now);
        all.push({ upTo, bytes: run.bytes, since: now });
        const trimTo = retained.trimTo(now);
        const kept = all.filter((each) => each.upTo > trimTo);
        expect(trimTo).toBeLessThanOrEqual(upTo);
        expect(kept.reduce((sum, each) => sum + each.bytes, 0)).toBeLessThanOrEqual(bytes);
        for (const each of kept) expect(now - each.since).toBeLessThanOrEqual(ms);
        // The newest that goes has to: with it too much would be kept, or for too long.
        const last = all.findLast((each) => each.upTo <= trimTo);
        const withIt = kept.reduce((sum, each) => sum + each.bytes, last?.bytes ?? 0);
        if (last !== undefined && kept.length > 0 && last.bytes > 0 && now === last.since)
          expect(withIt).toBeGreaterThan(bytes);
      }
    }),
  );
});

function frame(sequence: number): FrameOnDisk {
  const change = { kind: "remove" } as const;
  const body = { kind: "changes", changes: [{ record: `r${sequence}` as Bytes, change }] } as const;
  return { frame: { position: { logId: "", sequence, tag: 0 }, at: sequence, body }, bytes: 1 };
}

test("frames are remembered without a gap, however often they are read, or not at all", () => {
  const reads = fc.array(fc.record({ from: fc.nat(20), count: fc.integer({ min: 1, max: 9 }) }));
  fc.assert(
    fc.property(reads, fc.nat(20), fc.nat(20), fc.nat(9), (all, forgotten, from, count) => {
      const remembered = new Remembered(() => false);
      for (const read of all) remembered.add(Array.from({ length: read.count }, (_, at) => frame(read.from + at)));
      remembered.forgetUpTo(forgotten);
      const found = remembered.between(from, from + count);
      if (found !== null)
        expect(found.map(({ sequence }) => sequence)).toEqual(Array.from(found, (_, at) => from + 1 + at));
      if (found !== null) expect(found).toHaveLength(count);
    }),
  );
  const remembered = new Remembered(() => false);
  remembered.add([frame(1), frame(2), frame(3)]);
  remembered.add([frame(2), frame(3), frame(4)]);
  remembered.forgetUpTo(1);
  expect(remembered.between(1, 4)?.map(({ records }) => records[0])).toEqual(["r2", "r3", "r4"]);
  expect(remembered.between(0, 4)).toBe(null);
  expect(remembered.between(1, 5)).toBe(null);
});

test("turns come in order, one at a time, also after one that fails", async () => {
  const turns = new Turns();
  const done: number[] = [];
  let running = 0;
  const work = (each: number) => async (): Promise<number> => {
    expect(++running).toBe(1);
    await Promise.resolve();
    running--;
    done.push(each);
    if (each === 1) throw new Error("it fails");
    return each;
  };
  const all = await Promise.allSettled([0, 1, 2, 3].map((each) => turns.take(work(each))));
  expect(done).toEqual([0, 1, 2, 3]);
  expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
});

test("SQLite says which refusal is for a row that is not there", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER NOT NULL REFERENCES a)");
  const refusal = (sql: string): unknown => {
    try {
      database.exec(sql);
    } catch (error) {
      return storeErrorOf(error, "file");
    }
    throw new Error("it is not refused");
  };
  expect(missesRow(refusal("INSERT INTO b VALUES (1)"))).toBe(true);
  const notNull = refusal("INSERT INTO b VALUES (NULL)");
  expect([storeErrorKind(notNull), missesRow(notNull)]).toEqual(["refused", false]);
  database.close();
});
