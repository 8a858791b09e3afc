/** What `send` reads and prints, compared with what redis-cli is known to print. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { counted, duration, shownValue, size } from "../src/cli/output.js";
import { formatForTerminal, formatRaw, splitLine } from "../src/cli/redis-format.js";
import { encodeCommand, RespError, RespReader, type RespReply } from "../src/cli/resp-reply.js";
import { startLines } from "../src/cli/serve-lines.js";
import { namedStore } from "../src/cli/store-url.js";
import { jsonOfReply } from "../src/dashboard/command.js";

function read(wire: string): RespReply[] {
  return new RespReader().push(Buffer.from(wire, "latin1"));
}

function terminal(wire: string): string {
  return read(wire)
    .map((reply) => formatForTerminal(reply).toString("utf8"))
    .join("");
}

function piped(wire: string): string {
  return read(wire)
    .map((reply) => formatRaw(reply).toString("latin1"))
    .join("");
}

describe("on a terminal", () => {
  test.each([
    ["+OK\r\n", "OK\n"],
    ["$5\r\nAlice\r\n", '"Alice"\n'],
    ["$0\r\n\r\n", '""\n'],
    ["$-1\r\n", "(nil)\n"],
    ["_\r\n", "(nil)\n"],
    ["*-1\r\n", "(nil)\n"],
    [":1\r\n", "(integer) 1\n"],
    [":-9223372036854775808\r\n", "(integer) -9223372036854775808\n"],
    ["-ERR no\r\n", "(error) ERR no\n"],
    ["*0\r\n", "(empty array)\n"],
    ["%0\r\n", "(empty hash)\n"],
    ['$11\r\na"b\\c\n\r\t\x07\x08\xff\r\n', '"a\\"b\\\\c\\n\\r\\t\\a\\b\\xff"\n'],
    ["*2\r\n$1\r\na\r\n$-1\r\n", '1) "a"\n2) (nil)\n'],
    ["*2\r\n*2\r\n:1\r\n:2\r\n$1\r\nb\r\n", '1) 1) (integer) 1\n   2) (integer) 2\n2) "b"\n'],
    ["%1\r\n$1\r\na\r\n:1\r\n", '1# "a" => (integer) 1\n'],
    ["~1\r\n$1\r\na\r\n", '1~ "a"\n'],
    ["#t\r\n,1.5\r\n", "(true)\n(double) 1.5\n"],
    ["=7\r\ntxt:abc\r\n", '"abc"\n'],
  ])("%j is printed as %j", (wire, text) => expect(terminal(wire)).toBe(text));

  test("numbers of a long list are aligned", () => {
    const lines = terminal(`*10\r\n${":7\r\n".repeat(10)}`).split("\n");
    expect(lines[0]).toBe(" 1) (integer) 7");
    expect(lines[9]).toBe("10) (integer) 7");
  });
});

describe("into a pipe", () => {
  test.each([
    ["+OK\r\n", "OK\n"],
    ["$5\r\nAlice\r\n", "Alice\n"],
    ["$2\r\n\xff\n\r\n", "\xff\n\n"],
    ["$-1\r\n", "\n"],
    [":1\r\n", "1\n"],
    ["-ERR no\r\n", "ERR no\n\n"],
    ["*2\r\n$1\r\na\r\n:2\r\n", "a\n2\n"],
    ["*0\r\n", "\n"],
  ])("%j is printed as %j", (wire, text) => expect(piped(wire)).toBe(text));
});

describe("the reader", () => {
  test("takes a stream however it is cut", () => {
    const wire = Buffer.from(
      "*2\r\n$5\r\nAlice\r\n%1\r\n+a\r\n*1\r\n:1\r\n+OK\r\n$-1\r\n-ERR x\r\n$4\r\na\r\nb\r\n",
      "latin1",
    );
    const whole = new RespReader().push(wire);
    expect(whole).toHaveLength(5);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 })), (sizes) => {
        const reader = new RespReader();
        const replies: RespReply[] = [];
        let at = 0;
        for (const length of [...sizes, wire.length]) {
          replies.push(...reader.push(wire.subarray(at, at + length)));
          at += length;
        }
        expect(replies).toEqual(whole);
      }),
    );
  });

  test.each(["HTTP/1.1 400 Bad Request\r\n", "$x\r\n", "*-2\r\n", "\r\n", "a".repeat(70_000)])(
    "%j is no reply",
    (wire) => {
      expect(() => read(wire)).toThrow(RespError);
    },
  );

  test("a command is an array of bulk strings", () => {
    expect(encodeCommand(["SET", "ключ", Buffer.from([255])]).toString("latin1")).toBe(
      "*3\r\n$3\r\nSET\r\n$8\r\n\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\r\n$1\r\n\xff\r\n",
    );
  });
});

describe("a line of the prompt", () => {
  test.each([
    ["SET user:1:name Alice", ["SET", "user:1:name", "Alice"]],
    ['  SET  k  "a b"  ', ["SET", "k", "a b"]],
    ['SET k "\\x41\\n\\"\\\\"', ["SET", "k", 'A\n"\\']],
    ["SET k 'it\\'s \\n'", ["SET", "k", "it's \\n"]],
    ['SET k ""', ["SET", "k", ""]],
    ["", []],
    ["   ", []],
  ])("%j", (line, args) => expect(splitLine(line)?.map((arg) => arg.toString("latin1"))).toEqual(args));

  test.each(['SET k "a', "SET k 'a", 'SET k "a"b', '"\\"'])("%j is not closed", (line) =>
    expect(splitLine(line)).toBeNull(),
  );

  test("bytes survive", () => expect(splitLine('"\\xff\\x00é"')).toEqual([Buffer.from([0xff, 0, 0xc3, 0xa9])]));
});

describe("texts for people", () => {
  test("numbers, sizes, times", () => {
    expect([counted(1, "change"), counted(1_234_567, "change")]).toEqual(["1 change", "1,234,567 changes"]);
    expect([size(0), size(1023), size(1536), size(64 * 2 ** 20)]).toEqual(["0 bytes", "1023 bytes", "1.5 KB", "64 MB"]);
    expect([duration(0.25), duration(12), duration(3400), duration(300_000), duration(7_200_000)]).toEqual([
      "0.3 ms",
      "12 ms",
      "3.4 s",
      "5 min",
      "2 h",
    ]);
    expect(shownValue(null)).toBe("nothing");
    expect(shownValue({ type: "string", value: { base64: "/w==" }, expiresAt: 0 })).toBe(
      "base64 /w==, until 1970-01-01T00:00:00.000Z",
    );
    expect(shownValue({ type: "hash", fields: [["a", "1"]], expiresAt: null })).toBe('{"a": "1"}');
  });

  test("serve starts with five lines", () => {
    const started = {
      host: "127.0.0.1",
      port: 7000,
      adminUrl: "http://127.0.0.1:8380",
      data: "/d",
      fleet: null,
      worker: true,
      store: namedStore(null, "/d"),
      durability: "disk",
      delayMs: 100,
      hasPassword: true,
      tls: null,
    } as const;
    const lines = startLines(started).trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[2]).toContain("queue in /d, tables write_behind_kv and write_behind_field in write-behind.db there");
    expect(lines[1]).toMatch(/\(or npx write-behind status\)$/);
    expect(lines[4]).toContain("npx write-behind send --port 7000 --password … SET user:1:name Alice");
  });

  test("the database of --store", () => {
    expect(namedStore("sqlite:/a/b.db", "d").place).toBe("/a/b.db");
    expect(namedStore("sqlite:///a/b.db", "d").place).toBe("/a/b.db");
    expect(namedStore("sqlite:b.db", "d").place).toBe(`${process.cwd()}/b.db`);
    expect(() => namedStore("oracle://u:secret@h/d", "d")).toThrow("there is no database of the kind oracle");
    expect(() => namedStore("b.db", "d")).toThrow("--store is no URL");
  });

  test("replies as JSON", () => {
    const map = new Map([[bytesOfText("f"), null]]);
    expect(
      jsonOfReply([bytesOfText("é"), 1, 2n ** 62n, map, { kind: "nullArray" }, { kind: "error", text: "ERR" }]),
    ).toEqual({
      type: "array",
      value: [
        { type: "bulk", value: "é" },
        { type: "integer", value: 1 },
        { type: "integer", value: "4611686018427387904" },
        { type: "map", value: [["f", { type: "null", value: null }]] },
        { type: "null", value: null },
        { type: "error", value: "ERR" },
      ],
    });
  });
});
