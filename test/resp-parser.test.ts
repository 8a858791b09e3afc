import fc from "fast-check";
import { expect, test } from "vitest";
import { splitWords } from "../src/commands/words.js";
import { parserLimits, RespParser } from "../src/server/resp-parser.js";
import { command } from "./server-setup.js";

const bytes = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 40,
});
const commands = fc.array(fc.array(bytes, { minLength: 1, maxLength: 5 }), { maxLength: 12 });

/** What a parser makes of a stream that arrives in pieces. */
function parse(
  stream: string,
  cuts: readonly number[] = [],
  parser = new RespParser(),
): { commands: string[][]; error: string | null } {
  const found: string[][] = [];
  const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].toSorted((a, b) => a - b);
  let from = 0;
  for (const to of [...places, stream.length]) {
    parser.push(Buffer.from(stream.slice(from, to), "latin1"));
    from = to;
    for (let args = parser.next(); args !== null; args = parser.next()) found.push(args);
  }
  return { commands: found, error: parser.error };
}

test("any pipeline, cut anywhere, gives the commands that were sent", () => {
  fc.assert(
    fc.property(commands, fc.array(fc.nat(), { maxLength: 30 }), (sent, cuts) => {
      expect(parse(sent.map((args) => command(...args)).join(""), cuts)).toEqual({ commands: sent, error: null });
    }),
    { numRuns: 1000 },
  );
});

test("byte by byte is the same as at once, for inline commands and arrays in turn", () => {
  const stream = `PING\r\n${command("SET", "a", "")}set b "x\\x00\\n"\n\r\n*0\r\n*-1\r\n${command("GET", "ä".repeat(300))}quit\r\n`;
  const atOnce = parse(stream);
  expect(atOnce.commands).toEqual([
    ["PING"],
    ["SET", "a", ""],
    ["set", "b", "x\0\n"],
    ["GET", "ä".repeat(300)],
    ["quit"],
  ]);
  expect(
    parse(
      stream,
      Array.from(stream, (_, i) => i),
    ),
  ).toEqual(atOnce);
});

test("commands that wait in the parser while chunks come in are not lost", () => {
  const parser = new RespParser();
  const stream = Array.from({ length: 100 }, (_, i) => command("SET", `key${i}`, "v".repeat(i)));
  for (const char of stream.join("")) parser.push(Buffer.from(char));
  expect(parser.unread).toBe(stream.join("").length);
  for (let i = 0; i < 100; i++) expect(parser.next()).toEqual(["SET", `key${i}`, "v".repeat(i)]);
  expect(parser.next()).toBe(null);
  expect(parser.unread).toBe(0);
});

test("garbage is an error or no command, never an exception, and cuts do not matter", () => {
  const mutated = fc.tuple(commands, fc.array(fc.tuple(fc.nat(), bytes), { maxLength: 4 })).map(([sent, edits]) => {
    let stream = sent.map((args) => command(...args)).join("");
    for (const [place, text] of edits) {
      const at = place % (stream.length + 1);
      stream = stream.slice(0, at) + text + stream.slice(at + (place % 3));
    }
    return stream;
  });
  fc.assert(
    fc.property(fc.oneof(mutated, bytes), fc.array(fc.nat(), { maxLength: 10 }), (stream, cuts) => {
      const whole = parse(stream);
      expect(parse(stream, cuts)).toEqual(whole);
      for (const args of whole.commands) expect(args.length).toBeGreaterThan(0);
    }),
    { numRuns: 3000 },
  );
});

const errors: readonly (readonly [string, string])[] = [
  ["*x\r\n", "invalid multibulk length"],
  ["*1a\r\n", "invalid multibulk length"],
  ["*01\r\n", "invalid multibulk length"],
  ["*\r\n", "invalid multibulk length"],
  ["*9999999999999999999999\r\n", "invalid multibulk length"],
  ["*2147483648\r\n", "invalid multibulk length"],
  ["*1\r\nPING\r\n", "expected '$', got 'P'"],
  ["*1\r\n$-1\r\n", "invalid bulk length"],
  ["*1\r\n$abc\r\n", "invalid bulk length"],
  [`*1\r\n$${parserLimits.bulkBytesMax + 1}\r\n`, "invalid bulk length"],
  [`*1\r\n$${"1".repeat(70_000)}`, "too big bulk count string"],
  [`*${"1".repeat(70_000)}`, "too big mbulk count string"],
  ["x".repeat(70_000), "too big inline request"],
  ['set "a\r\n', "unbalanced quotes in request"],
  ["set 'a'b\r\n", "unbalanced quotes in request"],
  ["*1\r\n\r\n", "expected '$', got '\r'"],
  [`*1\0${"1".repeat(70_000)}\r\n`, "too big mbulk count string"],
];

test("a line is looked at when it is whole, and none ends beyond a zero byte", () => {
  for (const stream of ["*1\r\nPING", "*1\r\n\0a\r\n", "PING\0\r\nPING\r\n", "*1\0\r\n"])
    expect(parse(stream)).toEqual({ commands: [], error: null });
});

test.each(errors)("%j", (stream, text) => {
  expect(parse(command("PING") + stream)).toEqual({ commands: [["PING"]], error: `Protocol error: ${text}` });
});

test("nothing is read after an error", () => {
  const parser = new RespParser();
  parse("*x\r\n", [], parser);
  expect(parse(command("PING"), [], parser).commands).toEqual([]);
});

test("who has not given the password may send little", () => {
  const stranger = () => new RespParser(parserLimits, false);
  expect(parse("*11\r\n", [], stranger()).error).toBe("Protocol error: unauthenticated multibulk length");
  expect(parse("*1\r\n$16385\r\n", [], stranger()).error).toBe("Protocol error: unauthenticated bulk length");
  const known = stranger();
  known.trust();
  expect(parse(command("SET", "a", "x".repeat(20_000)), [], known).error).toBe(null);
});

test("all arguments of a command together have a limit", () => {
  const parser = new RespParser({ bulkBytesMax: 100, commandBytesMax: 200 });
  expect(parse(command("x".repeat(100), "y".repeat(51)), [], parser).commands).toEqual([]);
  expect(parser.isOverfull).toBe(true);
});

const lines: readonly (readonly [string, readonly string[] | null])[] = [
  ["", []],
  ["   ", []],
  ["a b  c ", ["a", "b", "c"]],
  ['"a b" c', ["a b", "c"]],
  ['"\\x41\\n\\r\\t\\b\\a\\"\\\\\\q"', ['A\n\r\t\b\x07"\\q']],
  ['"\\x4"', ["x4"]],
  ["'a\\'b\\n'", ["a'b\\n"]],
  ['x"a b"', ["xa b"]],
  ['a\vb \fc "d"\v', ["a\vb", "c", "d"]],
  ['""', [""]],
  ['"a"b', null],
  ['"a', null],
  ["'a\\'", null],
];

test.each(lines)("words of %j", (line, words) => {
  expect(splitWords(line)).toEqual(words);
});

test("chunks are read in the order in which they came, however far reading was when they did", () => {
  const parser = new RespParser();
  const push = (name: string): void => parser.push(Buffer.from(command(name)));
  push("a");
  expect(parser.next()).toEqual(["a"]);
  push("b");
  push("c");
  // The first chunk is read to its end while the second one waits, and then a third one comes.
  expect(parser.next()).toEqual(["b"]);
  push("d");
  expect([parser.next(), parser.next(), parser.next()]).toEqual([["c"], ["d"], null]);
});
