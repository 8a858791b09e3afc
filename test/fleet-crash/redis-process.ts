/** A redis-server that keeps its folder and its port when it is killed and started again. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RespClient } from "../../src/cli/resp-client.js";
import { freePort, program } from "../servers.js";

/** Every write is on the disk before it is answered. */
export const alwaysOnDisk = ["--appendonly", "yes", "--appendfsync", "always"];

/** A server. */
export class RedisProcess {
  readonly port: number;
  readonly #folder: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #answered = false;

  private constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.#folder = mkdtempSync(join(tmpdir(), "redis-fleet-"));
    this.#flags = flags;
  }

  static async start(flags: readonly string[] = alwaysOnDisk): Promise<RedisProcess> {
    const redis = new RedisProcess(await freePort(), flags);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Whether it runs, and has answered. */
  get runs(): boolean {
    return this.#answered;
  }

  /** Starts it on what is in its folder, and waits until it answers. */
  async start(): Promise<void> {
    if (this.#child !== null) return;
    const { path, env } = program("redis-server");
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""];
    const child = spawn(path, [...own, ...this.#flags], { env, stdio: "ignore" });
    this.#child = child;
    for (let left = 1000; !(await this.#answers()); left--) {
      if (left === 0 || child.exitCode !== null) throw new Error("redis-server does not start");
      await sleep(10);
    }
    this.#answered = true;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    this.#answered = false;
    if (child === null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** What is on its disk now; `bring` puts it back. The server must not run. */
  take(): string {
    const copy = mkdtempSync(join(tmpdir(), "redis-copy-"));
    cpSync(this.#folder, copy, { recursive: true });
    return copy;
  }

  bring(copy: string | null): void {
    rmSync(this.#folder, { recursive: true });
    if (copy === null) mkdirSync(this.#folder);
    else cpSync(copy, this.#folder, { recursive: true });
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const client = await RespClient.open("127.0.0.1", this.port).catch(() => null);
    if (client === null) return false;
    const reply = await client.send(["PING"]).catch(() => null);
    client.close();
    return reply?.type === "simple";
  }
}
