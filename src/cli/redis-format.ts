/**
 * Replies printed as redis-cli prints them: on a terminal quoted, typed and numbered; into a pipe as they are.
 * And a line of its prompt taken apart as it does. Pure. After redis-cli.c and sds.c (sdscatrepr, sdssplitargs).
 */
import { bufferOfBytes, bytesOfText } from "../bytes.js";
import { splitWords } from "../commands/words.js";
import type { RespReply } from "./resp-reply.js";

/** A reply for a terminal, its line end included. */
export function formatForTerminal(reply: RespReply, prefix = ""): Buffer {
  switch (reply.type) {
    case "simple":
    case "big":
      return Buffer.from(`${reply.text}\n`);
    case "error":
      return Buffer.from(`(error) ${reply.text}\n`);
    case "integer":
    case "double":
      return Buffer.from(`(${reply.type}) ${reply.text}\n`);
    case "boolean":
      return Buffer.from(reply.value ? "(true)\n" : "(false)\n");
    case "null":
      return Buffer.from("(nil)\n");
    case "bulk":
      return Buffer.from(`${quoted(reply.bytes)}\n`);
    case "map":
      return formatMap(reply.entries, prefix);
    default:
      return formatList(reply.type, reply.items, prefix);
  }
}

function formatList(type: "array" | "set" | "push", items: readonly RespReply[], prefix: string): Buffer {
  if (items.length === 0) return Buffer.from(`(empty ${type})\n`);
  const width = String(items.length).length;
  const inner = `${prefix}${" ".repeat(width + 2)}`;
  const sign = type === "set" ? "~" : ")";
  return Buffer.concat(
    items.flatMap((item, i) => [
      Buffer.from(`${i === 0 ? "" : prefix}${String(i + 1).padStart(width)}${sign} `),
      formatForTerminal(item, inner),
    ]),
  );
}

function formatMap(entries: readonly (readonly [RespReply, RespReply])[], prefix: string): Buffer {
  if (entries.length === 0) return Buffer.from("(empty hash)\n");
  const width = String(entries.length).length;
  const inner = `${prefix}${" ".repeat(width + 2)}`;
  return Buffer.concat(
    entries.flatMap(([key, value], i) => [
      Buffer.from(`${i === 0 ? "" : prefix}${String(i + 1).padStart(width)}# `),
      withoutLineEnd(formatForTerminal(key, inner)),
      Buffer.from(" => "),
      formatForTerminal(value, inner),
    ]),
  );
}

function withoutLineEnd(line: Buffer): Buffer {
  return line.at(-1) === 10 ? line.subarray(0, -1) : line;
}

/** A reply for a pipe or a file: its bytes as they are, and a line end. */
export function formatRaw(reply: RespReply): Buffer {
  return Buffer.concat([raw(reply), Buffer.from("\n")]);
}

function raw(reply: RespReply): Buffer {
  switch (reply.type) {
    case "bulk":
      return reply.bytes;
    case "null":
      return Buffer.alloc(0);
    case "boolean":
      return Buffer.from(reply.value ? "(true)" : "(false)");
    case "map":
      return joined(reply.entries.map(([key, value]) => Buffer.concat([raw(key), Buffer.from(" "), raw(value)])));
    case "array":
    case "set":
    case "push":
      return joined(reply.items.map(raw));
    case "error":
      // redis-cli ends an error itself, and then every reply: an empty line follows it.
      return Buffer.from(`${reply.text}\n`);
    default:
      return Buffer.from(reply.text);
  }
}

function joined(pieces: readonly Buffer[]): Buffer {
  return Buffer.concat(pieces.flatMap((piece, i) => (i === 0 ? [piece] : [Buffer.from("\n"), piece])));
}

const escapes = new Map([
  [0x5c, "\\\\"],
  [0x22, '\\"'],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x07, "\\a"],
  [0x08, "\\b"],
]);

function quoted(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const printable = byte >= 0x20 && byte < 0x7f;
    text += escapes.get(byte) ?? (printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`);
  }
  return `"${text}"`;
}

/** A line taken apart as Redis does it (commands/words.ts). Null where quotes are not closed. */
export function splitLine(line: string): Buffer[] | null {
  return splitWords(bytesOfText(line))?.map(bufferOfBytes) ?? null;
}
