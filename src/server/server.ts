/**
 * The Redis protocol on a port: accepts clients, counts them, ends them. A client's own story is in connection.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { bufferOfBytes, bytesOfText, type Bytes } from "../bytes.js";
import type { ServerCounters } from "../commands/command.js";
import { Cursors } from "../commands/cursors.js";
import { commandTable } from "../commands/table.js";
import { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import type { Clock, Random } from "../host/host.js";
import type { Listener, Sockets } from "../host/sockets.js";
import type { Options } from "../options.js";
import { ClientConnection, type ConnectionHost } from "./connection.js";

/** What the server needs. */
export interface ServerParts {
  readonly heart: Heart;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: Pick<Options, "port" | "host" | "password" | "allowFlush" | "maxClients">;
  /** Version of write-behind, for INFO. */
  readonly version: string;
  readonly log: ServerLog;
}

/** Where the server says what happens; a logger of pino fits. Never gets a secret, a key or a value. */
export interface ServerLog {
  info(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A running server. */
export interface RespServer {
  readonly host: string;
  readonly port: number;
  /** Connections and commands so far. */
  readonly counters: Readonly<ServerCounters>;
  /**
   * Takes no more clients and commands, answers the commands in hand, closes. After the deadline (default 1,000 ms) the
   * clients that are left are cut off. The heart lives on.
   */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

const defaultCloseMs = 1000;

/** Starts the server. Rejects CONFIG where it cannot listen, with the flag to change. */
export async function startServer(parts: ServerParts): Promise<RespServer> {
  const server = new Server(parts);
  const listener = await listen(parts, server);
  server.listener = listener;
  return server;
}

async function listen({ sockets, options }: ServerParts, server: Server): Promise<Listener> {
  const { host, port } = options;
  try {
    return await sockets.listen(port, host, (connection) => server.accept(connection));
  } catch (error) {
    const code = (error as { code?: string }).code ?? "";
    const reasons: Record<string, readonly [string, string]> = {
      EADDRINUSE: [`port ${port} on ${host} is taken by another process`, "choose another with --port"],
      EACCES: [
        `port ${port} on ${host} needs more rights than this process has`,
        "choose one from 1024 on with --port",
      ],
      EADDRNOTAVAIL: [`${host} is not an address of this machine`, "choose another with --host"],
      ENOTFOUND: [`${host} is not a known name`, "choose another with --host"],
    };
    const [text, hint] = reasons[code] ?? [
      `cannot listen on ${host} port ${port}: ${String(error)}`,
      "see --host and --port",
    ];
    throw new WriteBehindError("CONFIG", text, { hint, cause: error });
  }
}

class Server implements ConnectionHost, RespServer {
  readonly heart: Heart;
  readonly clock: Clock;
  readonly version: string;
  readonly runId: string;
  readonly allowFlush: boolean;
  readonly commands = commandTable;
  readonly cursors: Cursors;
  readonly counters: ServerCounters;
  listener: Listener | null = null;
  readonly #log: ServerLog;
  readonly #passwordDigest: Buffer | null;
  readonly #startedAt: number;
  readonly #clients = new Set<ClientConnection>();
  #lastId = 0;
  #isClosing = false;
  #allGone: (() => void) | null = null;

  constructor({ heart, clock, random, options, version, log }: ServerParts) {
    this.heart = heart;
    this.clock = clock;
    this.version = version;
    this.runId = random.hex(20);
    this.cursors = new Cursors(Number.parseInt(random.hex(6), 16));
    this.allowFlush = options.allowFlush;
    this.#log = log;
    this.#passwordDigest = options.password === null ? null : digest(bytesOfText(options.password));
    this.#startedAt = clock.monotonic();
    this.counters = {
      clients: 0,
      clientsMax: options.maxClients,
      connections: 0,
      rejected: 0,
      commands: 0,
      errors: 0,
      bytesIn: 0,
      bytesOut: 0,
      byCommand: new Map([...commandTable, undefined].map((command) => [command, { calls: 0 }])),
    };
  }

  get host(): string {
    return this.listener?.host ?? "";
  }

  get port(): number {
    return this.listener?.port ?? 0;
  }

  get uptimeMs(): number {
    return this.clock.monotonic() - this.#startedAt;
  }

  get hasPassword(): boolean {
    return this.#passwordDigest !== null;
  }

  isPassword(password: Bytes): boolean {
    return this.#passwordDigest !== null && timingSafeEqual(digest(password), this.#passwordDigest);
  }

  accept(connection: Parameters<Parameters<Sockets["listen"]>[2]>[0]): ClientConnection {
    const client = new ClientConnection(++this.#lastId, this, connection);
    this.#clients.add(client);
    this.counters.connections++;
    this.counters.clients = this.#clients.size;
    const refusal = this.#refusal(connection.isLoopback);
    if (refusal !== null) {
      this.counters.rejected++;
      client.refuse(refusal);
    }
    return client;
  }

  left(client: ClientConnection): void {
    this.#clients.delete(client);
    this.counters.clients = this.#clients.size;
    if (this.#clients.size === 0) this.#allGone?.();
  }

  unexpected(error: unknown, command: string): void {
    this.#log.error({ err: error, command }, "a command failed in a way that it must not");
  }

  async close({ deadlineMs = defaultCloseMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#isClosing = true;
    this.listener?.close();
    if (this.#clients.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#allGone = resolve;
      const timer = this.clock.after(deadlineMs, () => {
        this.#log.info({ clients: this.#clients.size }, "clients were cut off at the deadline");
        for (const client of this.#clients) client.destroy();
      });
      this.#allGone = () => {
        timer.cancel();
        resolve();
      };
      for (const client of this.#clients) client.shutDown();
    });
  }

  /** Why a new client is not served, or null. */
  #refusal(isLoopback: boolean): string | null {
    if (this.#isClosing) return "ERR the server is shutting down";
    if (this.#clients.size > this.counters.clientsMax) return "ERR max number of clients reached";
    if (isLoopback || this.hasPassword) return null;
    return "DENIED write-behind is running in protected mode: no password is set, so only clients on the loopback interface are served. Start it with --password, or connect from the machine itself.";
  }
}

function digest(password: Bytes): Buffer {
  return createHash("sha256").update(bufferOfBytes(password)).digest();
}
