/** Walks over all keys: what a pending FLUSHALL hides, and places that are handed back. Their truth: parked.test.ts. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { KeysPage, KeysPlace } from "../src/heart.js";
import { KeyWalk, type KeyWalkParts } from "../src/heart/key-walk.js";

const keys = (text: string): Bytes[] => text.split("") as Bytes[];

/** A walk over rows of a database of which nothing is in memory. */
function walkOver(rows: readonly Bytes[], parts: Partial<KeyWalkParts> = {}): KeyWalk {
  return new KeyWalk({
    take: async () => ({ held: [], hidden: new Set() }),
    look: (records) => records.map(() => "unknown"),
    clearPending: () => false,
    exist: async (records) => records,
    scan: async (after, limit) => {
      const found = rows.filter((row) => after === null || row > after);
      return { records: found.slice(0, limit), next: found[limit] === undefined ? null : (found[limit - 1] as Bytes) };
    },
    sample: () => null,
    plan: () => null,
    random: { number: () => 0.5, hex: () => "" },
    now: () => 1,
    ...parts,
  });
}

test("a row that was read while a FLUSHALL was pending is not shown after that", async () => {
  let pending = true;
  const walk = walkOver(keys("abc"), {
    clearPending: () => pending,
    scan: async () => {
      pending = false;
      return { records: keys("abc"), next: null };
    },
  });
  expect(await walk.page(null, 10)).toEqual({ keys: [], next: null });
});

test("a place may be handed back more than once", async () => {
  const held = keys("xyz");
  const walk = walkOver(keys("abcde"), {
    take: async () => ({ held, hidden: new Set() }),
    look: (records) => records.map((record) => (held.includes(record) ? "present" : "unknown")),
  });
  const pages: string[] = [];
  for (let place: KeysPlace | null = null; ;) {
    const page: KeysPage = await walk.page(place, 2);
    const again: KeysPage = await walk.page(place, 2);
    if (place !== null) expect(again.keys).toEqual(page.keys);
    pages.push(page.keys.join(""));
    if (page.next === null) break;
    place = page.next;
  }
  expect(pages).toEqual(["xy", "za", "bc", "de"]);
});

test("any key is one of the database's where none is at hand", async () => {
  expect(await walkOver(keys("abc")).any()).toBe("b");
  expect(await walkOver([]).any()).toBeNull();
});
