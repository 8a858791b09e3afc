/** Generated commands on transactions, connections and the server, whose replies are those of redis-server. */
import fc from "fast-check";

const key = fc.constantFrom("a", "b", "h", "");
const value = fc.constantFrom("1", "x", "", "-5", "3.0", "a b", "\r\n\xff");
const many = (part: fc.Arbitrary<string>, max = 3) => fc.array(part, { maxLength: max });

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

/** Commands whose replies show what they did with the arguments, and that change nothing. */
const asking: fc.Arbitrary<string[]>[] = [
  named(["CLIENT"], fc.constantFrom("GETNAME", "SETNAME", "foo", "ID x", "NO-EVICT"), many(value, 2)),
  named(
    ["CLIENT"],
    fc.constantFrom("KILL"),
    many(fc.constantFrom("ID", "TYPE", "foo", "0", "99999999", "SKIPME", "pubsub", "USER", "ADDR", "1.1.1.1:1"), 4),
  ),
  named(
    ["CLIENT"],
    fc.constantFrom("LIST"),
    fc.constantFrom("ID", "TYPE", "foo"),
    fc.constantFrom("foo", "pubsub", "0"),
  ),
  named(["CLIENT"], fc.constantFrom("REPLY"), fc.constantFrom("ON", "foo", "on")),
  named(
    ["COMMAND"],
    fc.constantFrom("GETKEYS"),
    fc.constantFrom("GET", "MSET", "DEL", "PING", "foo", "WATCH", "mget"),
    many(key, 4),
  ),
  named(["COMMAND"], fc.constantFrom("COUNT x", "COUNT", "foo", "LIST"), fc.constantFrom("x", "FILTERBY", "y")),
  named(
    ["COMMAND"],
    fc.constantFrom("LIST"),
    fc.constantFrom("FILTERBY"),
    fc.constantFrom("PATTERN", "MODULE", "ACLCAT", "pattern", "foo"),
    fc.constantFrom("", "ge[t]", "foo"),
  ),
  named(["FUNCTION"], fc.constantFrom("FLUSH", "foo", "flush"), many(fc.constantFrom("SYNC", "async", "foo"), 2)),
  named(["SHUTDOWN"], fc.constantFrom("foo", "ABORT", "SAVE"), fc.constantFrom("NOSAVE", "ABORT", "foo")),
  named(["TIME"], fc.constantFrom("x")),
  // Where it is right it counts what is in the database, not replicas.
  named(["WAIT"], fc.constantFrom(["x", "1"], ["0", "x"], ["0", "-1"])),
  named(["PING", "ECHO", "SELECT", "nosuch", "Exec", "AUTH", "RESET", "UNWATCH", "Multi", "WATCH"], many(value, 2)),
];

/** The commands. */
export const sessionCommands: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 6, arbitrary: named(["WATCH", "watch"], key, many(key, 2)) },
  { weight: 6, arbitrary: named(["MULTI", "multi"]) },
  { weight: 8, arbitrary: named(["EXEC", "exec"]) },
  { weight: 1, arbitrary: named(["EXEC", "DISCARD", "MULTI"], value) },
  { weight: 3, arbitrary: named(["UNWATCH", "DISCARD", "RESET"]) },
  { weight: 5, arbitrary: named(["SET"], key, value) },
  { weight: 4, arbitrary: named(["GET", "INCR", "DEL", "PERSIST", "HLEN", "TTL"], key) },
  { weight: 3, arbitrary: named(["HSET"], key, fc.constantFrom("f"), value) },
  { weight: 2, arbitrary: named(["HDEL", "APPEND"], key, fc.constantFrom("f", "g", "")) },
  { weight: 2, arbitrary: named(["PEXPIREAT"], key, fc.constantFrom("1", "4000000000000")) },
  { weight: 1, arbitrary: named(["FLUSHALL", "FLUSHDB"]) },
  { weight: 1, arbitrary: named(["HELLO"], fc.constantFrom("2", "3")) },
  ...asking.map((arbitrary) => ({ weight: 1, arbitrary })),
);
