/**
 * Generated commands on hashes and on single keys, for the property that this server and a real redis-server answer
 * them alike. Where the order of fields or chance decides, only what does not hang on it is asked here.
 */
import fc from "fast-check";

/** A command as its arguments, and how often it is generated. */
export interface Weighted {
  readonly weight: number;
  readonly arbitrary: fc.Arbitrary<string[]>;
}

const key = fc.constantFrom("a", "b", "h", "n", "");
/** What is asked how it is kept: nothing but these commands touches it, since Redis remembers how it came to be. */
const kept = fc.constantFrom("o", "p");
const field = fc.constantFrom("f", "g", "");
const value = fc.constantFrom("1", "x", "", "-5", "9999", "10000", "\r\n\0\xff", "a".repeat(44), "a".repeat(45));
const option = fc.constantFrom(
  "MATCH",
  "COUNT",
  "match",
  "count",
  "f*",
  "*",
  "zz",
  "0",
  "1",
  "5",
  "-1",
  "x",
  "NOVALUES",
);
const number = fc.constantFrom("0", "1", "-1", "5", "x", "", "9223372036854775807", "-9223372036854775808");
const nothing = fc.constantFrom("none", "-none-");
const samples = fc.constantFrom("SAMPLES", "samples");
const sub = fc.constantFrom("ENCODING", "FREQ", "USAGE", "a", "b");
const many = (part: fc.Arbitrary<string>, max = 4): fc.Arbitrary<string[]> => fc.array(part, { maxLength: max });

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

/** A scan whose page has one field at the most: its order is not ours to copy. */
const scan = fc
  .tuple(key, fc.constantFrom("0", "1", "-1", "", "x", " 1", "1x", "18446744073709551616"), many(option, 4))
  .map(([name, cursor, options]) => ["HSCAN", name, cursor, "MATCH", "f", ...options])
  .filter((args) => !args.slice(5).some((word, at, rest) => word.toLowerCase() === "match" && rest[at + 1] !== "zz"));

/** Keys that no other generator names. */
export const hashPipelineKeys = ["o", "p"];

/** The commands. */
export const hashPipelines: readonly Weighted[] = [
  { weight: 2, arbitrary: named(["HMSET"], key, many(fc.oneof(field, value), 5)) },
  { weight: 2, arbitrary: named(["HSETNX"], key, field, value) },
  { weight: 1, arbitrary: named(["HSTRLEN"], key, field) },
  { weight: 2, arbitrary: scan },
  { weight: 1, arbitrary: named(["HSCAN"], nothing, number, many(option, 3)) },
  { weight: 4, arbitrary: named(["RENAME", "RENAMENX"], key, key) },
  { weight: 1, arbitrary: named(["RENAME", "RENAMENX", "COPY"], nothing, key) },
  { weight: 4, arbitrary: named(["COPY"], key, key, fc.constantFrom([], ["REPLACE"])) },
  {
    weight: 2,
    arbitrary: named(
      ["COPY"],
      key,
      key,
      many(fc.constantFrom("REPLACE", "replace", "DB", "db", "0", "1", "-1", "x", "99999999999"), 3),
    ),
  },
  { weight: 2, arbitrary: named(["UNLINK", "TOUCH"], key, many(key)) },
  { weight: 2, arbitrary: named(["EXPIRETIME"], key) },
  { weight: 1, arbitrary: named(["PEXPIRETIME", "PTTL"], key) },
  { weight: 2, arbitrary: named(["SET"], kept, value) },
  { weight: 1, arbitrary: named(["HSET"], kept, field, value) },
  { weight: 1, arbitrary: named(["INCR", "DEL"], kept) },
  { weight: 3, arbitrary: named(["OBJECT"], fc.constantFrom("ENCODING", "REFCOUNT", "refcount"), kept) },
  { weight: 1, arbitrary: named(["OBJECT"], fc.constantFrom("FREQ", "nosuch", "IDLETIME"), many(nothing, 2)) },
  { weight: 1, arbitrary: named(["OBJECT", "MEMORY"], many(fc.constantFrom("FREQ", "USAGE"), 1), many(nothing, 2)) },
  {
    weight: 1,
    arbitrary: named(["MEMORY"], fc.constantFrom("USAGE", "usage"), nothing, many(fc.oneof(number, samples), 3)),
  },
  {
    weight: 1,
    arbitrary: named(["COMMAND"], fc.constant("GETKEYS"), fc.constantFrom("OBJECT", "MEMORY", "RENAME"), many(sub, 3)),
  },
  { weight: 1, arbitrary: named(["HRANDFIELD"], key, fc.constantFrom("0", "x", "", "-9223372036854775808")) },
  {
    weight: 1,
    arbitrary: named(["HRANDFIELD"], nothing, many(fc.oneof(number, fc.constantFrom("WITHVALUES", "withvalues")), 3)),
  },
];
