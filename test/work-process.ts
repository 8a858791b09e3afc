/** The real `write-behind work` as a child process: started, listened to, ended. */
import { spawn, type ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { program } from "./cli-process.js";

/** How long a worker may take to say what it is about to say. */
const patienceMs = 20_000;

/** A worker, from its first moment on. */
export class WorkProcess {
  /** What it wrote to stdout, and to stderr. */
  output = "";
  errors = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #heard = new EventEmitter();

  constructor(flags: readonly string[]) {
    this.#child = spawn(process.execPath, [program, "work", "--json", ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (piece: Buffer) => (this.output += piece.toString()));
    this.#child.stderr?.on("data", (piece: Buffer) => {
      this.errors += piece.toString();
      this.#heard.emit("line");
    });
    this.#exit = once(this.#child, "exit").then(() => this.#heard.emit("line"));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it has written this to stderr, at any time. */
  async says(pattern: RegExp): Promise<void> {
    const signal = AbortSignal.timeout(patienceMs);
    while (!pattern.test(this.errors)) {
      if (this.#child.exitCode !== null) throw new Error(`it ended without ${String(pattern)}:\n${this.errors}`);
      await once(this.#heard, "line", { signal }).catch(() => {
        throw new Error(`it does not say ${String(pattern)}:\n${this.errors}`);
      });
    }
  }

  /** Sends a signal and waits for the end. Gives the exit code, null after SIGKILL. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    await this.#exit;
    return this.#child.exitCode;
  }
}
