/** Shares of a fleet: whatever the workers see at first, they come to balanced shares, and do not fight. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { quotaOf, share, type Share } from "../src/redis/worker/share.js";

const state = fc
  .record({
    partitions: fc.integer({ min: 1, max: 40 }),
    workers: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
  })
  .chain(({ partitions, workers }) =>
    fc.record({
      workers: fc.constant(workers),
      // Some are owned by nobody, some by workers that are dead and hold their lease still.
      owners: fc.array(fc.constantFrom(null, "dead worker", ...workers), {
        minLength: partitions,
        maxLength: partitions,
      }),
    }),
  );

type Owners = readonly (string | null)[];

function decide(owners: Owners, workers: readonly string[]): Map<string, Share> {
  return new Map(workers.map((me) => [me, share({ workers, owners, me })]));
}

/** Every worker does what it decided, from one state; what is given back is free in the next round. */
function round(owners: Owners, workers: readonly string[]): Owners {
  const next = owners.map((owner) => (owner === "dead worker" ? null : owner));
  for (const [worker, { giveBack, take }] of decide(owners, workers)) {
    for (const partition of giveBack) next[partition] = null;
    for (const partition of take) next[partition] = worker;
  }
  return next;
}

test("shares come to be balanced within one, with every partition owned, and stay", () => {
  fc.assert(
    fc.property(state, ({ workers, owners }) => {
      let now: Owners = owners;
      for (let count = 0; count < 3; count++) now = round(now, workers);
      const counts = workers.map((worker) => now.filter((owner) => owner === worker).length);
      expect(now).not.toContain(null);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      expect(round(now, workers)).toEqual(now);
    }),
  );
});

test("workers that see the same fleet never try to take the same partition, nor one that is owned", () => {
  fc.assert(
    fc.property(state, ({ workers, owners }) => {
      const decided = [...decide(owners, workers)];
      const taken = decided.flatMap(([, { take }]) => take);
      expect(new Set(taken).size).toBe(taken.length);
      for (const partition of taken) expect(owners[partition]).toBe(null);
      for (const [worker, { giveBack }] of decided)
        for (const partition of giveBack) expect(owners[partition]).toBe(worker);
    }),
  );
});

test("nobody gives back more than it must", () => {
  fc.assert(
    fc.property(state, ({ workers, owners }) => {
      const sorted = workers.toSorted();
      for (const [me, { giveBack }] of decide(owners, workers)) {
        const mine = owners.filter((owner) => owner === me).length;
        expect(giveBack.length).toBe(Math.max(0, mine - quotaOf(owners.length, workers.length, sorted.indexOf(me))));
      }
    }),
  );
});

test("who is not among the living takes nothing, and gives back all", () => {
  expect(share({ workers: ["a"], owners: ["b", null, "b"], me: "b" })).toEqual({ giveBack: [0, 2], take: [] });
});
