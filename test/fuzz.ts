/**
 * Broken streams against the parser, which nobody else sees, and against a server beside a client that must be served.
 * The tests run a little of it; fuzz-main.ts is the campaign.
 */
import { connect } from "node:net";
import { RespParser } from "../src/server/resp-parser.js";
import { Mutations } from "./mutations.js";

/** What one stream is to a parser: its commands and its end. Throws where a promise of the parser is broken. */
export function parsed(pieces: readonly string[], isTrusted = true): string {
  const limits = { bulkBytesMax: 1000, commandBytesMax: 4000 };
  const parser = new RespParser(limits, isTrusted);
  let text = "";
  let bytes = 0;
  for (const piece of pieces) {
    bytes += piece.length;
    parser.push(Buffer.from(piece, "latin1"));
    for (let args = parser.next(); args !== null; args = parser.next()) {
      if (args.length === 0) throw new Error("a command without a name");
      text += `${JSON.stringify(args)}\n`;
    }
    if (parser.unread > bytes) throw new Error(`${parser.unread} bytes are unread of ${bytes}`);
    if (parser.error !== null && parser.unread > 0) throw new Error("bytes are kept after an error");
  }
  return `${text}${parser.error ?? ""}`;
}

/** Gives the parser so many streams, each whole and in pieces: both must be the same. Says how many bytes they were. */
export function fuzzParser(seed: number, streams: number): number {
  const mutations = new Mutations(seed);
  let bytes = 0;
  for (let at = 0; at < streams; at++) {
    const stream = mutations.stream();
    bytes += stream.length;
    const isTrusted = at % 4 > 0;
    const whole = parsed([stream], isTrusted);
    if (parsed(mutations.pieces(stream), isTrusted) !== whole)
      throw new Error(`stream ${at} of seed ${seed} is read in another way in pieces: ${JSON.stringify(stream)}`);
  }
  return bytes;
}

/** Sends streams to a server, each on a connection of its own that is left in one of the ways clients leave. */
export async function fuzzServer(port: number, mutations: Mutations, streams: number): Promise<void> {
  for (let at = 0; at < streams; at++) {
    const stream = mutations.stream();
    const way = mutations.below(3);
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.setTimeout(20_000, () => reject(new Error(`stream ${at} hangs: ${JSON.stringify(stream)}`)));
      socket.on("close", () => resolve());
      socket.on("error", () => undefined);
      if (way === 0) socket.resume();
      for (const piece of mutations.pieces(stream)) socket.write(piece, "latin1");
      if (way === 2) socket.once("connect", () => socket.resetAndDestroy());
      else socket.end();
      socket.resume();
    });
  }
}
