/** The search for an order of concurrent operations: it finds one exactly where there is one. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { linearize, unknown, type Call } from "../simulator/linearize.js";

/** An operation on a register: writes a number, or reads one. */
interface Register extends Call<number> {
  readonly write: boolean;
  readonly value: number;
}

function call(write: boolean, value: number, start: number, end: number, guess = start): Register {
  const apply = (state: number | typeof unknown): number | typeof unknown | undefined => {
    if (write) return value;
    return state === unknown || state === value ? value : undefined;
  };
  return { write, value, start, end, guess, apply };
}

const write = (value: number, start: number, end = Infinity): Register => call(true, value, start, end);
const read = (value: number, start: number, end: number): Register => call(false, value, start, end);
const judge = (...calls: Register[]): string => linearize(calls, 0, String);

it("takes every order of what was at the same time", () => {
  expect(judge(write(1, 1, 5), write(2, 2, 6), read(1, 7, 8))).toBe("yes");
  expect(judge(write(1, 1, 5), write(2, 2, 6), read(2, 7, 8))).toBe("yes");
});

it("refuses what comes before it was written, and what comes back after it was overwritten", () => {
  expect(judge(read(1, 1, 2), write(1, 3, 4))).toBe("no");
  expect(judge(write(1, 1, 2), write(2, 3, 4), read(1, 5, 6))).toBe("no");
  expect(judge(write(1, 1, 9), read(1, 2, 3), read(0, 4, 5))).toBe("no");
});

it("lets an unanswered write be done late, or never, but not taken back", () => {
  expect(judge(write(1, 1), read(0, 2, 3), read(1, 4, 5))).toBe("yes");
  expect(judge(write(1, 1), read(0, 2, 3))).toBe("yes");
  expect(judge(write(1, 1), read(1, 2, 3), read(0, 4, 5))).toBe("no");
});

it("believes the first reply where the state before is not known", () => {
  expect(linearize([read(7, 1, 2), read(7, 3, 4)], unknown, String)).toBe("yes");
  expect(linearize([read(7, 1, 2), read(8, 3, 4)], unknown, String)).toBe("no");
});

it("says so where it gives up", () => {
  expect(linearize([write(1, 1, 2), read(1, 3, 4)], 0, String, 1)).toBe("undecided");
});

/** Every order of every choice of unanswered operations, one after the other. */
function exhaustive(calls: readonly Register[], state: number, done: ReadonlySet<number>): boolean {
  if (calls.every(({ end }, i) => end === Infinity || done.has(i))) return true;
  return calls.some((next, i) => {
    if (done.has(i) || calls.some(({ end }, j) => !done.has(j) && j !== i && end < next.start)) return false;
    const after = next.apply(state);
    return typeof after === "number" && exhaustive(calls, after, new Set([...done, i]));
  });
}

const historyOf = fc
  .array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 9 }), fc.boolean()), {
    maxLength: 6,
  })
  .chain((list) =>
    fc
      .shuffledSubarray(
        list.map((_, i) => i),
        { minLength: list.length },
      )
      .map((guesses) =>
        list.map(([writes, value, lasts, answered], i) =>
          call(writes, value, 2 * i + 1, answered || !writes ? 2 * (i + lasts) + 0.5 + i / 100 : Infinity, guesses[i]),
        ),
      ),
  );

it("agrees with trying everything, whatever the guess", () => {
  fc.assert(
    fc.property(historyOf, (calls) => {
      expect(linearize(calls, 0, String)).toBe(exhaustive(calls, 0, new Set()) ? "yes" : "no");
    }),
    { numRuns: 2000 },
  );
});
