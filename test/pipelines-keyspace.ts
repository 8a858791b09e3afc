/** Generated commands over all keys: their errors, and replies that no order can change. */
import fc from "fast-check";

const pattern = fc.constantFrom("*", "a", "[a-c]*", "?", "h*", "nosuch", "");
const option = fc.oneof(
  fc.tuple(fc.constantFrom("MATCH", "match"), fc.constantFrom("nosuch", "[x-z]")),
  fc.tuple(
    fc.constantFrom("COUNT", "count"),
    fc.constantFrom("100", "1000", "0", "-1", "x", "", "9223372036854775808"),
  ),
  fc.tuple(fc.constantFrom("TYPE", "Type"), fc.constantFrom("list", "nosuch")),
  fc.tuple(fc.constantFrom("FOO", "COUNT", "MATCH")),
);

/** DBSIZE of Redis counts what has ended until somebody asks for it. */
const size = [["EXISTS", "a", "b", "h", "n", ""], ["DBSIZE"]];

const one: fc.Arbitrary<string[]> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.constantFrom("dbsize x", "RANDOMKEY x", "KEYS", "KEYS a b", "SCAN").map((line) => line.split(" ")),
  },
  { weight: 1, arbitrary: fc.constantFrom("a", "b", "nosuch", "h", "").map((key) => ["KEYS", key]) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("0", "", "+0", "-0", "x", " 0", "0x", "18446744073709551616", "00", "0\0x"),
        fc.array(option, { maxLength: 3 }),
      )
      // COUNT so large that one page is all: which keys come in which page is not Redis' to say here.
      .map(([cursor, options]) => ["SCAN", cursor, "COUNT", "1000", "MATCH", "nosuch", ...options.flat()]),
  },
  { weight: 1, arbitrary: pattern.map((text) => ["SCAN", "0", "COUNT", "1000", "TYPE", "list", "MATCH", text]) },
);

/** Commands over all keys. Outside of a transaction: inside they are refused here, as they may have to wait. */
export const overAllKeys: fc.Arbitrary<string[][]> = fc
  .oneof({ weight: 1, arbitrary: fc.constant(size) }, { weight: 3, arbitrary: one.map((args) => [args]) })
  .map((commands) => [["DISCARD"], ...commands]);
