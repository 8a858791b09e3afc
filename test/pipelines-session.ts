/** Generated commands on transactions, connections and the server, whose replies are those of redis-server. */
import fc from "fast-check";

const key = fc.constantFrom("a", "b", "h", "");
const value = fc.constantFrom("1", "x", "", "-5", "3.0", "a b", "\r\n\xff");
const many = (part: fc.Arbitrary<string>, max = 3) => fc.array(part, { maxLength: max });

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

/** The commands. */
export const sessionCommands: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 6, arbitrary: named(["WATCH", "watch"], key, many(key, 2)) },
  { weight: 6, arbitrary: named(["MULTI", "multi"]) },
  { weight: 8, arbitrary: named(["EXEC", "exec"]) },
  { weight: 3, arbitrary: named(["UNWATCH", "DISCARD", "RESET"]) },
  { weight: 5, arbitrary: named(["SET"], key, value) },
  { weight: 4, arbitrary: named(["GET", "INCR", "DEL", "PERSIST", "HLEN", "TTL"], key) },
  { weight: 3, arbitrary: named(["HSET"], key, fc.constantFrom("f"), value) },
  { weight: 2, arbitrary: named(["HDEL", "APPEND"], key, fc.constantFrom("f", "g", "")) },
  { weight: 2, arbitrary: named(["PEXPIREAT"], key, fc.constantFrom("1", "4000000000000")) },
  { weight: 1, arbitrary: named(["FLUSHALL", "FLUSHDB"]) },
  { weight: 1, arbitrary: named(["HELLO"], fc.constantFrom("2", "3")) },
);
