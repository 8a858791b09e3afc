/** Reads see what is parked, whatever order loads, commits and reports come in. */
import fc from "fast-check";
import { describe, test } from "vitest";
import { event, World } from "./parked-model.js";

describe("what the cache knows is the row, what is parked and what is pending", () => {
  test.each([
    ["a large cache", 1_000_000],
    ["a cache that holds two records", 600],
    ["a cache that holds nothing", 1],
  ])("%s", async (_, bytesMax) => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 80, size: "max" }), async (events) => {
        const world = new World(bytesMax);
        for (const one of events) await world.step(one);
      }),
      { numRuns: 150 },
    );
  });
});
