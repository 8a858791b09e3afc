import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { failure, ok, type Reply } from "../src/commands/reply.js";
import { encodeReply } from "../src/server/resp-encoder.js";

const bytes = (text: string): Bytes => text as Bytes;
const map = new Map<Bytes, Reply>([
  [bytes("a"), 1],
  [bytes("b"), null],
]);

/** Replies in RESP2, and in RESP3 where that differs. */
const cases: readonly {
  readonly name: string;
  readonly reply: Reply;
  readonly resp2: string;
  readonly resp3?: string;
}[] = [
  { name: "simple", reply: ok, resp2: "+OK\r\n" },
  { name: "error", reply: failure("ERR a\r\nb"), resp2: "-ERR a  b\r\n" },
  { name: "bulk", reply: bytes("a\r\n\0ÿ"), resp2: "$5\r\na\r\n\0ÿ\r\n" },
  { name: "empty bulk", reply: bytes(""), resp2: "$0\r\n\r\n" },
  { name: "integer", reply: -3, resp2: ":-3\r\n" },
  { name: "big integer", reply: 2n ** 63n - 1n, resp2: ":9223372036854775807\r\n" },
  { name: "null", reply: null, resp2: "$-1\r\n", resp3: "_\r\n" },
  { name: "null array", reply: { kind: "nullArray" }, resp2: "*-1\r\n", resp3: "_\r\n" },
  {
    name: "array",
    reply: [1, bytes("x"), [null]],
    resp2: "*3\r\n:1\r\n$1\r\nx\r\n*1\r\n$-1\r\n",
    resp3: "*3\r\n:1\r\n$1\r\nx\r\n*1\r\n_\r\n",
  },
  { name: "empty array", reply: [], resp2: "*0\r\n" },
  {
    name: "map",
    reply: map,
    resp2: "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n",
    resp3: "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n",
  },
  {
    name: "pairs",
    reply: {
      kind: "pairs",
      pairs: [
        [bytes("a"), 1],
        [bytes("b"), null],
      ],
    },
    resp2: "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n",
    resp3: "*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n_\r\n",
  },
  { name: "set", reply: { kind: "set", members: [ok] }, resp2: "*1\r\n+OK\r\n", resp3: "~1\r\n+OK\r\n" },
  { name: "text", reply: { kind: "text", text: bytes("hi") }, resp2: "$2\r\nhi\r\n", resp3: "=6\r\ntxt:hi\r\n" },
];

test.each(cases)("$name", ({ reply, resp2, resp3 = resp2 }) => {
  expect(encodeReply(reply, 2)).toBe(resp2);
  expect(encodeReply(reply, 3)).toBe(resp3);
});
