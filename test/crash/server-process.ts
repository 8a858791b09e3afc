/** The real `write-behind serve` as a child process: started, asked, killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const startMs = 30_000;

/** How a server is started, where not as usual. */
interface ServerStart {
  readonly uid?: number | undefined;
  readonly node?: string;
  readonly entry?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** A server, from its first moment on. */
export class ServerProcess {
  /** Why it ended; null while it runs. */
  ended: string | null = null;
  port = 0;
  admin = "";
  /** What it wrote to stderr. */
  errors = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  /** What it wrote to stdout. */
  output = "";

  /**
   * `uid`: the user that it runs as. `node`: another file of this Node. `entry`: another program that serves.
   * `variables`: some more of the environment.
   */
  constructor(
    flags: readonly string[],
    { uid, node = process.execPath, entry = program, variables = {} }: ServerStart = {},
  ) {
    const args = [entry, "serve", "--json", "--port", "0", "--admin-port", "0", ...flags];
    this.#child = spawn(node, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...variables },
      ...(uid === undefined ? {} : { uid }),
    });
    this.#child.stderr?.on("data", (piece: Buffer) => (this.errors = (this.errors + piece.toString()).slice(-20_000)));
    this.#exit = once(this.#child, "exit").then(
      ([code, signal]) => (this.ended = `code ${String(code)}, signal ${String(signal)}`),
    );
  }

  /** Resolves true when it serves, false where it ended before; rejects where it takes too long. */
  async ready(): Promise<boolean> {
    const said = new Promise<boolean>((resolve) => {
      this.#child.stdout?.on("data", (piece: Buffer) => {
        this.output += piece.toString();
        if (this.port !== 0 || !this.output.includes("\n")) return;
        const line = JSON.parse(this.output) as { redis: { port: number }; admin: string };
        this.port = line.redis.port;
        this.admin = line.admin;
        resolve(true);
      });
    });
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), startMs);
    const tooLate = once(late.signal, "abort").then(() => {
      throw new Error(`the server did not start within ${startMs} ms:\n${this.errors}`);
    });
    try {
      return await Promise.race([said, this.#exit.then(() => false), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when it has ended, for whatever reason. */
  get exited(): Promise<unknown> {
    return this.#exit;
  }

  /** Sends a signal and waits for the end. Gives the exit code, null after SIGKILL. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    if (this.ended === null) this.#child.kill(signal);
    await this.#exit;
    return this.#child.exitCode;
  }

  /** The system's number; 0 where it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends SIGHUP. */
  hangUp(): void {
    this.#child.kill("SIGHUP");
  }

  /** Asks the admin API. */
  async ask(method: "GET" | "POST", path: string): Promise<unknown> {
    const post = { method, headers: { "content-type": "application/json" }, body: "{}" };
    const response = await fetch(`${this.admin}${path}`, method === "POST" ? post : { method });
    const json: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status} ${JSON.stringify(json)}`);
    return json;
  }
}
