/** Writes replies down in RESP2 or RESP3, one character a byte. Pure; what is answered is decided in commands/. */
import type { Bytes } from "../bytes.js";
import type { Reply } from "../commands/reply.js";

/** The version of the protocol that a client speaks. */
export type Protocol = 2 | 3;

const lineBreak = /[\r\n]/g;

/** A reply as it goes over the wire. Throws RangeError where it is longer than a string can be (512 MB). */
export function encodeReply(reply: Reply, protocol: Protocol): string {
  if (typeof reply === "string") return `$${reply.length}\r\n${reply}\r\n`;
  if (typeof reply === "number" || typeof reply === "bigint") return `:${reply}\r\n`;
  if (reply === null) return protocol === 3 ? "_\r\n" : "$-1\r\n";
  if (isArray(reply)) return encodeList("*", reply, protocol);
  if (reply instanceof Map) return encodeMap(reply, protocol);
  switch ((reply as Exclude<typeof reply, ReadonlyMap<Bytes, Reply>>).kind) {
    case "simple":
      return `+${(reply as { text: string }).text}\r\n`;
    case "error":
      return encodeError((reply as { text: string }).text);
    case "set":
      return encodeList(protocol === 3 ? "~" : "*", (reply as { members: readonly Reply[] }).members, protocol);
    case "text":
      return encodeText((reply as { text: Bytes }).text, protocol);
    case "pairs": {
      const { pairs } = reply as { pairs: readonly (readonly [Reply, Reply])[] };
      return encodeList("*", protocol === 3 ? pairs : pairs.flat(), protocol);
    }
    case "nullArray":
      return protocol === 3 ? "_\r\n" : "*-1\r\n";
  }
}

/** An error line: a line break inside would end it early, so it becomes a space. */
export function encodeError(text: string): string {
  return `-${text.replace(lineBreak, " ")}\r\n`;
}

function encodeText(text: Bytes, protocol: Protocol): string {
  return protocol === 3 ? `=${text.length + 4}\r\ntxt:${text}\r\n` : `$${text.length}\r\n${text}\r\n`;
}

function encodeList(mark: string, replies: readonly Reply[], protocol: Protocol): string {
  let text = `${mark}${replies.length}\r\n`;
  for (const reply of replies) text += encodeReply(reply, protocol);
  return text;
}

function encodeMap(map: ReadonlyMap<Bytes, Reply>, protocol: Protocol): string {
  let text = protocol === 3 ? `%${map.size}\r\n` : `*${map.size * 2}\r\n`;
  for (const [key, value] of map) text += encodeReply(key, protocol) + encodeReply(value, protocol);
  return text;
}

function isArray(reply: Reply): reply is readonly Reply[] {
  return Array.isArray(reply);
}
