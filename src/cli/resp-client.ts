/** A connection that sends commands and gives their replies in order. It never sends anything twice. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { encodeCommand, RespReader, type RespReply } from "./resp-reply.js";

/** Something waits for a reply. */
interface Waiter {
  readonly resolve: (reply: RespReply) => void;
  readonly reject: (error: Error) => void;
}

/** What a client speaks TLS with, in the form PEM. */
export interface ClientTls {
  /** The authority of the server's certificate; absent: those that Node knows. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** One connection. */
export class RespClient {
  readonly #socket: Socket;
  readonly #reader = new RespReader();
  readonly #waiters: Waiter[] = [];
  #ended: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (piece: Buffer) => this.#take(piece));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the server closed the connection")));
  }

  /** Connects, over TLS where `tls` is given. Rejects with the error of the system or of TLS. */
  static open(host: string, port: number, tls: ClientTls | null = null): Promise<RespClient> {
    return new Promise((resolve, reject) => {
      const socket = tls === null ? connect({ host, port }) : connectTls({ host, port, ...tls });
      socket.once("error", reject);
      socket.once(tls === null ? "connect" : "secureConnect", () => {
        socket.off("error", reject);
        resolve(new RespClient(socket));
      });
    });
  }

  /** Sends a command. Rejects where the connection ended before the reply: whether it was done is not known then. */
  send(args: readonly (string | Buffer)[]): Promise<RespReply> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#socket.write(encodeCommand(args));
    });
  }

  /** Why the connection ended; null while it has not. */
  get ended(): Error | null {
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    try {
      for (const reply of this.#reader.push(piece)) {
        if (reply.type !== "push") this.#waiters.shift()?.resolve(reply);
      }
    } catch (error) {
      this.#end(error as Error);
      this.#socket.destroy();
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#ended);
  }
}
