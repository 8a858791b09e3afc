/**
 * A redis-server and a `write-behind serve` behind one interface: started with the same password, killed, started again
 * on the same folder and port. What a test says of one it can then say of the other.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, vi } from "vitest";
import { RespClient } from "../src/cli/resp-client.js";
import { ServerProcess } from "./crash/server-process.js";
import { until } from "./server-setup.js";
import { findProgram, freePort, listening, program } from "./servers.js";
import type { TlsFiles } from "./tls-certificates.js";
import { describeWith } from "./with-programs.js";

/** The password of every server here. */
export const password = "open sesame";

/** Both kinds, by what they are called. */
export const kinds = ["redis-server", "write-behind serve"] as const;

/** Which server. */
export type Kind = (typeof kinds)[number];

/** A server whose folder and port stay the same. */
export class Place {
  readonly port: number;
  readonly folder: string;
  readonly #kind: Kind;
  readonly #tls: TlsFiles | null;
  #end: () => Promise<unknown> = async () => undefined;

  private constructor(kind: Kind, port: number, tls: TlsFiles | null) {
    this.#kind = kind;
    this.port = port;
    this.#tls = tls;
    this.folder = mkdtempSync(join(tmpdir(), "same-place-"));
  }

  /** With these files clients must speak TLS, and show a certificate. */
  static async open(kind: Kind, tls: TlsFiles | null = null): Promise<Place> {
    const place = new Place(kind, await freePort(), tls);
    await place.start();
    return place;
  }

  /** Where our records lie; redis-server has no such file. */
  get database(): string {
    return join(this.folder, "write-behind.db");
  }

  /** Starts it, again where it was killed; resolves when it accepts clients. */
  async start(): Promise<void> {
    await (this.#kind === "redis-server" ? this.#startRedis() : this.#startOurs());
  }

  /** The end that no program can prepare for. */
  async kill(): Promise<void> {
    await this.#end();
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #startOurs(): Promise<void> {
    const closed = ["--password", password, "--admin-token", "a token"];
    const own = ["--data", this.folder, "--port", String(this.port), ...closed];
    const tls = this.#tls === null ? [] : ourTls(this.#tls);
    const server = new ServerProcess([...own, ...tls]);
    this.#end = () => server.end("SIGKILL");
    if (!(await server.ready())) throw new Error(`it ended: ${String(server.ended)}: ${server.errors}`);
  }

  async #startRedis(): Promise<void> {
    const { path, env } = program("redis-server");
    const port = this.#tls === null ? ["--port", String(this.port)] : redisTls(this.port, this.#tls);
    const own = [...port, "--bind", "127.0.0.1", "--dir", this.folder, "--requirepass", password];
    const kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    const child: ChildProcess = spawn(path, [...own, ...kept], { env, stdio: "ignore" });
    const ended = once(child, "exit");
    this.#end = async () => {
      child.kill("SIGKILL");
      await ended;
    };
    await listening(this.port);
    if (this.#tls !== null) return;
    // Until it has read its file again it answers LOADING, which not every client takes for a moment's matter.
    await vi.waitFor(() => expect(this.#says("PING")).resolves.toBe("PONG"), { timeout: 20_000, interval: 20 });
  }

  /** What it answers to a command. */
  async #says(...command: string[]): Promise<string> {
    const client = await RespClient.open("127.0.0.1", this.port);
    try {
      await client.send(["AUTH", password]);
      const reply = await client.send(command);
      return "text" in reply ? reply.text : reply.type;
    } finally {
      client.close();
    }
  }
}

const ourTls = ({ cert, key, ca }: TlsFiles): string[] => ["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca];

function redisTls(port: number, { cert, key, ca }: TlsFiles): string[] {
  const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca];
  return ["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "yes", ...files];
}

/**
 * The same tests with each of both servers, which are started for them; that with the redis-server is skipped where it
 * is not on the machine.
 */
export function describeBoth(name: string, body: (place: () => Place, kind: Kind) => void): void {
  for (const kind of kinds) {
    const group = (): void => {
      let place: Place | null = null;
      beforeAll(async () => {
        place = await Place.open(kind);
      });
      afterAll(() => place?.close());
      body(() => place as Place, kind);
    };
    if (kind === "redis-server" && findProgram(kind) === null) describeWith([kind], `${name}, ${kind}`, group);
    else describe(`${name}, ${kind}`, group);
  }
}

/** Ten writers, while the server is killed and started again: the numbers of the writes that were answered. */
export async function writesThroughAKill(place: Place, write: (i: number) => Promise<unknown>): Promise<number[]> {
  const answered: number[] = [];
  let [over, next] = [false, 0];
  const writer = async (): Promise<void> => {
    while (!over) {
      const i = next++;
      const reply = await write(i).catch(() => null);
      if (reply === "OK") answered.push(i);
    }
  };
  const writers = Array.from({ length: 10 }, () => writer());
  await until(() => answered.length > 500);
  await place.kill();
  const before = answered.length;
  await place.start();
  await until(() => answered.length > before + 500);
  over = true;
  await Promise.all(writers);
  return answered;
}
