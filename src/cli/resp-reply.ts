/**
 * Replies of the Redis protocol (RESP2 and RESP3), read from a stream of bytes. Pure. The server's own parser reads
 * requests only; this is the client's side, for `send`. Format:
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 */

/** One reply. Text lines are decoded; `bulk` keeps its bytes. */
export type RespReply =
  | { readonly type: "simple" | "error" | "integer" | "double" | "big"; readonly text: string }
  | { readonly type: "bulk"; readonly bytes: Buffer }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "null" }
  | { readonly type: "array" | "set" | "push"; readonly items: readonly RespReply[] }
  | { readonly type: "map"; readonly entries: readonly (readonly [RespReply, RespReply])[] };

/** What the server sent is no RESP. */
export class RespError extends Error {
  override readonly name = "RespError";
}

/** Thrown inside, where the bytes end too early; `need` bytes would be enough to get further. */
class Incomplete extends Error {
  readonly need: number;

  constructor(need: number) {
    super("incomplete");
    this.need = need;
  }
}

const lineMax = 64 * 1024;
const itemsMax = 2 ** 31;

/** Reads replies from pieces of a stream, however it is cut. */
export class RespReader {
  #pieces: Buffer[] = [];
  #length = 0;
  #need = 1;

  /** Takes a piece, gives every reply that is complete now. Throws RespError. */
  push(piece: Buffer): RespReply[] {
    this.#pieces.push(piece);
    this.#length += piece.length;
    // A reply of many pieces is put together once it can be complete, not at each of them.
    if (this.#length < this.#need) return [];
    const buffer = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    const replies: RespReply[] = [];
    let at = 0;
    this.#need = 1;
    try {
      while (at < buffer.length) {
        const cursor = new Cursor(buffer, at);
        replies.push(cursor.reply());
        at = cursor.at;
      }
    } catch (error) {
      if (!(error instanceof Incomplete)) throw error;
      this.#need = Math.max(error.need, buffer.length + 1) - at;
    }
    this.#pieces = at === buffer.length ? [] : [buffer.subarray(at)];
    this.#length = buffer.length - at;
    return replies;
  }
}

class Cursor {
  at: number;
  readonly #buffer: Buffer;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  reply(): RespReply {
    const kind = String.fromCharCode(this.#buffer[this.at] ?? 0);
    const line = this.#line();
    switch (kind) {
      case "+":
        return { type: "simple", text: line };
      case "-":
        return { type: "error", text: line };
      case ":":
        return { type: "integer", text: line };
      case ",":
        return { type: "double", text: line };
      case "(":
        return { type: "big", text: line };
      case "#":
        return { type: "boolean", value: line === "t" };
      case "_":
        return { type: "null" };
      case "$":
      case "!":
      case "=":
        return this.#bulk(kind, line);
      case "*":
      case "~":
      case ">":
        if (line === "-1") return { type: "null" };
        return { type: kind === "*" ? "array" : kind === "~" ? "set" : "push", items: this.#items(lengthOf(line)) };
      case "%":
        return this.#map(lengthOf(line));
      default:
        throw new RespError(
          `the server sent ${JSON.stringify(kind + line.slice(0, 40))}, which is no reply of the Redis protocol`,
        );
    }
  }

  #line(): string {
    const end = this.#buffer.indexOf("\r\n", this.at);
    if (end === -1) {
      if (this.#buffer.length - this.at > lineMax) throw new RespError("the server sent a line without an end");
      throw new Incomplete(this.#buffer.length + 1);
    }
    const line = this.#buffer.toString("utf8", this.at + 1, end);
    this.at = end + 2;
    return line;
  }

  #bulk(kind: string, line: string): RespReply {
    if (line === "-1") return { type: "null" };
    const start = this.at;
    const end = start + lengthOf(line);
    if (this.#buffer.length < end + 2) throw new Incomplete(end + 2);
    this.at = end + 2;
    if (kind === "!") return { type: "error", text: this.#buffer.toString("utf8", start, end) };
    // Verbatim text begins with its format and a colon: txt:
    return { type: "bulk", bytes: this.#buffer.subarray(kind === "=" ? start + 4 : start, end) };
  }

  #items(length: number): RespReply[] {
    const items: RespReply[] = [];
    while (items.length < length) items.push(this.#next());
    return items;
  }

  #map(length: number): RespReply {
    const entries: [RespReply, RespReply][] = [];
    while (entries.length < length) entries.push([this.#next(), this.#next()]);
    return { type: "map", entries };
  }

  #next(): RespReply {
    if (this.at >= this.#buffer.length) throw new Incomplete(this.at + 1);
    return this.reply();
  }
}

function lengthOf(line: string): number {
  const length = Number(line);
  if (!/^\d{1,10}$/.test(line) || length > itemsMax)
    throw new RespError(`the server sent the length ${JSON.stringify(line)}`);
  return length;
}

/** A command as bytes on the wire: an array of bulk strings. */
export function encodeCommand(args: readonly (string | Buffer)[]): Buffer {
  const pieces: (string | Buffer)[] = [`*${args.length}\r\n`];
  for (const arg of args) pieces.push(`$${Buffer.byteLength(arg)}\r\n`, arg, "\r\n");
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "utf8") : piece)));
}
