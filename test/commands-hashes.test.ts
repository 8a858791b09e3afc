/** HSCAN and HRANDFIELD: what they promise, which their order and chance keep from the differential test. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Reply } from "../src/commands/reply.js";
import { Model } from "./commands-model.js";

/** A hash that Redis would not keep in one piece. */
function largeHash(size: number): Model {
  const model = new Model();
  for (let from = 0; from < size; from += 100) {
    const fields = Array.from({ length: Math.min(100, size - from) }, (_, i) => [`f${from + i}`, `v${from + i}`]);
    model.run("HSET", "h", ...fields.flat());
  }
  return model;
}

function scan(model: Model, cursor: string, ...options: string[]): { next: string; fields: string[] } {
  const [next, found] = model.run("HSCAN", "h", cursor, ...options) as unknown as [string, string[]];
  return { next, fields: found.filter((_, at) => at % 2 === 0) };
}

test("HSCAN gives a small hash whole, whatever cursor and COUNT", () => {
  const model = new Model();
  model.run("HSET", "h", "b", "2", "a", "1");
  expect(model.run("HSCAN", "h", "77", "COUNT", "1")).toEqual(["0", ["a", "1", "b", "2"]]);
  expect(model.run("HSCAN", "h", "0", "MATCH", "a*")).toEqual(["0", ["a", "1"]]);
  expect(model.run("HSCAN", "none", "0", "nonsense")).toEqual(["0", []]);
});

test("HSCAN gives 513 fields, or one of 65 bytes, in pages", () => {
  expect(scan(largeHash(512), "0").next).toBe("0");
  expect(scan(largeHash(513), "0").next).not.toBe("0");
  const model = new Model();
  model.run("HSET", "h", ...Array.from({ length: 50 }, (_, i) => [`f${i}`, "v"]).flat());
  expect(scan(model, "0", "COUNT", "1").fields).toHaveLength(50);
  model.run("HSET", "h", "long", "x".repeat(65));
  expect(scan(model, "0", "COUNT", "1").fields.length).toBeLessThan(50);
});

test("HSCAN gives every field that stays, once, whatever comes and goes meanwhile", () => {
  const change = fc.record({ removes: fc.boolean(), field: fc.nat({ max: 999 }) });
  const check = fc.property(
    fc.integer({ min: 1, max: 2000 }),
    fc.array(fc.array(change, { maxLength: 40 }), { maxLength: 30 }),
    (count, changes) => {
      const model = largeHash(1000);
      const stays = new Set(Array.from({ length: 1000 }, (_, i) => `f${i}`));
      const seen: string[] = [];
      let cursor = "0";
      for (let page = 0; page === 0 || cursor !== "0"; page++) {
        const { next, fields } = scan(model, cursor, "COUNT", String(count));
        seen.push(...fields);
        cursor = next;
        for (const { removes, field } of changes[page] ?? []) {
          if (removes) stays.delete(`f${field}`);
          model.run(...(removes ? ["HDEL", "h", `f${field}`] : ["HSET", "h", `n${field}`, "x"]));
        }
      }
      expect([...stays].filter((field) => !seen.includes(field))).toEqual([]);
      expect(new Set(seen).size).toBe(seen.length);
    },
  );
  fc.assert(check, { numRuns: 30 });
});

test("HSCAN of a large hash needs at most 128 pages, of about COUNT fields where that is more", () => {
  const model = largeHash(20_000);
  let [pages, cursor] = [0, "0"];
  do {
    cursor = scan(model, cursor, "COUNT", "1").next;
    pages++;
  } while (cursor !== "0");
  expect(pages).toBeLessThanOrEqual(128);
  const { fields } = scan(model, "0", "COUNT", "2000");
  expect(fields.length).toBeGreaterThan(1500);
  expect(fields.length).toBeLessThan(2500);
});

test("HSCAN of a field set in the same transaction, and of one that is gone", () => {
  const model = largeHash(600);
  model.run("HDEL", "h", "f7");
  const all: string[] = [];
  let cursor = "0";
  do {
    const page = scan(model, cursor, "MATCH", "f?");
    all.push(...page.fields);
    cursor = page.next;
  } while (cursor !== "0");
  expect(all.toSorted()).toEqual(["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f8", "f9"]);
});

test("HRANDFIELD: each field is as likely as another, different ones where they must be", () => {
  const model = new Model();
  model.run("HSET", "h", "a", "1", "b", "2", "c", "3", "d", "4");
  let state = 1;
  // A generator of Lehmer: the same numbers in each run of the test.
  model.random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const counts = new Map<string, number>();
  const draw = (...args: string[]): string[] => [model.run("HRANDFIELD", "h", ...args)].flat() as string[];
  for (let i = 0; i < 4000; i++) {
    const two = draw("2");
    expect(new Set(two).size).toBe(2);
    for (const field of [...draw(), ...two, ...draw("-2")]) counts.set(field, (counts.get(field) ?? 0) + 1);
  }
  expect([...counts.keys()].toSorted()).toEqual(["a", "b", "c", "d"]);
  for (const count of counts.values()) expect(Math.abs(count - 5000)).toBeLessThan(300);
});

test("HRANDFIELD gives so many as were asked, with their values in pairs", () => {
  const model = new Model();
  model.run("HSET", "h", "a", "1", "b", "2");
  const ends = (count: string): Reply => model.run("HRANDFIELD", "h", count, "WITHVALUES");
  expect(ends("5")).toEqual({
    kind: "pairs",
    pairs: [
      ["a", "1"],
      ["b", "2"],
    ],
  });
  model.random = () => 0;
  expect(ends("-3")).toEqual({
    kind: "pairs",
    pairs: [
      ["a", "1"],
      ["a", "1"],
      ["a", "1"],
    ],
  });
  expect(model.run("HRANDFIELD", "h", "-1048577")).toEqual({
    kind: "error",
    text: "ERR value is out of range: a reply has 1048576 fields at most, ask for fewer",
  });
});
