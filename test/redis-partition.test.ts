import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { logIdOf, partitionOf, partitionOfLog, tagOf } from "../src/redis/partition.js";
import { anyBytes } from "./arbitraries.js";

const noBraces = anyBytes.map((bytes) => bytes.replace(/[{}]/g, "-") as Bytes);

test("every record is in one of the partitions, always the same", () => {
  fc.assert(
    fc.property(anyBytes, fc.integer({ min: 1, max: 4096 }), (record, partitions) => {
      const partition = partitionOf(record, partitions);
      expect(partition).toBeGreaterThanOrEqual(0);
      expect(partition).toBeLessThan(partitions);
      expect(partitionOf(record, partitions)).toBe(partition);
    }),
  );
});

test("records with the same tag are in one partition, whatever stands around it", () => {
  fc.assert(
    fc.property(noBraces, noBraces, anyBytes, (tag, before, behind) => {
      const record = `${before}{${tag}}${behind}` as Bytes;
      expect(tagOf(record)).toBe(tag === "" ? record : tag);
      if (tag !== "") expect(partitionOf(record, 97)).toBe(partitionOf(tag, 97));
    }),
  );
});

test("tags are those of Redis Cluster: the first brace, the first one that closes it, and never an empty tag", () => {
  const tags = { "a{b}c": "b", "{b}{c}": "b", "a{{b}}": "{b", "a{}{b}": "a{}{b}", "a{b": "a{b", "}a{b}": "b", "": "" };
  for (const [record, tag] of Object.entries(tags)) expect(tagOf(bytesOfText(record))).toBe(tag);
});

test("the partition is the CRC-32 of the tag's bytes: a fleet's records never move", () => {
  const records = ["user:1", "user:2", "{shop}:cart", "naïve", "", "\u{1f600}"];
  expect(records.map((record) => partitionOf(bytesOfText(record), 8))).toEqual([2, 0, 2, 6, 0, 4]);
  expect(partitionOf("123456789" as Bytes, 2 ** 32)).toBe(0xcbf43926);
  expect(partitionOf(bytesOfText("é"), 2 ** 32)).toBe(0xe048d3e);
});

test("records spread evenly", () => {
  const counts = Array.from({ length: 8 }, () => 0);
  for (let id = 0; id < 8000; id++) (counts[partitionOf(`user:${id}` as Bytes, 8)] as number)++;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("a log id names the fleet and the partition", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (partition) => {
      const logId = logIdOf("0123456789abcdef01234567", partition);
      expect(logId).toMatch(/^0123456789abcdef01234567[0-9a-f]{8}$/);
      expect(partitionOfLog(logId)).toBe(partition);
    }),
  );
});
