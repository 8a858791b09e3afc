import fc from "fast-check";
import { expect, test } from "vitest";
import { WriteBehindError } from "../src/errors.js";
import { Waits, type Wait } from "../src/heart/waits.js";

const step = fc.oneof(
  fc.record({ add: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ reach: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ cancel: fc.nat(20) }),
);

test("every wait is called once its mark is there, and not before, in order of sequence", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const waits = new Waits();
      const waiting = new Map<number, number>();
      const added: Wait[] = [];
      let called: number[] = [];
      for (const one of steps) {
        if ("add" in one) {
          const id = added.length;
          waiting.set(id, one.add);
          added.push(waits.add(one.add, () => called.push(id)));
        } else if ("cancel" in one) {
          const wait = added[one.cancel];
          if (wait !== undefined) waits.cancel(wait);
          waiting.delete(one.cancel);
        } else {
          called = [];
          waits.reach(one.reach);
          const due = [...waiting].filter(([, sequence]) => sequence <= one.reach);
          due.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
          expect(called).toEqual(due.map(([id]) => id));
          for (const [id] of due) waiting.delete(id);
        }
        expect(waits.size).toBe(waiting.size);
        expect(waits.last).toBe(Math.max(0, ...waiting.values()));
      }
    }),
  );
});

test("a failure tells everybody, once", () => {
  const waits = new Waits();
  const told: (string | undefined)[] = [];
  waits.add(1, (error) => told.push(error?.code));
  waits.add(2, (error) => told.push(error?.code));
  waits.fail(new WriteBehindError("UNKNOWN", "failed"));
  waits.reach(5);
  expect(told).toEqual(["UNKNOWN", "UNKNOWN"]);
});
