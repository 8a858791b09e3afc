/** Patterns match what they match in a real redis-server, byte for byte. */
import fc from "fast-check";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { matches } from "../src/commands/glob.js";
import { describeRedis } from "./with-redis.js";

const does = (pattern: string, text: string): boolean => matches(pattern as Bytes, text as Bytes);

test.each([
  ["", "", true],
  ["*", "", true],
  ["**", "", false],
  ["**", "a", true],
  ["h?llo", "hello", true],
  ["h[ae]llo", "hallo", true],
  ["h[^e]llo", "hello", false],
  ["h[a-b]llo", "hbllo", true],
  ["h[b-a]llo", "hbllo", true],
  ["h\\?llo", "h?llo", true],
  ["h\\?llo", "hello", false],
  ["a\\", "a\\", true],
  ["[^", "x", true],
  ["[", "[", false],
  ["[a", "a", true],
  ["[\\]]", "]", true],
  ["[\\", "\\", true],
  ["[\xff-a]", "\x00", true],
  ["*b*d", "abcbcd", true],
  ["*b*d*", "abcbce", false],
])("%j and %j: %s", (pattern, text, expected) => {
  expect(does(pattern, text)).toBe(expected);
});

test("a pattern made to take exponential time does not, and one of a thousand stars matches nothing", () => {
  expect(does(`${"*a".repeat(1000)}b`, "a".repeat(5000))).toBe(false);
  expect(does("*a".repeat(1000), "a".repeat(1000))).toBe(true);
  expect(does("*a".repeat(1001), "a".repeat(1001))).toBe(false);
});

describeRedis("beside a real redis-server", (server) => {
  const byte = fc.constantFrom("a", "a", "b", "b", "c", "-", "^", "[", "]", "\\", "*", "?", "\0", "\xff", "\x80");
  const text = fc.array(byte, { maxLength: 7 }).map((bytes) => bytes.join(""));
  const part = fc.oneof(
    { weight: 3, arbitrary: byte },
    { weight: 2, arbitrary: fc.constantFrom("*", "*", "?", "a", "b") },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom("[", "[^"), text, fc.constantFrom("]", "")).map((of) => of.join("")),
    },
    { weight: 1, arbitrary: fc.tuple(byte, byte).map(([from, to]) => `[${from}-${to}]`) },
  );
  const pattern = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));

  test("KEYS gives the keys that match", { timeout: 60_000 }, async () => {
    const client = new Redis({ port: server().port, host: "127.0.0.1" });
    onTestFinished(() => client.disconnect());
    const check = fc.asyncProperty(
      fc.uniqueArray(text, { minLength: 1, maxLength: 30 }),
      fc.array(pattern, { maxLength: 20 }),
      async (keys, patterns) => {
        const asked = client.pipeline().flushall();
        for (const key of keys) asked.set(Buffer.from(key, "latin1"), "x");
        for (const each of patterns) asked.callBuffer("KEYS", Buffer.from(each, "latin1"));
        const replies = ((await asked.exec()) ?? []).slice(keys.length + 1);
        const theirs = replies.map(([, found]) => (found as Buffer[]).map((key) => key.toString("latin1")).toSorted());
        const ours = patterns.map((each) => keys.filter((key) => does(each, key)).toSorted());
        expect(Object.fromEntries(patterns.map((each, at) => [each, ours[at]]))).toEqual(
          Object.fromEntries(patterns.map((each, at) => [each, theirs[at]])),
        );
      },
    );
    await fc.assert(check, { numRuns: Number(process.env["DIFFERENTIAL_RUNS"] ?? 300) });
  });
});
