import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { changeOfKept, keptChange, type KeptChange } from "../src/change-json.js";
import type { Change } from "../src/change.js";
import { change } from "./arbitraries.js";

/** What a database gives back of a change that it was given in parts. */
function given(each: Change, bytesMax?: number): KeptChange[] {
  return keptChange(each, bytesMax).map((part) => JSON.parse(JSON.stringify(part)) as KeptChange);
}

test("a change comes back from its JSON as it was, in one part or in several", () => {
  fc.assert(
    fc.property(change, fc.constantFrom(undefined, 1, 20), (each, bytesMax) => {
      const parts = given(each, bytesMax);
      if (bytesMax === undefined) expect(parts).toHaveLength(1);
      expect(changeOfKept(parts)).toStrictEqual(each);
    }),
  );
});

test("fields are one part each where they are large, and never none", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => name as Bytes) as [Bytes, Bytes, Bytes];
  const set = new Map([a, b].map((name) => [name, "1234567890" as Bytes]));
  const merge = { kind: "merge", fields: { set, unset: new Set([c]) }, expiresAt: 5 } as const;
  const replace = { kind: "replace", content: set, expiresAt: null, afterRemove: true } as const;
  expect(given(merge, 10)).toHaveLength(3);
  expect(given(replace, 10)).toHaveLength(2);
  expect(given({ ...replace, content: new Map() }, 10)).toHaveLength(1);
  for (const each of [merge, replace]) expect(changeOfKept(given(each, 10))).toStrictEqual(each);
});

describe("a long value", () => {
  const bytes = (character: string): Bytes => character.repeat(100_000) as Bytes;
  test.each([
    ["of control characters", bytes("\x01"), 1.4],
    ["of lines of text", bytes("0123456789\n"), 1.2],
    ["of quotes", bytes('"'), 2.1],
    ["of control characters in text", bytes("0123\x01"), 2.1],
    ["of text", bytes('text "with" quotes '), 1.2],
    ["of UTF-8", bytes("\xc3\xa9"), 1.1],
    ["of any bytes", bytes("\xff"), 1.4],
  ])("%s is at most so much longer as JSON", (_, content, times) => {
    const replace = { kind: "replace", content, expiresAt: null, afterRemove: false } as const;
    const [part] = given(replace);
    expect(JSON.stringify(part).length).toBeLessThan(content.length * times);
    expect(changeOfKept(given(replace))).toStrictEqual(replace);
  });
});

test("what is no change is not taken for one", () => {
  const merge = { kind: "merge", fields: { set: [], unset: [] } };
  const string = { kind: "replace", value: { type: "string", value: "1", expiresAt: null }, afterRemove: false };
  for (const kept of [{ kind: "rename" }, {}, { kind: "replace" }, { kind: "merge", fields: {} }]) {
    expect(() => changeOfKept([kept as never])).toThrow(TypeError);
  }
  for (const parts of [
    [],
    [string, merge],
    [{ kind: "remove" }, merge],
    [merge, string],
    [merge, { kind: "remove" }],
  ]) {
    expect(() => changeOfKept(parts as never)).toThrow(TypeError);
  }
});
