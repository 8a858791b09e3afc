/**
 * The network, as the server sees it: listening, and connections that send text of one character a byte. The only file
 * of the server that knows node:net.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A connection. Nothing here throws: a connection that is broken ends with `closed`. */
export interface Connection {
  /** The other side's address, `host:port`. */
  readonly peer: string;
  /** This side's address, `host:port`. */
  readonly local: string;
  /** Whether the other side is on this machine's loopback. */
  readonly isLoopback: boolean;
  /** Bytes that were written and have not left yet. */
  readonly unsent: number;
  /** Sends text of one character a byte. */
  write(text: string): void;
  /** No more `data` until `resume`, except what is already on its way. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then closes. */
  end(): void;
  /** Closes now; what was not sent is lost. */
  destroy(): void;
}

/** What happens on a connection. */
export interface ConnectionEvents {
  data(chunk: Buffer): void;
  /** Everything written has left. */
  drained(): void;
  /** The other side sends no more; it may still read. */
  ended(): void;
  /** It is over, for whatever reason. Called once. */
  closed(): void;
}

/** A port that is listened on. */
export interface Listener {
  readonly port: number;
  readonly host: string;
  /** Takes no more connections. Those there are live on. */
  close(): void;
}

/** The network. */
export interface Sockets {
  /** Listens; port 0 picks a free one. Rejects with the system's error (`code` EADDRINUSE, EACCES …). */
  listen(port: number, host: string, accept: (connection: Connection) => ConnectionEvents): Promise<Listener>;
}

/** After so long without a word the system asks whether the other side is still there (Redis' tcp-keepalive). */
const keepAliveMs = 300_000;

/** The network of this machine. */
export function nodeSockets(): Sockets {
  return {
    listen(port, host, accept) {
      const server = createServer({
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveMs,
      });
      server.on("connection", (socket) => attach(socket, accept));
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host, backlog: 511 }, () => {
          server.removeListener("error", reject);
          // A connection that could not be accepted (no file descriptors left) is that client's loss only.
          server.on("error", () => undefined);
          resolve(listener(server));
        });
      });
    },
  };
}

function listener(server: Server): Listener {
  const { port, address } = server.address() as AddressInfo;
  return { port, host: address, close: () => void server.close() };
}

function attach(socket: Socket, accept: (connection: Connection) => ConnectionEvents): void {
  const address = socket.remoteAddress ?? "";
  const connection: Connection = {
    peer: `${address}:${socket.remotePort ?? 0}`,
    local: `${socket.localAddress ?? ""}:${socket.localPort ?? 0}`,
    isLoopback: /^(?:::ffff:)?127\.|^::1$/.test(address),
    get unsent() {
      return socket.writableLength;
    },
    write: (text) => void socket.write(text, "latin1"),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => socket.destroySoon(),
    destroy: () => void socket.destroy(),
  };
  // An error is followed by "close": a reset connection is nothing that the server has to act on.
  socket.on("error", () => undefined);
  const events = accept(connection);
  socket.on("data", (chunk: Buffer) => events.data(chunk));
  socket.on("drain", () => events.drained());
  socket.on("end", () => events.ended());
  socket.on("close", () => events.closed());
}
