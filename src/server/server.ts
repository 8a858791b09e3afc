/**
 * The Redis protocol on a port: accepts clients, counts them, ends them. A client's own story is in connection.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { bufferOfBytes, bytesOfText, type Bytes } from "../bytes.js";
import type { ClientFacts, ServerCounters } from "../commands/command.js";
import { Cursors } from "../commands/cursors.js";
import { commandTable } from "../commands/table.js";
import { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import type { Clock, Random, Timer, Usage } from "../host/host.js";
import type { Connection, Listener, Sockets, TlsMaterial } from "../host/sockets.js";
import type { Options } from "../options.js";
import { ServerConfig, type ConfigFacts } from "./config.js";
import { ClientConnection, type ConnectionHost } from "./connection.js";
import { defaultLimits, type Limits } from "./limits.js";
import { LoginDelays } from "./login-delays.js";

/** What the server needs. */
export interface ServerParts {
  readonly heart: Heart;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: Pick<Options, "port" | "host" | "password" | "allowFlush" | "maxClients">;
  /** What the port speaks TLS with; absent or null: it does not. */
  readonly tls?: TlsMaterial | null;
  /** Version of write-behind, for INFO. */
  readonly version: string;
  readonly log: ServerLog;
  /** Stops the program as SIGTERM does, for SHUTDOWN; left out where that is not the server's to do. */
  readonly stop?: (() => void) | undefined;
  /** What the process takes, for INFO. */
  readonly usage?: (() => Usage) | undefined;
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
  /** Later clients are greeted with this certificate. */
  renewTls(tls: TlsMaterial): void;
  /** Connections and commands so far. */
  readonly counters: Readonly<ServerCounters>;
  /**
   * Takes no more clients and commands, answers the commands in hand, closes. After the deadline (default 1,000 ms) the
   * clients that are left are cut off. The heart lives on.
   */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

const defaultCloseMs = 1000;
/** How often the clients are looked at, where there is something to look for. */
const lookMs = 1000;

/** Starts the server. Rejects CONFIG where it cannot listen, with the flag to change. */
export async function startServer(parts: ServerParts): Promise<RespServer> {
  const server = new Server(parts);
  const listener = await listen(parts, server);
  server.listener = listener;
  return server;
}

async function listen({ sockets, options, tls = null }: ServerParts, server: Server): Promise<Listener> {
  const { host, port } = options;
  try {
    return await sockets.listen(port, host, (connection) => server.accept(connection), tls);
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
  readonly stop: (() => void) | null;
  readonly usage: (() => Usage) | null;
  readonly cursors: Cursors;
  readonly counters: ServerCounters;
  readonly limits: Limits;
  readonly config: ServerConfig;
  readonly logins: LoginDelays;
  listener: Listener | null = null;
  readonly #log: ServerLog;
  readonly #passwordDigest: Buffer | null;
  readonly #startedAt: number;
  /** Every client shows a certificate: as good as a password. */
  readonly #knowsClients: boolean;
  readonly #clients = new Set<ClientConnection>();
  #lastId = 0;
  #isClosing = false;
  #allGone: (() => void) | null = null;
  #looking: Timer | null = null;

  constructor({ heart, clock, random, options, tls = null, version, log, stop, usage }: ServerParts) {
    this.heart = heart;
    this.clock = clock;
    this.version = version;
    this.runId = random.hex(20);
    this.cursors = new Cursors(Number.parseInt(random.hex(6), 16));
    this.allowFlush = options.allowFlush;
    this.stop = stop ?? null;
    this.usage = usage ?? null;
    this.#log = log;
    this.#passwordDigest = options.password === null ? null : digest(bytesOfText(options.password));
    this.#knowsClients = tls !== null && tls.clientCa !== null;
    this.#startedAt = clock.monotonic();
    const limits = defaultLimits(options.maxClients);
    this.limits = limits;
    this.config = new ServerConfig(
      limits,
      () => this.#facts(),
      () => this.#lookAtClients(),
    );
    this.logins = new LoginDelays(clock);
    this.counters = {
      clients: 0,
      get clientsMax() {
        return limits.clientsMax;
      },
      connections: 0,
      rejected: 0,
      commands: 0,
      errors: 0,
      bytesIn: 0,
      bytesOut: 0,
      cacheBefore: { hits: 0, misses: 0, evictions: 0 },
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

  get clients(): Iterable<ClientFacts> {
    return [...this.#clients].map(({ session }) => session);
  }

  isPassword(password: Bytes): boolean {
    return this.#passwordDigest !== null && timingSafeEqual(digest(password), this.#passwordDigest);
  }

  renewTls(tls: TlsMaterial): void {
    this.listener?.renew(tls);
  }

  resetStats(): void {
    const { counters } = this;
    Object.assign(counters, { connections: 0, rejected: 0, commands: 0, errors: 0, bytesIn: 0, bytesOut: 0 });
    counters.cacheBefore = this.heart.status().cache;
    for (const tally of counters.byCommand.values()) tally.calls = 0;
  }

  accept(connection: Connection): ClientConnection {
    connection.keepAlive(this.limits.keepAliveSeconds * 1000);
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

  cutOff(client: ClientConnection, why: string): void {
    this.#log.info({ peer: client.session.peer }, `a client was cut off: ${why}`);
    client.destroy();
  }

  unexpected(error: unknown, command: string): void {
    this.#log.error({ err: error, command }, "a command failed in a way that it must not");
  }

  async close({ deadlineMs = defaultCloseMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#isClosing = true;
    this.listener?.close();
    this.#looking?.cancel();
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

  #facts(): ConfigFacts {
    const { durability } = this.heart;
    const cacheBytesMax = this.heart.status().cache.bytesMax;
    return {
      host: this.host,
      port: this.port,
      durability,
      cacheBytesMax,
      hasPassword: this.hasPassword,
      isProtected: !this.#knowsClients,
    };
  }

  /** Goes on as long as a limit has to be looked after. */
  #lookAtClients(): void {
    if (this.#looking !== null || this.#isClosing) return;
    if (this.limits.idleSeconds === 0 && this.limits.output.normal.softBytes === 0) return;
    this.#looking = this.clock.after(lookMs, () => {
      this.#looking = null;
      const now = this.clock.monotonic();
      for (const client of this.#clients) client.look(now);
      this.#lookAtClients();
    });
  }

  /** Why a new client is not served, or null. */
  #refusal(isLoopback: boolean): string | null {
    if (this.#isClosing) return "ERR the server is shutting down";
    if (this.#clients.size > this.limits.clientsMax) return "ERR max number of clients reached";
    if (isLoopback || this.hasPassword || this.#knowsClients) return null;
    return denied;
  }
}

/** Redis' text, with what can be done about it here. */
const denied =
  "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. " +
  "In this mode connections are only accepted from the loopback interface. " +
  "If you want to connect from external computers to write-behind you may adopt one of the following solutions: " +
  "1) Start it with --password, or with WRITE_BEHIND_PASSWORD set, and let clients give the password with AUTH. " +
  "2) Let clients show certificates: --tls-cert, --tls-key and --tls-client-ca. " +
  "3) Connect from the host that it is running on. " +
  "NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.";

function digest(password: Bytes): Buffer {
  return createHash("sha256").update(bufferOfBytes(password)).digest();
}
