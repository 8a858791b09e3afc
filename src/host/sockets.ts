/**
 * The network, as the server sees it: listening, and connections that send text of one character a byte. The only file
 * of the server that knows node:net and node:tls.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TlsOptions } from "node:tls";

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
  /** After so long without a word the system asks whether the other side is still there; 0: never. */
  keepAlive(delayMs: number): void;
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
  /** Later connections are taken with these; nothing where the port does not speak TLS. */
  renew(tls: TlsMaterial): void;
}

/** What a port speaks TLS with, each in the form PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authority of the clients, which must show certificates then. */
  readonly clientCa: Buffer | null;
}

/** The network. */
export interface Sockets {
  /**
   * Listens; port 0 picks a free one; with `tls` it speaks TLS only. Rejects with the system's error (`code`
   * EADDRINUSE, EACCES …).
   */
  listen(
    port: number,
    host: string,
    accept: (connection: Connection) => ConnectionEvents,
    tls?: TlsMaterial | null,
  ): Promise<Listener>;
}

/** Connections that may wait to be accepted, as in Redis. */
export const waitingConnectionsMax = 511;

/** The network of this machine. */
export function nodeSockets(): Sockets {
  return {
    listen(port, host, accept, tls = null) {
      const server = tls === null ? createServer(sides) : tlsServer(tls);
      server.on(tls === null ? "connection" : "secureConnection", (socket: Socket) => attach(socket, accept));
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host, backlog: waitingConnectionsMax }, () => {
          server.removeListener("error", reject);
          // A connection that could not be accepted (no file descriptors left) is that client's loss only.
          server.on("error", () => undefined);
          resolve(listener(server));
        });
      });
    },
  };
}

const sides = { allowHalfOpen: true, noDelay: true };
/** How long a client may take to say hello, and how many may be about to: nothing counts them before. */
const handshakeMs = 10_000;
const handshakesMax = 1000;

function tlsServer(tls: TlsMaterial): TlsServer {
  const server = createTlsServer({ ...sides, ...contextOf(tls), handshakeTimeout: handshakeMs });
  let waiting = 0;
  server.on("connection", (socket: Socket) => {
    if (++waiting > handshakesMax) socket.destroy();
  });
  // One of the two comes for each connection.
  server.on("secureConnection", () => waiting--);
  // Who does not speak TLS, or shows no certificate that counts, gets no more.
  server.on("tlsClientError", (_, socket) => {
    waiting--;
    socket.destroy();
  });
  return server;
}

function contextOf({ cert, key, clientCa }: TlsMaterial): TlsOptions {
  const clients = clientCa === null ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion: "TLSv1.2", ...clients };
}

function listener(server: Server): Listener {
  const { port, address } = server.address() as AddressInfo;
  const renew = (tls: TlsMaterial): void => {
    if ("setSecureContext" in server) (server as TlsServer).setSecureContext(contextOf(tls));
  };
  return { port, host: address, close: () => void server.close(), renew };
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
    keepAlive: (delayMs) => void socket.setKeepAlive(delayMs > 0, delayMs),
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
