/** The laws that make coalescing safe, for every change there can be. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import {
  apply,
  applyAll,
  compose,
  contentBytes,
  isLive,
  remove,
  type Change,
  type Content,
  type Merge,
  type Replace,
} from "../src/change.js";
import { change, content, recordValue } from "./arbitraries.js";

const record = fc.option(recordValue);

describe("the laws of changes", () => {
  it("compose is associative, afterRemove and expiry included", () => {
    fc.assert(
      fc.property(change, change, change, (a, b, c) => {
        expect(compose(compose(a, b), c)).toEqual(compose(a, compose(b, c)));
      }),
      { numRuns: 3000 },
    );
  });

  it("applying one after the other is applying both as one, on a record that is there and on one that is not", () => {
    fc.assert(
      fc.property(record, change, change, (value, a, b) => {
        expect(apply(apply(value, a), b)).toEqual(apply(value, compose(a, b)));
      }),
      { numRuns: 3000 },
    );
  });

  it("applying all at once is applying one after the other, and changes nothing that was given", () => {
    fc.assert(
      fc.property(record, fc.array(change, { maxLength: 8 }), (value, changes) => {
        const given = structuredClone({ value, changes });
        expect(applyAll(value, changes)).toEqual(changes.reduce(apply, value));
        expect({ value, changes }).toEqual(given);
      }),
      { numRuns: 3000 },
    );
  });

  it("a run of changes is one change, however it is cut", () => {
    fc.assert(
      fc.property(record, fc.array(change, { minLength: 1, maxLength: 8 }), fc.nat(7), (value, changes, cut) => {
        const oneByOne = changes.reduce((now, next) => apply(now, next), value);
        const parts = [changes.slice(0, cut), changes.slice(cut)].filter((part) => part.length > 0);
        const cutInTwo = parts.map((part) => part.reduce(compose)).reduce((now, next) => apply(now, next), value);
        expect(cutInTwo).toEqual(oneByOne);
      }),
    );
  });

  it("applying a change twice is applying it once: values, not deltas", () => {
    fc.assert(
      fc.property(record, change, (value, one) => {
        expect(apply(apply(value, one), one)).toEqual(apply(value, one));
      }),
    );
  });

  it("a whole change does not care what was there", () => {
    fc.assert(
      fc.property(record, record, change, (a, b, one) => {
        fc.pre(one.kind !== "merge");
        expect(apply(a, one)).toEqual(apply(b, one));
      }),
    );
  });

  it("nothing that is given is changed", () => {
    fc.assert(
      fc.property(record, change, change, (value, a, b) => {
        const before = structuredClone({ value, a, b });
        apply(value, a);
        compose(a, b);
        expect({ value, a, b }).toEqual(before);
      }),
    );
  });
});

describe("a replacement remembers that the old row must go", () => {
  const afterRemoveOf = (one: Change): boolean => one.kind === "replace" && one.afterRemove;

  it("exactly when the record was removed at some point of the run", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const whole = changes.reduce(compose);
        const removed = changes.some((one) => one.kind === "remove" || afterRemoveOf(one));
        if (whole.kind === "replace") expect(whole.afterRemove).toBe(removed);
      }),
    );
  });

  it("put and delete in one window leaves a remove, delete then put a replacement after it", () => {
    const put: Replace = { kind: "replace", content: "v" as Bytes, expiresAt: null, afterRemove: false };
    expect(compose(put, remove)).toBe(remove);
    expect(compose(remove, put)).toEqual({ ...put, afterRemove: true });
  });
});

describe("time", () => {
  const expiry = (expiresAt: number | null | undefined): Merge => ({ kind: "merge", fields: null, expiresAt });

  it("a merge keeps, clears or sets the end; a replacement carries its own", () => {
    fc.assert(
      fc.property(recordValue, (value) => {
        expect(apply(value, expiry(undefined))).toEqual(value);
        expect(apply(value, expiry(null))).toEqual({ ...value, expiresAt: null });
        expect(apply(value, expiry(7))).toEqual({ ...value, expiresAt: 7 });
      }),
    );
  });

  it("a record ends at its end, not a moment later", () => {
    const value = { content: "v" as Bytes, expiresAt: 100 };
    expect(isLive(value, 99)).toBe(true);
    expect(isLive(value, 100)).toBe(false);
    expect(isLive({ ...value, expiresAt: null }, Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(isLive(null, 0)).toBe(false);
  });
});

it("the bytes of a content are those of its fields and values", () => {
  fc.assert(
    fc.property(content, (one: Content) => {
      const parts = typeof one === "string" ? [one] : [...one].flat();
      expect(contentBytes(one)).toBe(parts.join("").length);
    }),
  );
});
