/** Bytes go through every form they have in the system and come back the same. */
import { toUSVString } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bufferOfBytes,
  bytesOfBuffer,
  bytesOfJson,
  bytesOfText,
  jsonOfBytes,
  textOfBytes,
  textOrNull,
  type Bytes,
} from "../src/bytes.js";
import { anyBytes } from "./arbitraries.js";

const text = fc.string({ unit: "binary", maxLength: 30 });
const wellFormed = fc.string({ unit: "grapheme", maxLength: 30 });

describe("bytes", () => {
  it("come back from a buffer, also from a part of a larger one", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(20), (buffer, start) => {
        const part = buffer.subarray(Math.min(start, buffer.length));
        expect([...bufferOfBytes(bytesOfBuffer(part))]).toEqual([...part]);
      }),
    );
  });

  it("are one character a byte", () => {
    fc.assert(
      fc.property(text, (one) => {
        const bytes = bytesOfText(one);
        expect(bytes.length).toBe(Buffer.byteLength(one));
        expect(/^[\x00-\xff]*$/.test(bytes)).toBe(true);
      }),
    );
  });

  it("come back from JSON, valid UTF-8 or not", () => {
    fc.assert(
      fc.property(fc.oneof(anyBytes, text.map(bytesOfText)), (bytes) => {
        const json: unknown = JSON.parse(JSON.stringify(jsonOfBytes(bytes)));
        expect(bytesOfJson(json as string)).toBe(bytes);
      }),
    );
  });

  it("compare as memcmp compares them", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(Math.sign(Number(a > b) - Number(a < b))).toBe(Buffer.compare(bufferOfBytes(a), bufferOfBytes(b)));
      }),
    );
  });
});

describe("text", () => {
  it("comes back, every character of Unicode", () => {
    fc.assert(
      fc.property(wellFormed, (one) => {
        expect(textOfBytes(bytesOfText(one))).toBe(toUSVString(one));
        expect(textOrNull(bytesOfText(one))).toBe(toUSVString(one));
      }),
    );
  });

  it("a lone surrogate becomes U+FFFD, as everywhere in Node", () => {
    for (const lone of ["\ud800", "a\udfffb", "\udc00\ud800"]) {
      expect(textOfBytes(bytesOfText(lone))).toBe(toUSVString(lone));
    }
  });

  it("is null exactly where a strict decoder refuses the bytes", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.oneof(anyBytes, text.map(bytesOfText)), (bytes) => {
        let expected: string | null = null;
        try {
          expected = strict.decode(bufferOfBytes(bytes));
        } catch {
          // Not UTF-8: null is what is expected.
        }
        expect(textOrNull(bytes)).toBe(expected);
      }),
    );
  });

  it("keeps a byte order mark, refuses overlong forms and encoded surrogates", () => {
    expect(textOrNull("\xef\xbb\xbfa" as Bytes)).toBe("\ufeffa");
    expect(textOrNull("\xc0\x80" as Bytes)).toBeNull();
    expect(textOrNull("\xed\xa0\x80" as Bytes)).toBeNull();
    expect(textOfBytes("a\xff" as Bytes)).toBe("a\ufffd");
  });
});
