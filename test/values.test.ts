import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bufferOfBytes, bytesOfText, textOfBytes, type Bytes } from "../src/bytes.js";
import {
  bytesOfKey,
  bytesOfValue,
  checkedTtl,
  incremented,
  integerOfBytes,
  safeNumber,
} from "../src/library/values.js";

describe("values at the edge", () => {
  test("text and bytes come back as they were", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(textOfBytes(bytesOfValue(text))).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(new Uint8Array(bufferOfBytes(bytesOfKey(bytes)))).toEqual(bytes);
      }),
    );
  });

  test("what is no value is a TypeError with a hint", () => {
    for (const wrong of [null, undefined, {}, [], true, Symbol("s"), NaN, Infinity, () => 1]) {
      expect(() => bytesOfValue(wrong as never)).toThrow(TypeError);
    }
    expect(() => bytesOfKey(1 as never)).toThrow(/string or a Uint8Array/);
  });
});

describe("counters", () => {
  test("an integer is what Redis calls one", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (n) => {
        expect(integerOfBytes(bytesOfText(String(n)))).toBe(n);
      }),
    );
    for (const none of [
      "",
      "01",
      "+1",
      "-0",
      " 1",
      "1 ",
      "1.0",
      "0x1",
      "9223372036854775808",
      "-9223372036854775809",
    ]) {
      expect(integerOfBytes(none as Bytes)).toBeNull();
    }
  });

  test("a sum beyond 64 bits, or beyond what a number holds, is refused", () => {
    expect(() => incremented("9223372036854775807" as Bytes, 1n)).toThrow(/overflow/);
    expect(() => incremented("x" as Bytes, 1n)).toThrow(/not an integer/);
    expect(incremented(null, -5n)).toBe(-5n);
    expect(() => safeNumber(2n ** 53n)).toThrow(/2\^53/);
  });

  test("a time to live is whole and positive", () => {
    expect(checkedTtl(undefined)).toBeNull();
    expect(checkedTtl(1)).toBe(1);
    for (const wrong of [0, -1, 0.5, NaN, Infinity]) expect(() => checkedTtl(wrong)).toThrow(/whole number/);
  });
});
