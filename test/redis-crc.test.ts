import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bufferOfBytes } from "../src/bytes.js";
import { crcOfBytes, crcOfText } from "../src/redis/crc.js";
import { anyBytes } from "./arbitraries.js";

const lengths = fc.integer({ min: 0, max: 200 });

test("the checksums of bytes and of text, short and long, are those of zlib", () => {
  fc.assert(
    fc.property(anyBytes, lengths, fc.integer({ min: 0, max: 0xffffffff }), (bytes, length, before) => {
      for (const text of [bytes, bytes.padEnd(length, "x") as typeof bytes]) {
        expect(crcOfBytes(text)).toBe(crc32(bufferOfBytes(text)));
        expect(crcOfText(text, before)).toBe(crc32(text, before));
        expect(crcOfText(text)).toBe(crc32(text));
      }
    }),
  );
});
