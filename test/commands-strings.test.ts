/** Commands on strings beyond GET and SET: parts, bits, floats, ends; what they load, and what they cost. */
import fc from "fast-check";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { bufferOfBytes, bytesOfBuffer, type Bytes } from "../src/bytes.js";
import { checkSteps, plain, type Steps } from "./command-steps.js";
import { Model } from "./commands-model.js";
import { serveEngine, testFolder } from "./server-setup.js";

const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const syntax = "-ERR syntax error";
const notInteger = "-ERR value is not an integer or out of range";
const notFloat = "-ERR value is not a valid float";
const notFinite = "-ERR increment would produce NaN or Infinity";
const noOffset = "-ERR bit offset is not an integer or out of range";
const noBit = "-ERR bit is not an integer or out of range";
const tooLong = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
const invalidExpire = (name: string) => `-ERR invalid expire time in '${name}' command`;

const stories: Readonly<Record<string, Steps>> = {
  "SETNX and MSETNX": [
    ["SETNX a 1", 1],
    ["SETNX a 2", 0],
    ["GET a", "1"],
    ["MSETNX b 1 a 2", 0],
    ["EXISTS b", 0],
    ["MSETNX b 1 c 2 b 3", 1],
    ["MGET b c", ["3", "2"]],
    ["MSETNX d 1 e", "-ERR wrong number of arguments for 'msetnx' command"],
    ["HSET h f v", 1],
    ["SETNX h x", 0],
    ["MSETNX d 1 h x", 0],
  ],
  "SETEX and PSETEX": [
    ["SETEX a 10 x", "+OK"],
    ["PTTL a", 10_000],
    ["PSETEX a 10 y", "+OK"],
    ["GET a", "y"],
    ["after 10", null],
    ["GET a", null],
    ["HSET h f v", 1],
    ["SETEX h 10 x", "+OK"],
    ["GET h", "x"],
    ["SETEX a 0 x", invalidExpire("setex")],
    ["PSETEX a -1 x", invalidExpire("psetex")],
    ["SETEX a 9223372036854775807 x", invalidExpire("setex")],
    ["SETEX a x x", notInteger],
    ["EXISTS a", 0],
  ],
  "GETSET and GETDEL": [
    ["GETSET a 1", null],
    ["EXPIRE a 10", 1],
    ["GETSET a 2", "1"],
    ["TTL a", -1],
    ["GETDEL a", "2"],
    ["GETDEL a", null],
    ["EXISTS a", 0],
    ["HSET h f v", 1],
    ["GETSET h x", wrongType],
    ["GETDEL h", wrongType],
    ["HGET h f", "v"],
  ],
  GETEX: [
    ["GETEX a EX 0", null],
    ["GETEX a EX", syntax],
    ["SET a 1", "+OK"],
    ["GETEX a EX 10", "1"],
    ["PTTL a", 10_000],
    ["GETEX a", "1"],
    ["PTTL a", 10_000],
    ["GETEX a px 5 PX 50", "1"],
    ["PTTL a", 50],
    ["GETEX a EXAT 2000", "1"],
    ["TTL a", 1000],
    ["GETEX a PXAT 1000100", "1"],
    ["PTTL a", 100],
    ["GETEX a persist PERSIST", "1"],
    ["TTL a", -1],
    ["GETEX a PERSIST", "1"],
    ["GETEX a EX 1 PERSIST", syntax],
    ["GETEX a PERSIST EX 1", syntax],
    ["GETEX a EX 1 PX 1", syntax],
    ["GETEX a KEEPTTL", syntax],
    ["GETEX a NX", syntax],
    ["GETEX a GET", syntax],
    ["GETEX a EX 0", invalidExpire("getex")],
    ["GETEX a PXAT -1", invalidExpire("getex")],
    ["GETEX a EX 9223372036854775807", invalidExpire("getex")],
    ["GETEX a EX x", notInteger],
    ["TTL a", -1],
    ["GETEX a EXAT 1", "1"],
    ["EXISTS a", 0],
    ["HSET h f v", 1],
    ["GETEX h EX 0", wrongType],
  ],
  "SET and GETEX compare their options up to a zero byte": [
    ["SET a 1 EX\0x 10", "+OK"],
    ["TTL a", 10],
    ["GETEX a PERSIST\0", "1"],
    ["TTL a", -1],
    ["SET a 2 \0NX", syntax],
  ],
  "GETRANGE and SUBSTR": [
    ["SET a abcde", "+OK"],
    ["GETRANGE a 0 -1", "abcde"],
    ["GETRANGE a 1 3", "bcd"],
    ["SUBSTR a -3 -2", "cd"],
    ["GETRANGE a -100 100", "abcde"],
    ["GETRANGE a 3 2", ""],
    ["GETRANGE a -1 -2", ""],
    ["GETRANGE a -100 -50", "a"],
    ["GETRANGE a -9223372036854775807 -9223372036854775808", ""],
    ["GETRANGE a -9223372036854775808 9223372036854775807", "abcde"],
    ["GETRANGE a 5 9", ""],
    ["GETRANGE x 0 -1", ""],
    ["GETRANGE x a 1", notInteger],
    ["HSET h f v", 1],
    ["GETRANGE h 0 -1", wrongType],
  ],
  SETRANGE: [
    ["SETRANGE a 2 xy", 4],
    ["GET a", "\0\0xy"],
    ["SETRANGE a 0 abc", 4],
    ["GET a", "abcy"],
    ["SETRANGE a 4 z", 5],
    ["SETRANGE a 1 ", 5],
    ["SETRANGE a 99 ", 5],
    ["EXPIRE a 10", 1],
    ["SETRANGE a 6 !", 7],
    ["GET a", "abcyz\0!"],
    ["TTL a", 10],
    ["SETRANGE x 5 ", 0],
    ["EXISTS x", 0],
    ["SETRANGE a -1 x", "-ERR offset is out of range"],
    ["SETRANGE a x x", notInteger],
    ["SETRANGE a 536870912 x", tooLong],
    ["SETRANGE a 9223372036854775807 x", tooLong],
    ["SETRANGE a 536870912 ", 7],
    [
      "SETRANGE a 536870911 x",
      "-ERR a string of 536870912 bytes; the most is 536870888 (make it shorter, or split it over several records)",
    ],
    ["HSET h f v", 1],
    ["SETRANGE h 536870912 x", wrongType],
  ],
  bits: [
    ["SETBIT a 7 1", 0],
    ["GET a", "\x01"],
    ["SETBIT a 7 1", 1],
    ["SETBIT a 0 1", 0],
    ["SETBIT a 7 0", 1],
    ["GET a", "\x80"],
    ["EXPIRE a 10", 1],
    ["SETBIT a 17 0", 0],
    ["GET a", "\x80\0\0"],
    ["TTL a", 10],
    ["SETBIT x 9 0", 0],
    ["GET x", "\0\0"],
    ["GETBIT a 0", 1],
    ["GETBIT a 1", 0],
    ["GETBIT a 4294967295", 0],
    ["GETBIT none 5", 0],
    ["SETBIT a 4294967296 1", noOffset],
    ["SETBIT a -1 1", noOffset],
    ["GETBIT a x", noOffset],
    ["GETBIT a 9223372036854775807", noOffset],
    ["SETBIT a 1 2", noBit],
    ["SETBIT a 1 x", noBit],
    ["SETBIT a x x", noOffset],
    [
      "SETBIT y 4294967295 1",
      "-ERR a string of 536870912 bytes; the most is 536870888 (make it shorter, or split it over several records)",
    ],
    ["HSET h f v", 1],
    ["SETBIT h 1 2", noBit],
    ["SETBIT h 1 1", wrongType],
    ["GETBIT h 1", wrongType],
  ],
  BITCOUNT: [
    ["SET a foobar", "+OK"],
    ["BITCOUNT a", 26],
    ["BITCOUNT a 0 0", 4],
    ["BITCOUNT a 1 1 byte", 6],
    ["BITCOUNT a 5 30 BIT", 17],
    ["BITCOUNT a 0 -5", 10],
    ["BITCOUNT a -1 -2", 0],
    ["BITCOUNT a -1 -2 foo", 0],
    ["BITCOUNT a 0 1 foo", syntax],
    ["BITCOUNT a 1", syntax],
    ["BITCOUNT a 1 2 bit 3", syntax],
    ["BITCOUNT a x 1", notInteger],
    ["BITCOUNT x x 1", 0],
    ["BITCOUNT x", 0],
    ["HSET h f v", 1],
    ["BITCOUNT h x", wrongType],
  ],
  INCRBYFLOAT: [
    ["INCRBYFLOAT a 0.1", "0.1"],
    ["INCRBYFLOAT a 0.2", "0.3"],
    ["INCRBYFLOAT a 5.0e3", "5000.29999999999999982"],
    ["EXPIRE a 10", 1],
    ["INCRBYFLOAT a -5000.29999999999999982", "0"],
    ["TTL a", 10],
    ["GET a", "0"],
    ["INCRBYFLOAT a 1", "1"],
    ["INCR a", 2],
    ["INCRBYFLOAT a x", notFloat],
    ["INCRBYFLOAT a nan", notFloat],
    ["INCRBYFLOAT a inf", notFinite],
    ["INCRBYFLOAT a 1e4933", notFloat],
    ["SET b 1.1e4932", "+OK"],
    ["INCRBYFLOAT b 1.1e4932", notFinite],
    ["SET b -inf", "+OK"],
    ["INCRBYFLOAT b inf", notFinite],
    ["SET b x", "+OK"],
    ["INCRBYFLOAT b 1", notFloat],
    ["HSET h f v", 1],
    ["INCRBYFLOAT h x", wrongType],
  ],
  HINCRBYFLOAT: [
    ["HINCRBYFLOAT h f 10.5", "10.5"],
    ["HINCRBYFLOAT h f 0.1", "10.6"],
    ["HINCRBYFLOAT h g -1e2", "-100"],
    ["HGETALL h", { f: "10.6", g: "-100" }],
    ["HINCRBYFLOAT h f x", notFloat],
    ["HINCRBYFLOAT h f inf", "-ERR value is NaN or Infinity"],
    ["HSET h s x i inf", 2],
    ["HINCRBYFLOAT h s 1", "-ERR hash value is not a float"],
    ["HINCRBYFLOAT h i 1", notFinite],
    ["SET a 1", "+OK"],
    ["HINCRBYFLOAT a f x", notFloat],
    ["HINCRBYFLOAT a f 1", wrongType],
  ],
};

describe("commands on strings behave as in Redis", () => {
  test.each(Object.entries(stories))("%s", (_name, steps) => checkSteps(steps));
});

test.each(["SETEX a 10 x", "PSETEX a 10 x"])("%s never needs the database", (line) => {
  const model = new Model();
  model.cold.add("a" as Bytes);
  model.run(...line.split(" "));
  expect(model.missing).toEqual([]);
});

test.each([
  "SETNX a 1",
  "MSETNX b 1 a 1",
  "GETSET a 1",
  "GETDEL a",
  "GETEX a",
  "GETEX a PERSIST",
  "GETEX a EX 1",
  "GETRANGE a 0 0",
  "SETRANGE a 1 x",
  "SETBIT a 1 1",
  "GETBIT a 1",
  "BITCOUNT a",
  "INCRBYFLOAT a 1",
])("%s loads what it needs, then gives the same as if it had been in memory", (line) => {
  const results = [true, false].map((isCold) => {
    const model = new Model();
    model.records.set("a" as Bytes, { content: "7" as Bytes, expiresAt: model.now + 5000 });
    if (isCold) model.cold.add("a" as Bytes);
    const reply = plain(model.run(...line.split(" ")));
    expect(model.missing).toEqual(isCold ? ["a"] : []);
    return [reply, [...model.records]];
  });
  expect(results[0]).toEqual(results[1]);
});

test("MSETNX asks for all of its records at once, also where the first is there", () => {
  const model = new Model();
  model.records.set("a" as Bytes, { content: "7" as Bytes, expiresAt: null });
  for (const name of ["a", "b", "c"]) model.cold.add(name as Bytes);
  expect(model.run("MSETNX", "a", "1", "b", "1", "c", "1")).toBe(0);
  expect(model.missing).toEqual(["a", "b", "c"]);
});

test("a bit that is what it is to be makes no change", () => {
  const model = new Model();
  model.run("SETBIT", "a", "3", "1");
  const before = model.records.get("a" as Bytes);
  model.run("SETBIT", "a", "3", "1");
  model.run("SETBIT", "a", "4", "0");
  expect(model.records.get("a" as Bytes)).toBe(before);
});

test("bits and ranges are those of a list of bits", () => {
  const index = fc.integer({ min: -40, max: 40 });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 4 }),
      index,
      index,
      fc.nat(40),
      fc.boolean(),
      (bytes, start, end, at, bit) => {
        const model = new Model();
        const value = bytesOfBuffer(bytes);
        model.run("SET", "a", value);
        const bits = [...bytes].flatMap((byte) => byte.toString(2).padStart(8, "0").split("").map(Number));
        const cut = <T>(list: readonly T[]) => {
          if (start < 0 && end < 0 && start > end) return [];
          const [from, last] = [start, end].map((one) => Math.max(one < 0 ? list.length + one : one, 0));
          return list.slice(from, (last as number) + 1);
        };
        const ones = (list: readonly number[]) => list.filter((one) => one === 1).length;
        expect(model.run("GETRANGE", "a", `${start}`, `${end}`)).toBe(bytesOfBuffer(Uint8Array.from(cut([...bytes]))));
        expect(model.run("BITCOUNT", "a", `${start}`, `${end}`, "BIT")).toBe(ones(cut(bits)));
        expect(model.run("BITCOUNT", "a")).toBe(ones(bits));
        expect(model.run("GETBIT", "a", `${at}`)).toBe(bits[at] ?? 0);
        expect(model.run("SETBIT", "a", `${at}`, bit ? "1" : "0")).toBe(bits[at] ?? 0);
        const after = bits.concat(
          Array.from({ length: Math.max(0, Math.ceil((at + 1) / 8) * 8 - bits.length) }, () => 0),
        );
        after[at] = bit ? 1 : 0;
        const now = [...bufferOfBytes(model.run("GET", "a") as Bytes)].map((one) => one.toString(2).padStart(8, "0"));
        expect(now.join("")).toBe(after.join(""));
      },
    ),
  );
});

test.each([
  [
    "SETRANGE",
    "268435456",
    "x",
    /^ERR the value of 268435457 bytes, at "a"; the database takes 268435456: nothing was/,
  ],
  ["SETBIT", "1073741824", "1", /^ERR one command or transaction of 1342\d{5} bytes; the most is 134217728/],
  ["SETBIT", "4294967295", "1", /^ERR a string of 536870912 bytes; the most is/],
])("%s at %s makes a string that nobody takes: it is refused, and nothing is there", async (name, at, what, error) => {
  const { port, stop } = await serveEngine(testFolder());
  onTestFinished(stop);
  const client = new Redis({ port, host: "127.0.0.1" });
  onTestFinished(() => client.disconnect());
  await expect(client.call(name, "a", at, what)).rejects.toThrow(error);
  expect(await client.exists("a")).toBe(0);
});
