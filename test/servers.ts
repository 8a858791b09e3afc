/**
 * Real servers for tests and benchmarks: finds their programs and the browser (in PATH, then where `npm run servers`
 * put them) and starts servers on a free port of the loopback interface.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A program that can be started. */
export interface Program {
  readonly path: string;
  /** The environment it needs to find its libraries. */
  readonly env: NodeJS.ProcessEnv;
}

/** The programs that can be asked for. */
export type ProgramName = "redis-server" | "redis-cli" | "redis-benchmark" | "chromium-headless-shell" | "python3";

/** What brings the programs that are missing. */
export const bringThem = "npm run servers";

interface Manifest {
  readonly programs: Readonly<Record<string, string>>;
  readonly libraries: readonly string[];
  /** What tells fontconfig of the fonts that were brought, where there are any. */
  readonly fonts?: string;
  /** Where Python finds the modules that were brought. */
  readonly modules?: string;
}

const groupOf: Readonly<Record<ProgramName, string>> = {
  "redis-server": "redis",
  "redis-cli": "redis",
  "redis-benchmark": "redis",
  "chromium-headless-shell": "chromium",
  python3: "python",
};

/** Other programs in PATH that do as well. */
const instead: Partial<Readonly<Record<ProgramName, readonly string[]>>> = {
  "chromium-headless-shell": ["chromium", "google-chrome"],
};

/** What a program of the machine must be able to do, to be of use. */
const able: Partial<Readonly<Record<ProgramName, readonly string[]>>> = { python3: ["-c", "import redis"] };

function inPath(name: ProgramName): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const paths = [name, ...(instead[name] ?? [])].flatMap((each) => folders.map((folder) => join(folder, each)));
  return paths.find((file) => existsSync(file));
}

/** Finds a program, or null where it is neither in PATH nor in the cache folder. */
export function findProgram(name: ProgramName): Program | null {
  const path = inPath(name);
  const needed = able[name];
  if (path !== undefined && (needed === undefined || spawnSync(path, needed, { stdio: "ignore" }).status === 0)) {
    return { path, env: process.env };
  }
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const group = join(cache, "write-behind", "servers", groupOf[name]);
  if (!existsSync(join(group, "manifest.json"))) return null;
  const manifest = JSON.parse(readFileSync(join(group, "manifest.json"), "utf8")) as Manifest;
  const brought = manifest.programs[name];
  const program = brought === undefined ? path : join(group, brought);
  if (program === undefined) return null;
  const libraries = manifest.libraries.map((folder) => join(group, folder)).join(delimiter);
  const fonts = manifest.fonts === undefined ? {} : { FONTCONFIG_FILE: join(group, manifest.fonts) };
  const modules = manifest.modules === undefined ? {} : { PYTHONPATH: join(group, manifest.modules) };
  return { path: program, env: { ...process.env, LD_LIBRARY_PATH: libraries, ...fonts, ...modules } };
}

/** Finds a program, or throws with the command that brings it. */
export function program(name: ProgramName): Program {
  const found = findProgram(name);
  if (found === null) throw new Error(`${name} is not on this machine; \`${bringThem}\` brings it`);
  return found;
}

/** Runs a program to its end and gives what it printed; throws where it fails. */
export function runProgram(name: ProgramName, args: readonly string[]): string {
  const { path, env } = program(name);
  const result = spawnSync(path, args, { env, encoding: "utf8", maxBuffer: 1 << 26 });
  if (result.status !== 0) throw new Error(`${name} ${args.join(" ")} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** A server that runs. */
export interface RunningServer {
  readonly port: number;
  readonly process: ChildProcess;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** A port of the loopback interface on which nobody listens at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until somebody accepts connections on the port of the loopback interface. */
export async function listening(port: number, deadlineMs = 20_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`nobody listens on port ${port}`, { cause: error });
      await sleep(20);
    } finally {
      socket.destroy();
    }
  }
}

/** Starts redis-server in a folder of its own (below `parent`), without a configuration file, with these flags. */
export async function startRedis(args: readonly string[] = [], parent: string = tmpdir()): Promise<RunningServer> {
  const { path, env } = program("redis-server");
  const folder = mkdtempSync(join(parent, "redis-"));
  const port = await freePort();
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--daemonize", "no"];
  const child = spawn(path, [...own, ...args], { env, stdio: "ignore" });
  const ended = once(child, "exit");
  try {
    await Promise.race([
      listening(port),
      ended.then(() => {
        throw new Error(`redis-server ended at once (${child.exitCode ?? child.signalCode})`);
      }),
    ]);
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    port,
    process: child,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
