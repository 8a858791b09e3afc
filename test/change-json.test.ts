import fc from "fast-check";
import { expect, test } from "vitest";
import { changeOfKept, keptChange, type KeptChange } from "../src/change-json.js";
import { change } from "./arbitraries.js";

test("a change comes back from its JSON as it was", () => {
  fc.assert(
    fc.property(change, (each) => {
      const text = JSON.stringify(keptChange(each));
      expect(changeOfKept(JSON.parse(text) as KeptChange)).toStrictEqual(each);
    }),
  );
});

test("what is no change is not taken for one", () => {
  for (const kept of [{ kind: "rename" }, {}, { kind: "replace" }, { kind: "merge", fields: {} }]) {
    expect(() => changeOfKept(kept as never)).toThrow(TypeError);
  }
});
