/** A server over the fake heart or the real engine, and a bare client of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Heart } from "../src/heart.js";
import { nodeHost } from "../src/host/node-host.js";
import { nodeSockets } from "../src/host/sockets.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import type { CacheDescriptor } from "../src/shared-cache.js";
import { startServer, type RespServer, type ServerParts } from "../src/server/server.js";
import { sqlite } from "../src/store/sqlite/index.js";
import type { StoreDescriptor } from "../src/store/store.js";
import { openHeart } from "../src/write-behind.js";
import { ManualClock } from "./manual-clock.js";
import { FakeHeart } from "./server-fake-heart.js";

/** A server over the real engine, with SQLite. */
export interface Engine {
  readonly heart: Heart;
  readonly port: number;
  /** Stops it as SIGTERM does. */
  stop(): Promise<void>;
}

/** A folder that goes with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "write-behind-server-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a server over the real engine in a folder; `stop` it before the test ends. */
export function serveEngine(data: string, engine: Readonly<Record<string, unknown>> = {}): Promise<Engine> {
  return serveOver({ store: sqlite({ file: join(data, "write-behind.db") }) }, { data, ...engine });
}

/** The same over any store, and with any cache. */
export async function serveOver(
  place: { readonly store: StoreDescriptor; readonly cache?: CacheDescriptor },
  engine: Readonly<Record<string, unknown>>,
): Promise<Engine> {
  const host = nodeHost();
  const heart = await openHeart({ host, ...place, options: resolveEngineOptions({ delayMs: 5, ...engine }) });
  const server = await startServer({
    heart,
    sockets: nodeSockets(),
    clock: host.clock,
    random: host.random,
    version: "0.0.0",
    log: { info: () => undefined, error: (fields) => process.stderr.write(`${JSON.stringify(fields)}\n`) },
    options: { port: 0, host: "127.0.0.1", password: null, allowFlush: true, maxClients: 100 },
  });
  const stop = async () => {
    await server.close({ deadlineMs: 100 });
    await heart.close();
  };
  return { heart, port: server.port, stop };
}

/** A server under test. */
export interface Served {
  readonly heart: FakeHeart;
  readonly server: RespServer;
  readonly port: number;
  /** What the server logged as an error, and else. */
  readonly errors: unknown[];
  readonly infos: unknown[];
}

/** Starts a server that ends with the test. */
export async function serve(
  options: Partial<ServerParts["options"]> = {},
  parts: Partial<Pick<ServerParts, "clock" | "sockets" | "tls" | "stop" | "usage">> = {},
): Promise<Served> {
  const heart = new FakeHeart();
  const errors: unknown[] = [];
  const infos: unknown[] = [];
  const { clock, random } = nodeHost();
  const server = await startServer({
    heart: heart.heart,
    sockets: nodeSockets(),
    clock,
    random,
    version: "0.0.0",
    log: { info: (fields) => infos.push(fields), error: (fields) => errors.push(fields) },
    options: { port: 0, host: "127.0.0.1", password: null, allowFlush: false, maxClients: 10_000, ...options },
    ...parts,
  });
  onTestFinished(async () => {
    const closed = server.close({ deadlineMs: 50 });
    if (parts.clock instanceof ManualClock) parts.clock.pass(50);
    await closed;
  });
  return { heart, server, port: server.port, errors, infos };
}

/** A client that sees bytes. */
export class RawClient {
  readonly socket: Socket;
  received = "";
  ended = false;
  closed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
    });
    this.socket.on("end", () => {
      this.ended = true;
    });
    this.socket.on("close", () => {
      this.closed = true;
    });
    this.socket.on("error", () => undefined);
    onTestFinished(() => void this.socket.destroy());
  }

  /** Sends inline commands, one for each line. */
  say(...lines: string[]): void {
    this.socket.write(lines.map((line) => `${line}\r\n`).join(""), "latin1");
  }

  send(bytes: string): void {
    this.socket.write(bytes, "latin1");
  }

  /** Waits until exactly this has come; then nothing of it counts any more. */
  async expect(text: string): Promise<void> {
    await until(
      () => this.received.length >= text.length,
      () => `wanted ${JSON.stringify(text)}, got ${JSON.stringify(this.received)}`,
    );
    if (this.received !== text) throw new Error(`wanted ${JSON.stringify(text)}, got ${JSON.stringify(this.received)}`);
    this.received = "";
  }
}

/** Waits until something is so. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: () => string = () => "it did not come",
): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await isSo()) return;
    await sleep(5);
  }
  throw new Error(what());
}

/** Time enough for whatever would come, where nothing must. */
export async function nothingHappens(): Promise<void> {
  await sleep(50);
}

/** A command as an array of bulk strings. */
export function command(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`;
}
