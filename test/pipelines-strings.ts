/** Generated commands on strings and floats, for the pipelines that redis-server answers too. */
import fc from "fast-check";

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<string[]> };

const key = fc.constantFrom("a", "b", "h", "n", "");
const field = fc.constantFrom("f", "g", "");
const value = fc.constantFrom("1", "x", "", "0.5", "abcdefghij", "\r\n\0\xff", "3.0", "-1e3", "inf", "foobar");
const places = ["0", "1", "2", "3", "7", "-1", "-2", "-3", "-100", "100", "15", "1000", "x", "", "01"];
const far = ["9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775808"];
const index = fc.constantFrom(...places, ...far);
/** Places that make no string long: those beyond Redis' limit, and some that are near. */
const offset = fc.constantFrom("0", "1", "2", "5", "7", "8", "40", "100", "-1", "x", "", "00", "4294967296", ...far);
const floats = ["1", "-1", "0.1", "-0.1", "1e3", "3.0e-3", ".5", "5.", "+2", "0x1p4", "-0", "1e-18", "1e300"];
const edges = ["1.1e4932", "1e4933", "1e-5000", "inf", "-inf", "nan", "x", "", " 1", "1 ", "1\0"];
const float = fc.oneof(
  fc.constantFrom(...floats, ...edges, "9223372036854775807"),
  fc.double({ noNaN: true }).map(String),
  fc.integer({ min: -100_000, max: 100_000 }).map((hundredths) => String(hundredths / 100)),
);
const end = fc.constantFrom("100", "5000", "0", "-1", "x", "", "99999999999", "9223372036854775807");
const getexOption = fc.oneof(
  fc.constantFrom("PERSIST", "persist", "PERSIST\0", "KEEPTTL", "NX", "GET", "EX", "x"),
  fc.constantFrom("EX", "PX", "EXAT", "PXAT", "ex", "EX\0x"),
);
const getexOptions = fc.oneof(
  fc.constant<string[]>([]),
  fc.constant<string[]>(["PERSIST"]),
  fc.tuple(fc.constantFrom("EX", "PX", "EXAT", "PXAT", "px"), end).map((both) => [...both]),
  fc.array(fc.oneof(getexOption, end), { maxLength: 4 }),
);
const setOption = fc.constantFrom("NX\0", "GET\0x", "KEEPTTL", "xx", "NX", "GET", "", "\0");

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

/** The commands, with how often each comes. */
export const stringPipelines: readonly Weighted[] = [
  { weight: 2, arbitrary: named(["GETDEL"], key) },
  { weight: 3, arbitrary: named(["GETEX"], key, getexOptions) },
  { weight: 2, arbitrary: named(["GETSET", "SETNX"], key, value) },
  { weight: 2, arbitrary: named(["SETEX", "PSETEX"], key, end, value) },
  { weight: 1, arbitrary: named(["MSETNX"], key, value, fc.array(fc.oneof(key, value), { maxLength: 3 })) },
  { weight: 1, arbitrary: named(["SET"], key, value, fc.array(setOption, { maxLength: 3 })) },
  { weight: 3, arbitrary: named(["GETRANGE", "SUBSTR", "getrange"], key, index, index) },
  { weight: 3, arbitrary: named(["SETRANGE"], key, offset, value) },
  { weight: 3, arbitrary: named(["SETBIT"], key, offset, fc.constantFrom("0", "1", "1", "2", "x", "")) },
  { weight: 2, arbitrary: named(["GETBIT"], key, offset) },
  {
    weight: 3,
    arbitrary: named(
      ["BITCOUNT"],
      key,
      fc.oneof(
        fc.constant<string[]>([]),
        fc.tuple(index, index).map((both) => [...both]),
        fc.tuple(index, index, fc.constantFrom("BIT", "BYTE", "bit", "bit\0", "foo")).map((all) => [...all]),
        fc.array(index, { maxLength: 4 }),
      ),
    ),
  },
  { weight: 4, arbitrary: named(["INCRBYFLOAT"], key, float) },
  { weight: 4, arbitrary: named(["HINCRBYFLOAT"], key, field, float) },
  { weight: 3, arbitrary: named(["GET", "STRLEN", "TTL"], key) },
];
