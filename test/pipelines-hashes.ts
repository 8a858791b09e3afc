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
const many = (part: fc.Arbitrary<string>, max = 4): fc.Arbitrary<string[]> => fc.array(part, { maxLength: max });

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

/** A scan whose page has one field at the most: its order is not ours to copy. */
const scan = fc
  .tuple(key, fc.constantFrom("0", "1", "-1", "", "x", " 1", "1x", "18446744073709551616"), many(option, 4))
  .map(([name, cursor, options]) => ["HSCAN", name, cursor, "MATCH", "f", ...options])
  .filter((args) => !args.slice(5).some((word, at, rest) => word.toLowerCase() === "match" && rest[at + 1] !== "zz"));

/** The commands. */
export const hashPipelines: readonly Weighted[] = [
  { weight: 2, arbitrary: named(["HMSET"], key, many(fc.oneof(field, value), 5)) },
  { weight: 2, arbitrary: named(["HSETNX"], key, field, value) },
  { weight: 1, arbitrary: named(["HSTRLEN"], key, field) },
  { weight: 2, arbitrary: scan },
  { weight: 1, arbitrary: named(["HSCAN"], nothing, number, many(option, 3)) },
  { weight: 1, arbitrary: named(["HRANDFIELD"], key, fc.constantFrom("0", "x", "", "-9223372036854775808")) },
  {
    weight: 1,
    arbitrary: named(["HRANDFIELD"], nothing, many(fc.oneof(number, fc.constantFrom("WITHVALUES", "withvalues")), 3)),
  },
];
