/** Reads see what is parked, whatever order loads, commits and reports come in. */
import fc from "fast-check";
import { describe, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { event, World, type Event } from "./parked-model.js";

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
        await world.finish();
      }),
      { numRuns: 150 },
    );
  });
});

describe("a walk over all keys", () => {
  const a = "a" as Bytes;
  const b = "b" as Bytes;
  const put = (record: Bytes, expiresAt: number | null): Event => ({
    event: "write",
    changes: [[record, { kind: "replace", content: "x" as Bytes, expiresAt, afterRemove: false }]],
  });
  const stored: readonly Event[] = [{ event: "commit", frames: 1 }, { event: "deliver" }];
  const walk: Event = { event: "walk", limit: 1 };

  test.each<[string, readonly Event[]]>([
    [
      "does not show a row that is read before its removal is stored, and shown after all of that is forgotten",
      [
        put(a, null),
        ...stored,
        { event: "write", changes: [[a, { kind: "remove" }]] },
        walk,
        { event: "read", load: 0 },
        ...stored,
        { event: "answer" },
      ],
    ],
    [
      "shows a record whose row has ended, and whose later end is pending",
      [
        put(a, null),
        ...stored,
        put(b, 10),
        ...stored,
        walk,
        { event: "read", load: 0 },
        { event: "answer" },
        { event: "write", changes: [[b, { kind: "merge", fields: null, expiresAt: null }]] },
        { event: "time", ms: 15 },
      ],
    ],
  ])("%s", async (_, events) => {
    const world = new World(1);
    for (const one of events) await world.step(one);
    await world.finish();
  });
});
