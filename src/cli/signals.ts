/** How a process that runs until it is told to stop hears that, and how it ends where something hangs. */
import type { Host } from "../host/host.js";

/** One key press may arrive twice: from the terminal, and once more through npm. */
const samePressMs = 500;

/** SIGTERM and SIGINT, the first and the second one; and SIGHUP, where it has a meaning. */
export class Signals {
  readonly #host: Host;
  #first: (() => void) | null = null;
  #second: (() => void) | null = null;
  #firstAt: number | null = null;

  constructor(host: Host) {
    this.#host = host;
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => this.#came());
  }

  /** Called at the first signal; takes the place of the call before. */
  onFirst(call: () => void): void {
    this.#first = call;
  }

  /** SIGHUP, which ends the process unless somebody asks for it here. */
  onHangup(call: () => void): void {
    process.on("SIGHUP", call);
  }

  onSecond(call: () => void): void {
    this.#second = call;
  }

  /** A client has asked for the same as a first signal. */
  ask(): void {
    if (this.#firstAt === null) this.#came();
  }

  #came(): void {
    const now = this.#host.clock.monotonic();
    if (this.#firstAt === null) {
      this.#firstAt = now;
      this.#first?.();
    } else if (now - this.#firstAt > samePressMs) this.#second?.();
  }
}

/**
 * Node waits for every thread when it exits, and one that hangs inside the database's driver or the disk never ends. So
 * there is no exit code in this case; what is left was said.
 */
export function killItself(): never {
  process.kill(process.pid, "SIGKILL");
  // The first process of a container cannot kill itself that way.
  process.abort();
}
