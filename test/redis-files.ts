/**
 * A redis-server that keeps snapshots only, and that can be killed and started again from an older one, or from
 * none.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, listening, program, runProgram } from "./servers.js";

/** The server. Its port stays the same. */
export class RedisWithFiles {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | null = null;
  #ended: Promise<unknown> = Promise.resolve();

  private constructor(port: number) {
    this.port = port;
    this.#folder = mkdtempSync(join(tmpdir(), "redis-files-"));
  }

  static async start(): Promise<RedisWithFiles> {
    const server = new RedisWithFiles(await freePort());
    await server.#start();
    return server;
  }

  /** As the command line takes it. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** What redis-cli prints for a command. */
  ask(...command: string[]): string {
    return runProgram("redis-cli", ["-p", String(this.port), ...command]).trim();
  }

  /** Makes a snapshot and keeps it aside. */
  keep(): void {
    this.ask("SAVE");
    copyFileSync(join(this.#folder, "dump.rdb"), join(this.#folder, "kept.rdb"));
  }

  /** Kills it, and starts it from the snapshot that was kept aside. */
  async restartFromKept(): Promise<void> {
    await this.kill();
    copyFileSync(join(this.#folder, "kept.rdb"), join(this.#folder, "dump.rdb"));
    await this.#start();
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { path, env } = program("redis-server");
    const where = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""];
    this.#child = spawn(path, where, { env, stdio: "ignore" });
    this.#ended = once(this.#child, "exit");
    await listening(this.port);
  }
}
