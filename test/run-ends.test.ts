import fc from "fast-check";
import { expect, test } from "vitest";
import { logA, logB } from "../contract/store/writer-like.js";
import type { Position } from "../src/queue/queue.js";
import {
  newRunEnds,
  runEndsAdopted,
  runEndsAfter,
  runEndsChars,
  runEndsOfText,
  textOfRunEnds,
} from "../src/store/run-ends.js";

const position = fc.record({ logId: fc.constant(logA), sequence: fc.maxSafeNat(), tag: fc.nat(0xffffffff) });
const batch = fc.record({ expected: fc.option(position), to: position, stays: fc.boolean() });

test("a text that statements put pieces in front of and cut is the list, batch for batch", () => {
  const run = fc.array(batch, { maxLength: 250 });
  fc.assert(
    fc.property(run, (batches) => {
      let [list, text]: [Position[], string] = [[], ""];
      for (const { expected, to, stays } of batches) {
        const next = { expected: stays ? to : expected, to };
        list = runEndsAfter(list, next);
        text = (textOfRunEnds(newRunEnds(next)) + text).slice(0, runEndsChars);
        expect(runEndsOfText(text, logA)).toEqual(list);
        expect(textOfRunEnds(list)).toBe(text);
      }
    }),
    { numRuns: 20 },
  );
});

test("of an adopted position nothing newer is left, and nothing of another log", () => {
  const ends = fc.array(position, { maxLength: 100 }).map((all) => all.toSorted((a, b) => b.sequence - a.sequence));
  fc.assert(
    fc.property(ends, position, (before, adopted) => {
      const [newest, ...older] = runEndsAdopted(before, adopted);
      expect(newest).toEqual(adopted);
      expect(older.every(({ sequence }) => sequence < adopted.sequence)).toBe(true);
      const kept = before.filter(({ sequence }) => sequence < adopted.sequence);
      expect(older).toEqual(kept.slice(0, 99));
      const foreign = { ...adopted, logId: logB };
      expect(runEndsAdopted(before, foreign)).toEqual([foreign]);
    }),
  );
});

test("the longest text stays below what PostgreSQL moves out of a row", () => {
  const largest = { logId: logA, sequence: Number.MAX_SAFE_INTEGER, tag: 0xffffffff };
  expect(textOfRunEnds([largest])).toBe("2gosa7pa2gv1z141z3");
  expect(textOfRunEnds([{ logId: logA, sequence: 1, tag: 0 }])).toBe("000000000010000000");
  expect(runEndsChars).toBe(1800);
});
