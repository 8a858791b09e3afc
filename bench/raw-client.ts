/**
 * A client that costs next to nothing: commands are bytes that were made before, and replies are counted by their
 * length, which must always be the same. For loads that redis-benchmark does not know.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Commands of one request as bytes. */
export function encoded(...commands: readonly (readonly string[])[]): Buffer {
  const text = commands.map((args) => [`*${args.length}`, ...args.flatMap((arg) => [`$${arg.length}`, arg]), ""]);
  return Buffer.from(text.map((lines) => lines.join("\r\n")).join(""));
}

/** One connection. */
export class RawClient {
  readonly #socket: Socket;
  readonly #replyBytes: number;
  /** Called with how many requests have been answered by what has come. */
  readonly #answered: (count: number) => void;
  #bytes = 0;
  #done = 0;

  private constructor(socket: Socket, replyBytes: number, answered: (count: number) => void) {
    this.#socket = socket;
    this.#replyBytes = replyBytes;
    this.#answered = answered;
    socket.on("data", (piece) => this.#came(piece));
  }

  /** Connects; each request is answered with so many bytes. */
  static async open(port: number, replyBytes: number, answered: (count: number) => void): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new RawClient(socket, replyBytes, answered);
  }

  write(requests: Buffer): void {
    this.#socket.write(requests);
  }

  close(): void {
    this.#socket.destroy();
  }

  #came(piece: Buffer): void {
    // An error is the one reply that begins so.
    if (piece[0] === 45) throw new Error(`an error was answered: ${piece.toString().slice(0, 200)}`);
    this.#bytes += piece.length;
    const done = Math.floor(this.#bytes / this.#replyBytes);
    const more = done - this.#done;
    this.#done = done;
    if (more > 0) this.#answered(more);
  }
}
