/** Frames and headers as bytes: what goes in comes out, and nothing else passes for a frame. */
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checksum } from "../src/queue/journal/checksum.js";
import {
  decodeBody,
  encodeFrame,
  frameBytes,
  frameHeadBytes,
  lookAtFrame,
  sealFrame,
} from "../src/queue/journal/frame.js";
import {
  encodeHeader,
  frameSeed,
  lookAtHeader,
  segmentSeed,
  type SegmentHeader,
} from "../src/queue/journal/segment.js";
import type { FrameBody } from "../src/queue/queue.js";
import { bodyArbitrary, set } from "./journal-kit.js";

const seed = 12345;

function framed(body: FrameBody, sequence = 7, at = 1_770_000_000_000, behind = 3): Buffer {
  const bytes = frameBytes(body);
  const buffer = Buffer.alloc(bytes + 5, 0xee);
  encodeFrame(buffer, 5, bytes, body, sequence, at);
  sealFrame(buffer, 5, bytes, behind, seed);
  return buffer;
}

test("every body comes back as it was", () => {
  const sequences = fc.oneof(fc.nat(), fc.integer({ min: 2 ** 32, max: 2 ** 47 }));
  const times = fc.integer({ min: 0, max: 2 ** 47 });
  fc.assert(
    fc.property(bodyArbitrary, sequences, times, fc.nat(), (body, sequence, at, behind) => {
      const buffer = framed(body, sequence, at, behind);
      const looked = lookAtFrame(buffer, 5, buffer.length, buffer.length, seed);
      if (looked.state !== "frame") throw new Error(looked.state);
      expect(looked.head).toMatchObject({ sequence, at, durable: sequence - behind, length: buffer.length - 5 });
      expect(decodeBody(buffer, 5, looked.head.length)).toEqual(body);
    }),
    { numRuns: 1000 },
  );
});

test("a long value is counted in several bytes", () => {
  for (const length of [127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const buffer = framed(set("k", "x".repeat(length)));
    expect(decodeBody(buffer, 5, buffer.length - 5)).toEqual(set("k", "x".repeat(length)));
  }
});

test("no flipped bit passes, and no other seed", () => {
  const buffer = framed(set("key", "value"));
  for (let bit = 5 * 8; bit < buffer.length * 8; bit++) {
    const copy = Buffer.from(buffer);
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(lookAtFrame(copy, 5, copy.length, copy.length - 5, seed).state).not.toBe("frame");
  }
  for (const other of [seed + 1, seed ^ 4096, 0]) {
    expect(lookAtFrame(buffer, 5, buffer.length, buffer.length - 5, other).state).toBe("none");
  }
});

test("a frame that is not all there says how much it needs", () => {
  const buffer = framed(set("key", "value"));
  const length = buffer.length - 5;
  expect(lookAtFrame(buffer, 5, 10, length, seed)).toEqual({ state: "short", bytes: frameHeadBytes });
  expect(lookAtFrame(buffer, 5, buffer.length - 1, length, seed)).toEqual({ state: "short", bytes: length });
  expect(lookAtFrame(buffer, 5, buffer.length, length - 1, seed)).toEqual({ state: "none" });
});

test("a frame of another version verifies and is told apart", () => {
  const buffer = framed(set("key", "value"));
  buffer[5 + 8] = 2;
  expect(lookAtFrame(buffer, 5, buffer.length, buffer.length - 5, seed).state).toBe("none");
  sealFrame(buffer, 5, buffer.length - 5, 0, seed);
  expect(lookAtFrame(buffer, 5, buffer.length, buffer.length - 5, seed)).toEqual({ state: "version", version: 2 });
});

test("the checksum is zlib's, at every length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(), (bytes, start) => {
      const buffer = Buffer.from(bytes);
      expect(checksum(buffer, 0, buffer.length, start)).toBe(crc32(buffer, start));
    }),
    { numRuns: 500 },
  );
});

const header: SegmentHeader = {
  logId: "00112233445566778899aabbccddeeff",
  index: 3,
  firstSequence: 2 ** 40,
  tagBefore: 0xdeadbeef,
  logOffset: 2 ** 41,
  size: 65536,
  durable: 2 ** 40 - 5,
  atBefore: 1_770_000_000_000,
  base: { logId: "ffeeddccbbaa99887766554433221100", sequence: 12, tag: 0xffffffff },
};

test("a header comes back as it was; damaged or of another version it is told apart", () => {
  const bytes = encodeHeader(header);
  expect(lookAtHeader(bytes)).toEqual({ state: "header", header });
  for (const at of [0, 9, 17, 25, 50, 115, 4095]) {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] as number) ^ 1;
    expect(lookAtHeader(copy)).toEqual({ state: "none" });
  }
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeUInt32LE(crc32(bytes), 16);
  expect(lookAtHeader(bytes)).toEqual({ state: "version", version: 2 });
});

test("seeds differ by log, segment and place", () => {
  const seeds = [
    header,
    { ...header, index: 4 },
    { ...header, firstSequence: 1 },
    { ...header, logId: header.base.logId },
  ];
  expect(new Set(seeds.map(segmentSeed)).size).toBe(seeds.length);
  expect(frameSeed(segmentSeed(header), 4096)).not.toBe(frameSeed(segmentSeed(header), 4097));
});
