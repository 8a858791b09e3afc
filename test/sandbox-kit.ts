/** The walkthrough's API over real engines in real processes, with a clock whose idle timers the test fires. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAdmin } from "../src/dashboard/admin.js";
import type { PlainError } from "../src/errors.js";
import { Emitter } from "../src/events.js";
import type { Heart, Status } from "../src/heart.js";
import type { Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { openSandboxes } from "../src/cli/temporary-folders.js";
import { sandboxLimits, type SandboxAnswer, type Sandboxes, type SandboxNow } from "../src/lesson/sandbox.js";

/** An answer of the API. */
export interface Asked<T = SandboxAnswer & { readonly now: SandboxNow }> {
  readonly status: number;
  readonly json: T;
}

/** Asks a server for something of its walkthrough. */
export async function ask<T = Asked["json"]>(url: string, what: string, body: unknown = {}): Promise<Asked<T>> {
  const response = await fetch(new URL(`/api/sandbox/${what}`, url), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as T };
}

/** Asks for something that is refused. */
export async function refused(
  url: string,
  what: string,
  body: unknown = {},
): Promise<PlainError & { readonly status: number }> {
  const { status, json } = await ask<{ error: PlainError }>(url, what, body);
  return { status, ...json.error };
}

/** A server whose own engine may not be touched. */
export interface SandboxServer {
  readonly url: string;
  readonly sandboxes: Sandboxes;
  /** Folders that there are now. */
  folders(): string[];
  /** As if nobody had called for so long. */
  passIdleTime(): void;
  close(): Promise<void>;
}

/** Starts one. Its temporary folders lie in a folder of its own. */
export async function startSandboxes(): Promise<SandboxServer> {
  const before = process.env["TMPDIR"];
  const temporary = mkdtempSync(join(tmpdir(), "sandbox-test-"));
  process.env["TMPDIR"] = temporary;
  const idle = new Set<() => void>();
  const sandboxes = openSandboxes(withIdleTimers(nodeHost(), idle));
  const options = { host: "127.0.0.1", adminPort: 0, adminToken: null, password: null };
  const { clock } = nodeHost();
  const run = (): never => untouched();
  const admin = await startAdmin({ heart: untouchableHeart(), clock, options, run, version: "0", sandboxes });
  return {
    url: admin.url,
    sandboxes,
    folders: () => readdirSync(temporary),
    passIdleTime: () => {
      for (const fire of idle) fire();
    },
    close: async () => {
      await admin.close();
      process.env["TMPDIR"] = before;
      if (before === undefined) delete process.env["TMPDIR"];
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}

/** Whether a process runs. One that has ended and that nobody has asked about does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

function withIdleTimers(host: Host, idle: Set<() => void>): Host {
  const after: Host["clock"]["after"] = (delayMs, call, keepsAlive) => {
    if (delayMs !== sandboxLimits.idleMs) return host.clock.after(delayMs, call, keepsAlive);
    idle.add(call);
    return { cancel: () => void idle.delete(call) };
  };
  return { ...host, clock: { ...host.clock, after } };
}

function untouchableHeart(): Heart {
  // The numbers of the page are read all the time.
  const status = { cache: {}, queue: {}, writer: {}, deadLetters: {} };
  const read: Partial<Heart> = {
    onFailed: () => {},
    events: new Emitter(),
    accepted: 0,
    status: () => status as Status,
  };
  return new Proxy({} as Heart, { get: (_, name) => read[name as keyof Heart] ?? untouched() });
}

function untouched(): never {
  throw new Error("the walkthrough touched the engine that is served");
}
