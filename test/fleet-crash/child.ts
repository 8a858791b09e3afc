/** Child processes of a fleet campaign, each behind proxies of its own on its ways to Redis and to the database. */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { program } from "../cli-process.js";
import { TcpProxy } from "../tcp-proxy.js";
import type { Answer, AppSetup, Verb } from "./messages.js";

/** Where Redis and the database are. */
export interface Places {
  readonly redisPort: number;
  readonly postgresPort: number;
}

const startMs = 30_000;

/** A child, from its first moment on. */
export class FleetProcess {
  /** On its ways to Redis and to the database. */
  readonly proxies: readonly [TcpProxy, TcpProxy];
  readonly child: ChildProcess;
  /** Why it ended; null while it runs. */
  ended: string | null = null;
  errors = "";
  readonly #exit: Promise<unknown>;
  readonly #ready: Promise<boolean>;

  protected constructor(child: ChildProcess, proxies: readonly [TcpProxy, TcpProxy]) {
    this.proxies = proxies;
    this.child = child;
    child.stderr?.on("data", (data: Buffer) => (this.errors = (this.errors + data.toString()).slice(-10_000)));
    child.on("error", () => {});
    // The first that it says, on whatever way, is that it is ready.
    this.#ready = new Promise((resolve) => {
      child.once("message", () => resolve(true));
      child.stdout?.once("data", () => resolve(true));
    });
    this.#exit = once(this.child, "exit").then(
      ([code, signal]) => (this.ended = `code ${String(code)}, signal ${String(signal)}`),
    );
  }

  /** False where it has ended before it was ready. */
  async ready(): Promise<boolean> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), startMs);
    const tooLate = once(late.signal, "abort").then(() => {
      throw new Error(`a process did not start within ${startMs} ms:\n${this.errors}`);
    });
    try {
      return await Promise.race([this.#ready, this.#exit.then(() => false), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  get exited(): Promise<unknown> {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.ended === null) this.child.kill(signal);
  }

  /** Ends it, and its proxies. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.signal(signal);
    await this.#exit;
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
  }
}

async function proxiesTo({ redisPort, postgresPort }: Places): Promise<[TcpProxy, TcpProxy]> {
  return [await TcpProxy.start(redisPort), await TcpProxy.start(postgresPort)];
}

function urlsOf([toRedis, toPostgres]: readonly [TcpProxy, TcpProxy], database = "postgres") {
  return {
    cache: `redis://127.0.0.1:${toRedis.port}`,
    store: `postgres://postgres@127.0.0.1:${toPostgres.port}/${database}`,
  };
}

/** An application process. */
export class AppProcess extends FleetProcess {
  readonly #asked = new Map<number, (answer: Answer | null) => void>();
  #last = 0;

  static async start(places: Places, options: Readonly<Record<string, unknown>>): Promise<AppProcess> {
    const proxies = await proxiesTo(places);
    const setup: AppSetup = { ...urlsOf(proxies), options };
    const file = fileURLToPath(new URL("./app.js", import.meta.url));
    return new AppProcess(fork(file, [JSON.stringify(setup)], { stdio: ["ignore", "ignore", "pipe", "ipc"] }), proxies);
  }

  private constructor(child: ChildProcess, proxies: readonly [TcpProxy, TcpProxy]) {
    super(child, proxies);
    this.child.on("message", (message) => {
      if (typeof message !== "object") return;
      const answer = message as Answer;
      const told = this.#asked.get(answer.id);
      this.#asked.delete(answer.id);
      told?.(answer);
    });
    this.child.on("exit", () => {
      for (const told of this.#asked.values()) told(null);
      this.#asked.clear();
    });
  }

  /** What was answered; null where the process ended before. */
  ask(verb: Verb): Promise<Answer | null> {
    // It is ending: who asks again and again at once would never let the news of its end come in.
    if (!this.child.connected) return this.exited.then(() => null);
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      // What cannot be sent is answered by the end of the process.
      this.child.send({ id, ...verb }, () => {});
    });
  }
}

/** A worker process: `write-behind work`. */
export class WorkerProcess extends FleetProcess {
  /** It stands still (SIGSTOP). */
  stands = false;

  static async start(places: Places, flags: readonly string[], database?: string): Promise<WorkerProcess> {
    const proxies = await proxiesTo(places);
    const { cache, store } = urlsOf(proxies, database);
    const args = [program, "work", "--json", "--cache", cache, "--store", store, ...flags];
    return new WorkerProcess(spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] }), proxies);
  }

  stop(): void {
    this.stands = true;
    this.signal("SIGSTOP");
  }

  go(): void {
    this.stands = false;
    this.signal("SIGCONT");
  }
}
