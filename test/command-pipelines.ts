/** Generated pipelines of commands, and the property that this server and a real redis-server answer them alike. */
import fc from "fast-check";
import { expect } from "vitest";
import { stringPipelines } from "./pipelines-strings.js";
import { hashPipelineKeys, hashPipelines } from "./pipelines-hashes.js";
import { overAllKeys } from "./pipelines-keyspace.js";
import { command, RawClient, until } from "./server-setup.js";

const sharedKeys = ["a", "b", "h", "n", ""];
/** Every key that is named. */
export const keys = [...sharedKeys, ...hashPipelineKeys];
const key = fc.constantFrom(...sharedKeys);
const field = fc.constantFrom("f", "g", "");
const value = fc.constantFrom(
  "1",
  "x",
  "",
  "-5",
  "01",
  "9223372036854775807",
  "-9223372036854775808",
  "\r\n\0\xff",
  "1 2",
  "3.0",
);
const number = fc.constantFrom(
  "1",
  "-1",
  "100",
  "0",
  "x",
  "",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
  "1000000000000",
);
const setOption = fc.constantFrom(
  "NX",
  "XX",
  "GET",
  "KEEPTTL",
  "EX",
  "PX",
  "EXAT",
  "PXAT",
  "nx",
  "get",
  "100",
  "5000",
  "0",
  "-1",
  "x",
  "99999999999",
);
const expireOption = fc.constantFrom("NX", "XX", "GT", "LT", "gt", "FOO");
const words = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts);
const many = (part: fc.Arbitrary<string>, max = 4) => fc.array(part, { maxLength: max });

function named(names: readonly string[], ...rest: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(fc.constantFrom(...names), ...rest).map((parts) => parts.flat());
}

const one: fc.Arbitrary<string[]> = fc.oneof(
  ...stringPipelines,
  ...hashPipelines,
  { weight: 4, arbitrary: named(["SET"], key, value) },
  { weight: 4, arbitrary: named(["SET"], key, value, many(setOption)) },
  { weight: 4, arbitrary: named(["HSET"], key, many(fc.oneof(field, value), 5)) },
  { weight: 4, arbitrary: named(["HSET"], key, field, value) },
  {
    weight: 3,
    arbitrary: named(
      ["GET", "INCR", "DECR", "TYPE", "TTL", "PERSIST", "STRLEN", "HGETALL", "HLEN", "HKEYS", "HVALS"],
      key,
    ),
  },
  { weight: 2, arbitrary: named(["MGET", "DEL", "EXISTS"], key, many(key)) },
  { weight: 1, arbitrary: named(["MSET"], key, value, many(value)) },
  { weight: 2, arbitrary: named(["INCRBY", "DECRBY", "APPEND"], key, number) },
  { weight: 2, arbitrary: named(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"], key, number, many(expireOption, 2)) },
  { weight: 2, arbitrary: named(["HGET", "HEXISTS"], key, field) },
  { weight: 2, arbitrary: named(["HMGET", "HDEL"], key, many(field)) },
  { weight: 2, arbitrary: named(["HINCRBY"], key, field, number) },
  { weight: 2, arbitrary: named(["MULTI", "EXEC", "DISCARD", "multi", "exec"]) },
  {
    weight: 1,
    arbitrary: named(
      ["PING", "ECHO", "SELECT", "nosuch", "get", "Exec", "AUTH", "CLIENT"],
      many(fc.oneof(value, key), 3),
    ),
  },
  { weight: 1, arbitrary: named(["CLIENT"], fc.constantFrom("GETNAME", "SETNAME", "foo"), many(value, 2)) },
  {
    weight: 1,
    arbitrary: words(
      fc.constant("COMMAND"),
      fc.constantFrom("GETKEYS"),
      fc.constantFrom("GET", "MSET", "DEL", "PING", "foo"),
    ).map((parts) => [...parts]),
  },
);

/** Two ends for one record, and which of them holds. */
const end = fc.tuple(
  fc.constantFrom("EXPIRE", "EXPIREAT"),
  fc.constantFrom("100", "200", "1000000000000"),
  many(expireOption, 1),
);
const twoEnds: fc.Arbitrary<string[][]> = fc
  .tuple(key, end, end)
  .map(([name, ...ends]) => [
    ["SET", name, "x"],
    ...ends.map(([command, time, options]) => [command, name, time, ...options]),
    ["TTL", name],
  ]);

/** Commands whose options name times, and where those may stand. */
const optionsFrom: Readonly<Record<string, number>> = { SET: 3, GETEX: 2 };

/** The moments of our limit (2^53 ms) and of theirs (2^63 ms) differ: what lies between is not compared. */
function isComparable(args: readonly string[]): boolean {
  const name = (args[0] as string).toUpperCase();
  // Redis gives fields in the order of their writes while a hash is small; here they come in the order of their bytes.
  if (["HGETALL", "HKEYS", "HVALS"].includes(name)) return false;
  const from = optionsFrom[name] ?? (/EXPIRE|SETEX/.test(name) ? 2 : null);
  if (from === null) return true;
  return !args.slice(from).some((word) => word.length > 15 && word !== "-9223372036854775808" && !word.endsWith("808"));
}

/** Commands of the longest generated pipeline. */
const pipelineMax = 120;
/** Options, and commands, that give a record an end so much later than now, in units of so many milliseconds. */
const unitsMs: Readonly<Record<string, number>> = { EX: 1000, PX: 1, EXPIRE: 1000, PEXPIRE: 1, SETEX: 1000, PSETEX: 1 };
const apartMs = 1_000_000;

/**
 * The same commands with ends that no delay can confuse. Between two commands, and between the two servers, some
 * milliseconds pass: `EXPIRE a 100` and then `EXPIRE a 100 GT` says 0 or 1 as the clock likes, and what lives for a
 * millisecond is there for GET or not. So every end that is counted from now is far away, and a thousand seconds and
 * more from every other one, the shorter still before the longer: LT and GT say both yes and no, and always the same.
 * Ends at a moment on the calendar stay as they are, equal ones too: those do not move with the clock.
 */
function wellApart(commands: readonly string[][], firstPlace = 0): string[][] {
  const placesMax = 2 * pipelineMax;
  return commands.map((args, index) => {
    const options = optionsFrom[args[0]?.toUpperCase() ?? ""];
    return args.map((word, at) => {
      // As Redis reads a word: up to its first zero byte.
      const unitMs = unitsMs[args[options === undefined ? 0 : at - 1]?.split("\0")[0]?.toUpperCase() ?? ""];
      if (unitMs === undefined || (options === undefined ? at !== 2 : at <= options)) return word;
      if (!/^[1-9]\d*$/.test(word)) return word;
      const place = firstPlace + index;
      const units = apartMs / unitMs;
      // The longest are far from the others as they are, and more would be too much.
      const time = Number(word) <= 5000 ? Number(word) * units * placesMax : Number(word);
      return String(time + place * units);
    });
  });
}

/** When a record ends may be counted a moment later by one of the two: so much later, in the units of the reply. */
const countedLater: Readonly<Record<string, number>> = {
  TTL: 300,
  EXPIRETIME: 300,
  PTTL: 300_000,
  PEXPIRETIME: 300_000,
};

/** Our replies, with ends that differ by no more than a moment put right; only where somebody asks for them. */
export function withSecondsOf(
  theirs: readonly string[],
  ours: readonly string[],
  commands: readonly string[][],
): string[] {
  const laterMax = Math.max(0, ...commands.map(([name]) => countedLater[name ?? ""] ?? 0));
  if (laterMax === 0) return [...ours];
  return ours.map((line, at) => {
    const [mine, other] = [line, theirs[at]].map((text) =>
      /^:\d{4,}$/.test(text ?? "") ? Number(text?.slice(1)) : NaN,
    );
    return Math.abs((mine as number) - (other as number)) <= laterMax ? (theirs[at] as string) : line;
  });
}

/** A client of this server and one of redis-server, which speak the same protocol. */
export async function pair(ours: number, theirs: number, protocol: number): Promise<readonly [RawClient, RawClient]> {
  const clients = [new RawClient(ours), new RawClient(theirs)] as const;
  for (const client of clients) {
    client.send(command("HELLO", String(protocol)));
    await until(() => client.received.length > 100);
  }
  return clients;
}

/** As it is sent. */
export function streamOf(commands: readonly (readonly string[])[]): string {
  return commands.map((args) => command(...args)).join("");
}

/** Sends commands and gives the lines of their replies. */
export async function talk(client: RawClient, stream: string): Promise<string[]> {
  client.received = "";
  client.send(stream + command("DISCARD") + command("ECHO", "the end"));
  while (!client.received.endsWith("$7\r\nthe end\r\n")) {
    await new Promise((resolve) => client.socket.once("data", resolve));
  }
  return client.received.split("\r\n");
}

/** The property: both say the same. `empty` empties both. */
export function sameReplies(
  clients: readonly [RawClient, RawClient],
  asked: fc.Arbitrary<string[][]>,
  empty: readonly string[] = ["FLUSHALL"],
) {
  const clean = command("DISCARD") + command(...empty) + command("CLIENT", "SETNAME", "");
  return fc.asyncProperty(asked, async (commands) => {
    const [ours, theirs] = await Promise.all(clients.map((client) => talk(client, streamOf(commands) + clean)));
    expect(withSecondsOf(theirs as string[], ours as string[], commands)).toEqual(theirs);
  });
}

const part = fc.oneof(
  { weight: 20, arbitrary: one.filter(isComparable).map((args) => [args]) },
  { weight: 1, arbitrary: twoEnds },
  { weight: 2, arbitrary: overAllKeys },
);
const raw = fc.array(part, { minLength: 1, maxLength: 30 }).map((parts) => parts.flat());
/** Pipelines of commands. */
export const pipelines = raw.map((commands) => wellApart(commands));
/** Pipelines that come after another one: their ends are apart from that one's. */
export const second = raw.map((commands) => wellApart(commands, pipelineMax));
