import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { addIntegers, negate, parseInteger } from "../src/commands/integer.js";
import { findCommand } from "../src/commands/table.js";
import { checkSteps, plain, type Steps } from "./command-steps.js";
import { Model } from "./commands-model.js";

const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const notInteger = "-ERR value is not an integer or out of range";
const overflow = "-ERR increment or decrement would overflow";
const invalidExpire = (name: string) => `-ERR invalid expire time in '${name}' command`;

const stories: Readonly<Record<string, Steps>> = {
  "GET and SET": [
    ["GET a", null],
    ["SET a 1", "+OK"],
    ["get a", "1"],
    ["SET a 2 NX", null],
    ["SET b 2 XX", null],
    ["GET b", null],
    ["SET a 2 XX", "+OK"],
    ["SET b 1 nx", "+OK"],
    ["SET a 3 GET", "2"],
    ["SET c 3 GET", null],
    ["SET c 4 NX GET", "3"],
    ["GET c", "3"],
    ["SET d 4 NX GET", null],
    ["GET d", "4"],
    ["SET e 4 XX GET", null],
    ["GET e", null],
    ["HSET h f v", 1],
    ["GET h", wrongType],
    ["SET h x GET", wrongType],
    ["SET h x NX", null],
    ["SET h x", "+OK"],
    ["GET h", "x"],
  ],
  "SET with wrong options": [
    ["SET a 1 NX XX", "-ERR syntax error"],
    ["SET a 1 EX", "-ERR syntax error"],
    ["SET a 1 FOO", "-ERR syntax error"],
    ["SET a 1 EX 1 PX 1", "-ERR syntax error"],
    ["SET a 1 EX 1 KEEPTTL", "-ERR syntax error"],
    ["SET a 1 KEEPTTL EX 1", "-ERR syntax error"],
    ["SET a 1 EX x", notInteger],
    ["SET a 1 EX 0", invalidExpire("set")],
    ["SET a 1 PX -1", invalidExpire("set")],
    ["SET a 1 EX 9223372036854775807", invalidExpire("set")],
    ["SET a 1 PX 9223372036854775807", invalidExpire("set")],
    ["SET a 1 NX EX 0", invalidExpire("set")],
    ["EXISTS a", 0],
  ],
  "SET with expiry": [
    ["SET a 1 EX 10", "+OK"],
    ["TTL a", 10],
    ["PTTL a", 10_000],
    ["SET a 2 KEEPTTL", "+OK"],
    ["PTTL a", 10_000],
    ["SET a 3", "+OK"],
    ["TTL a", -1],
    ["SET a 3 PX 100", "+OK"],
    ["after 99", null],
    ["GET a", "3"],
    ["after 1", null],
    ["GET a", null],
    ["SET a 1 NX", "+OK"],
    ["SET a 1 PXAT 1000200", "+OK"],
    ["PTTL a", 100],
    ["SET a 1 EXAT 2000", "+OK"],
    ["TTL a", 1000],
    ["SET a 1 EXAT 1", "+OK"],
    ["EXISTS a", 0],
  ],
  "MGET and MSET": [
    ["MSET a 1 b 2 a 3", "+OK"],
    ["HSET h f v", 1],
    ["MGET a b c h", ["3", "2", null, null]],
    ["MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"],
    ["MSET h 1", "+OK"],
    ["GET h", "1"],
  ],
  counters: [
    ["INCR n", 1],
    ["INCRBY n 10", 11],
    ["DECR n", 10],
    ["DECRBY n 20", -10],
    ["GET n", "-10"],
    ["INCRBY n 9223372036854775807", 9223372036854775797n],
    ["INCRBY n 100", overflow],
    ["DECRBY n -9223372036854775808", "-ERR decrement would overflow"],
    ["GET n", "9223372036854775797"],
    ["INCRBY n x", notInteger],
    ["INCRBY n 9223372036854775808", notInteger],
    ["SET n -9223372036854775808", "+OK"],
    ["DECR n", overflow],
    ["INCR n", -9223372036854775807n],
    ["SET s x", "+OK"],
    ["INCR s", notInteger],
    ["SET s 01", "+OK"],
    ["INCR s", notInteger],
    ["SET s -0", "+OK"],
    ["INCR s", notInteger],
    ["SET t 1 EX 10", "+OK"],
    ["INCR t", 2],
    ["TTL t", 10],
    ["HSET h f v", 1],
    ["INCR h", wrongType],
  ],
  "APPEND and STRLEN": [
    ["STRLEN a", 0],
    ["APPEND a xy", 2],
    ["PEXPIRE a 1000", 1],
    ["APPEND a z", 3],
    ["GET a", "xyz"],
    ["PTTL a", 1000],
    ["STRLEN a", 3],
    ["HSET h f v", 1],
    ["APPEND h x", wrongType],
    ["STRLEN h", wrongType],
  ],
  "DEL EXISTS TYPE": [
    ["MSET a 1 b 2", "+OK"],
    ["HSET h f v", 1],
    ["EXISTS a a b c", 3],
    ["TYPE a", "+string"],
    ["TYPE h", "+hash"],
    ["TYPE c", "+none"],
    ["DEL a a h c", 2],
    ["EXISTS a h", 0],
  ],
  expiry: [
    ["TTL a", -2],
    ["PTTL a", -2],
    ["EXPIRE a 10", 0],
    ["PERSIST a", 0],
    ["SET a 1", "+OK"],
    ["PERSIST a", 0],
    ["EXPIRE a 10 XX", 0],
    ["EXPIRE a 10 GT", 0],
    ["EXPIRE a 10 LT", 1],
    ["EXPIRE a 10 NX", 0],
    ["EXPIRE a 10 GT", 0],
    ["EXPIRE a 11 GT", 1],
    ["EXPIRE a 11 LT", 0],
    ["EXPIRE a 20 xx", 1],
    ["after 1499", null],
    ["TTL a", 19],
    ["after 2", null],
    ["TTL a", 18],
    ["PERSIST a", 1],
    ["TTL a", -1],
    ["PEXPIREAT a 1002000", 1],
    ["PTTL a", 499],
    ["EXPIREAT a 1003", 1],
    ["EXPIRE a 5 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible"],
    ["EXPIRE a 5 GT LT", "-ERR GT and LT options at the same time are not compatible"],
    ["EXPIRE a 5 FOO", "-ERR Unsupported option FOO"],
    ["EXPIRE a x", notInteger],
    ["EXPIRE a 9223372036854775807", invalidExpire("expire")],
    ["PEXPIRE a 9223372036854775807", invalidExpire("pexpire")],
    ["EXPIRE a -1", 1],
    ["EXISTS a", 0],
    ["HSET h f v", 1],
    ["EXPIRE h 1", 1],
    ["HSET h g w", 1],
    ["TTL h", 1],
    ["after 1000", null],
    ["HGETALL h", {}],
  ],
  hashes: [
    ["HSET h a 1 b 2 a 3", 2],
    ["HSET h a 4 c 5", 1],
    ["HSET h a", "-ERR wrong number of arguments for 'hset' command"],
    ["HGET h a", "4"],
    ["HGET h x", null],
    ["HGET x a", null],
    ["HMGET h a x c", ["4", null, "5"]],
    ["HMGET x a", [null]],
    ["HGETALL h", { a: "4", b: "2", c: "5" }],
    ["HGETALL x", {}],
    ["HKEYS h", ["a", "b", "c"]],
    ["HVALS h", ["4", "2", "5"]],
    ["HLEN h", 3],
    ["HLEN x", 0],
    ["HEXISTS h a", 1],
    ["HEXISTS h x", 0],
    ["HINCRBY h a 6", 10],
    ["HINCRBY h n -6", -6],
    ["HINCRBY h a x", notInteger],
    ["HSET h s x", 1],
    ["HINCRBY h s 1", "-ERR hash value is not an integer"],
    ["HSET h s 9223372036854775807", 0],
    ["HINCRBY h s 1", overflow],
    ["HDEL h a a x", 1],
    ["HDEL x a", 0],
    ["HDEL h b c n s", 4],
    ["EXISTS h", 0],
    ["SET s 1", "+OK"],
    ["HSET s a 1", wrongType],
    ["HGET s a", wrongType],
    ["HMGET s a", wrongType],
    ["HGETALL s", wrongType],
    ["HDEL s a", wrongType],
    ["HINCRBY s a 1", wrongType],
    ["HLEN s", wrongType],
    ["HEXISTS s a", wrongType],
  ],
  FLUSHALL: [
    ["MSET a 1 b 2", "+OK"],
    ["FLUSHALL WAIT", "-ERR syntax error"],
    ["FLUSHALL ASYNC", "+OK"],
    ["EXISTS a b", 0],
    ["SET a 1", "+OK"],
    ["FLUSHDB", "+OK"],
    ["EXISTS a", 0],
  ],
};

describe("commands behave as in Redis", () => {
  test.each(Object.entries(stories))("%s", (_name, steps) => checkSteps(steps));
});

const blind: readonly string[] = ["SET a 1", "SET a 1 EX 10", "MSET a 1 b 2", "FLUSHALL"];
const reading: readonly string[] = [
  "GET a",
  "SET a 1 NX",
  "SET a 1 KEEPTTL",
  "SET a 1 GET",
  "INCR a",
  "DEL a",
  "EXISTS a",
  "HSET a f v",
  "EXPIRE a 1",
  "TTL a",
];

test.each(blind)("%s never needs the database", (line) => {
  const model = new Model();
  model.cold.add("a" as Bytes).add("b" as Bytes);
  model.run(...line.split(" "));
  expect(model.missing).toEqual([]);
});

test.each(reading)("%s loads what it needs, then gives the same as if it had been in memory", (line) => {
  const results = [true, false].map((isCold) => {
    const model = new Model();
    model.records.set("a" as Bytes, {
      content: line.startsWith("HSET") ? new Map() : ("7" as Bytes),
      expiresAt: model.now + 5000,
    });
    if (isCold) model.cold.add("a" as Bytes);
    const reply = plain(model.run(...line.split(" ")));
    expect(model.missing).toEqual(isCold ? ["a"] : []);
    return [reply, [...model.records]];
  });
  expect(results[0]).toEqual(results[1]);
});

test("a command is found in any spelling", () => {
  expect(findCommand("GeT" as Bytes)?.name).toBe("get");
  expect(findCommand("constructor" as Bytes)).toBe(undefined);
});

test("integers are 64 bits, and what is read is what was written", () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const number = fc.oneof(int64, fc.integer().map(BigInt));
  const narrow = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
  const fits = (value: bigint) => (BigInt.asIntN(64, value) === value ? narrow(value) : null);
  fc.assert(
    fc.property(number, number, (a, b) => {
      expect(parseInteger(String(a) as Bytes)).toBe(narrow(a));
      expect(addIntegers(narrow(a), narrow(b))).toBe(fits(a + b));
      expect(negate(narrow(a))).toBe(fits(-a));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  "",
  " 1",
  "1 ",
  "+1",
  "01",
  "-0",
  "1.0",
  "1e3",
  "0x1",
  "9223372036854775808",
  "-9223372036854775809",
  "1\n",
])("%j is not an integer", (text) => {
  expect(parseInteger(text as Bytes)).toBe(null);
});
