/** A proxy in front of a server on the loopback interface, for tests: it cuts, half-closes, delays and swallows. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What becomes of what travels. `server` is what the server sends, `client` what the client sends. */
export type Side = "client" | "server";

/** One client's way through. */
interface Way {
  readonly client: Socket;
  readonly server: Socket;
}

/** A proxy. Faults hold until `heal`. */
export class TcpProxy {
  readonly port: number;
  /** How long everything is held back, in milliseconds, in each direction. */
  delayMs = 0;
  /** Called with what a side sends, before it is passed on; what it returns false for is swallowed. */
  onData: ((side: Side, data: Buffer, way: Way) => boolean) | null = null;
  /** Clients that were let in. */
  accepted = 0;
  readonly #server: Server;
  readonly #target: () => number;
  readonly #ways = new Set<Way>();
  #refusing = false;

  private constructor(server: Server, target: () => number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => this.#let(client));
  }

  /** Starts one on a free port. */
  static async start(target: number | (() => number)): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, typeof target === "number" ? () => target : target);
  }

  /** Breaks off every connection. */
  cut(): void {
    for (const { client, server } of this.#ways) {
      // Node never closes what is reset while its end is on its way.
      if (client.writableEnded) client.destroy();
      else client.resetAndDestroy();
      server.destroy();
    }
    this.#ways.clear();
  }

  /** Breaks off every connection and lets nobody in. */
  refuse(): void {
    this.#refusing = true;
    this.cut();
  }

  /** Says goodbye to every client, and goes on passing what clients send. */
  halfClose(): void {
    for (const { client } of this.#ways) client.end();
  }

  /** Swallows everything, in both directions, and says nothing. */
  blackHole(): void {
    this.onData = () => false;
  }

  /** Everything passes again. What was swallowed is lost, so connections from before are broken off. */
  heal(): void {
    this.#refusing = false;
    this.onData = null;
    this.delayMs = 0;
    this.cut();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #let(client: Socket): void {
    if (this.#refusing) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    this.accepted++;
    const way: Way = { client, server: connect({ port: this.#target(), host: "127.0.0.1", allowHalfOpen: true }) };
    this.#ways.add(way);
    this.#pass("client", way);
    this.#pass("server", way);
  }

  #pass(side: Side, way: Way): void {
    const [from, to] = side === "client" ? [way.client, way.server] : [way.server, way.client];
    const held: (() => void)[] = [];
    // A delay may get shorter while something is held: still nothing overtakes, as on a real way.
    const after = (work: () => void): void => {
      if (this.delayMs === 0 && held.length === 0) return work();
      held.push(work);
      setTimeout(() => held.shift()?.(), this.delayMs);
    };
    from.setNoDelay(true);
    from.on("data", (data: Buffer) => {
      if (this.onData?.(side, data, way) !== false) after(() => to.writable && to.write(data));
    });
    from.on("end", () => after(() => to.end()));
    from.on("error", () => to.destroy());
    from.on("close", () => this.#ways.delete(way));
  }
}
