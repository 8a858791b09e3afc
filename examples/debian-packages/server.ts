/** Starts `write-behind serve` as a process of its own, and kills it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

const program = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** A server on a data folder. It can be killed and started again on the same folder and port. */
export class Server {
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  /** Starts a server that keeps its data in `folder`; resolves when it accepts connections. */
  static async start(folder: string): Promise<Server> {
    const server = new Server(folder, await freePort());
    await server.start();
    return server;
  }

  /** Starts it again. */
  async start(): Promise<void> {
    const args = ["serve", "--port", String(this.port), "--admin-port", "0", "--data", this.#folder];
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    this.#process = child;
    while (!(await accepts(this.port))) {
      if (child.exitCode !== null) throw new Error(`serve ended with exit code ${child.exitCode}`);
      await sleep(20);
    }
  }

  /** The end that no program can prepare for. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** A clean stop: what is pending goes to the database first. Gives the exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
    return child.exitCode;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
