/**
 * The snippets of the guides, as a reader meets them: blocks are taken out of a page in their order, files are saved,
 * commands are typed at a shell in one fresh folder, servers run until the page ends. It knows nothing of what the
 * pages say. The rules for who writes a guide:
 *
 * - `sh` is typed line by line. A line that ends with `&` starts a server, `kill %1` ends it. A line that is to fail
 *   says so: `# exit code 1`.
 * - `js`, `ts`, `yaml`, `sql` whose first line is a comment with a file's name are saved under it, and a later command
 *   must use that file. JavaScript without a name is run at once.
 * - `text` is what the block before it prints. `…` stands for anything, on a line of its own for any lines; amounts,
 *   times, ids and ports need not be the same.
 * - What cannot be run has `<!-- not run: reason -->` on the line before it.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import { program } from "./cli-process.js";
import { findProgram, freePort } from "./servers.js";

/** The clone. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** One block of a page. */
export interface Block {
  readonly kind: string;
  readonly text: string;
  /** Of its first fence. */
  readonly line: number;
  /** The file it is saved as. */
  readonly file: string | null;
  /** Why nobody runs it. */
  readonly notRun: string | null;
}

/** For one step of a page on a machine that has much else to do. */
const patiently = { timeout: 60_000, interval: 20 };

const saved = new Set(["js", "ts", "yaml", "sql"]);
const kinds = new Set(["sh", "text", ...saved]);

/** All blocks of a page; throws where there is one that nobody would run. */
export function blocksOf(page: string): Block[] {
  const lines = page.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    if (/^ {4,}\S/.test(line) && lines[at - 1]?.trim() === "") {
      throw new Error(`line ${at + 1} is an indented block, which nobody runs: put it between fences`);
    }
    const fence = /^( *)```(.*)$/.exec(line);
    if (fence === null) continue;
    const end = lines.findIndex((each, index) => index > at && each.trim() === "```");
    const text = `${lines.slice(at + 1, end).join("\n")}\n`;
    const kind = fence[2] as string;
    const notRun = /^<!-- not run: (.+) -->$/.exec(lines[at - 1] ?? "")?.[1] ?? null;
    if (end < 0 || fence[1] !== "" || (notRun === null && !kinds.has(kind))) {
      throw new Error(`line ${at + 1}: nobody runs a block of "${kind}" that is written like this`);
    }
    const file = saved.has(kind) ? (/^(?:\/\/|#|--) (\S+\.\w+)$/m.exec(text.split("\n")[0] ?? "")?.[1] ?? null) : null;
    blocks.push({ kind, text, line: at + 1, file, notRun });
    at = end;
  }
  return blocks.map((block, index) => checked(block, blocks.slice(0, index), blocks.slice(index + 1)));
}

function checked(block: Block, before: readonly Block[], after: readonly Block[]): Block {
  if (block.notRun !== null) return block;
  const wrong = (what: string): never => {
    throw new Error(`line ${block.line}: ${what}`);
  };
  const last = before.findLast((each) => each.kind !== "text" || each.notRun !== null);
  if (
    block.kind === "text" &&
    (last === undefined || last.notRun !== null || (last.file !== null && last.kind !== "js"))
  )
    wrong("nothing before it prints this");
  if (block.kind === "text" && before.at(-1)?.kind === "text") wrong("there are two outputs one after the other");
  if (["yaml", "sql"].includes(block.kind) && block.file === null) wrong("its first line names no file");
  const used = (file: string): boolean => after.some((each) => each.notRun === null && each.text.includes(file));
  if (block.file !== null && !used(block.file)) wrong(`nothing after it uses ${block.file}`);
  return block;
}

const amount = String.raw`\d[\d,]*(?:\.\d+)?`;

/** Amounts, times and ids in a form in which they do not differ; columns closed up. */
function plain(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?/g, "TIME")
    .replace(/\b[0-9a-f]{16,}\b/g, "ID")
    .replace(new RegExp(`${amount} (ms|s|min|h)\\b`, "g"), "TIME")
    .replace(new RegExp(`${amount} (bytes|KB|MB|GB)(?![\\w])`, "g"), "SIZE")
    .replace(/[ \t]+/g, " ")
    .replace(/ $/gm, "")
    .trim();
}

/** Whether something was printed as a page shows it. */
export function isShown(printed: string, text: string): boolean {
  return shown(text).test(plain(printed));
}

/** What matches the output that a page shows, brought into that form. */
function shown(text: string): RegExp {
  const lines = plain(text).split("\n");
  const escaped = lines.map((line) =>
    line.trim() === "…" ? String.raw`[^]*` : line.split("…").map(quoted).join(".*"),
  );
  return new RegExp(`^${escaped.join("\n").replaceAll("[^]*\n", "[^]*")}$`);
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}

/** What a shell line does, as far as the pages need it. */
function commandsOf(text: string): string[] {
  return text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

const sqlite3 = `import { readFileSync } from "node:fs";
import { DatabaseSync } from "@photostructure/sqlite";
const [, , file, sql] = process.argv;
const database = new DatabaseSync(file, { timeout: 5000 });
if (sql === undefined) database.exec(readFileSync(0, "utf8"));
else for (const row of database.prepare(sql).all()) console.log(Object.values(row).join("|"));
`;

/** A reader who does what a page says. */
export class Reader {
  readonly #folder: string;
  /** What the page says, and what it is here. */
  readonly #here: (readonly [string, string])[];
  readonly #env: NodeJS.ProcessEnv;
  /** By their number in the shell, from 1. */
  readonly #jobs: (ChildProcess | null)[] = [];
  #output = "";
  /** Whether what servers in the background say counts: only where a block starts or ends one. */
  #hears = false;

  private constructor(folder: string, here: (readonly [string, string])[], env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#here = here;
    this.#env = env;
  }

  /** In this empty folder; `here` says what the page's addresses are on this machine. */
  static async begin(folder: string, here: readonly (readonly [string, string])[]): Promise<Reader> {
    const [port, admin] = [await freePort(), await freePort()];
    const bin = join(folder, "node_modules", ".bin");
    mkdirSync(bin, { recursive: true });
    for (const name of ["ioredis", "pg", "pino", "@photostructure", "@opentelemetry"]) {
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
    symlinkSync(root, join(folder, "node_modules", "write-behind"));
    const script = (name: string, text: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    script("npx", `[ "$1" = write-behind ] || exit 2; shift; exec "${process.execPath}" "${program}" "$@"`);
    writeFileSync(join(bin, "sqlite3.mjs"), sqlite3);
    const cli = findProgram("redis-cli");
    if (cli !== null) {
      const libraries = cli.env["LD_LIBRARY_PATH"] ?? "";
      script("redis-cli", `LD_LIBRARY_PATH="${libraries}" exec "${cli.path}" "$@"`);
    }
    script("sqlite3", `exec "${process.execPath}" "${join(bin, "sqlite3.mjs")}" "$@"`);
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("WRITE_BEHIND_"));
    const env = {
      ...Object.fromEntries(inherited),
      PATH: [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter),
      WRITE_BEHIND_PORT: String(port),
      WRITE_BEHIND_ADMIN_PORT: String(admin),
      WRITE_BEHIND_ADMIN: `http://127.0.0.1:${admin}`,
    };
    const ports = [["6380", String(port)] as const, ["8380", String(admin)] as const];
    return new Reader(folder, [...here, ...ports], env);
  }

  /** Does what all blocks say, and compares what is printed with what they show. */
  async read(blocks: readonly Block[]): Promise<void> {
    for (const [index, block] of blocks.entries()) {
      if (block.notRun !== null || block.kind === "text") continue;
      this.#output = "";
      this.#hears = / &$|^kill /m.test(block.text);
      if (block.file !== null) {
        mkdirSync(dirname(join(this.#folder, block.file)), { recursive: true });
        writeFileSync(join(this.#folder, block.file), this.#asHere(block.text));
      } else if (block.kind === "sh") for (const line of commandsOf(block.text)) await this.#type(line, block);
      else await this.#run(block);
      const output = blocks[index + 1];
      if (output?.kind !== "text" || output.notRun !== null) continue;
      const expected = shown(output.text);
      const where = `the output in line ${output.line}:\n${output.text}`;
      const isSo = (): void => expect(plain(this.#asShown(this.#output)), where).toMatch(expected);
      if (this.#jobs.length === 0) isSo();
      else await vi.waitFor(isSo, patiently);
    }
  }

  /** Ends what still runs. */
  async end(): Promise<void> {
    await Promise.all(this.#jobs.filter((job) => job !== null).map((job) => ended(job, "SIGKILL")));
  }

  async #run(block: Block): Promise<void> {
    const name = `line-${block.line}.m${block.kind}`;
    writeFileSync(join(this.#folder, name), this.#asHere(block.text));
    await this.#type(`node ${name}`, block);
  }

  async #type(line: string, block: Block): Promise<void> {
    const typed = this.#asHere(line.replace(/\s+#.*$/, ""));
    const kill = /^kill (?:-(\w+) )?%(\d+)$/.exec(typed);
    if (kill !== null) {
      const number = Number(kill[2]) - 1;
      await ended(this.#jobs[number] as ChildProcess, kill[1] === "9" ? "SIGKILL" : "SIGTERM");
      this.#jobs[number] = null;
      while (this.#jobs.length > 0 && this.#jobs.at(-1) === null) this.#jobs.pop();
      return;
    }
    const started = typed.endsWith(" &");
    const child = spawn("bash", ["-c", started ? `exec ${typed.slice(0, -2)}` : typed], {
      cwd: this.#folder,
      timeout: started ? undefined : patiently.timeout,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const place = `line ${block.line}: ${line}`;
    let own = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (piece: Buffer) => {
        own += piece.toString();
        if (!started || this.#hears) this.#output += piece.toString();
      });
    }
    if (started) {
      // One that is started beside another waits for it, and says so.
      const up = this.#jobs.every((job) => job === null) ? /^(Try|Worker) /m : /^(Try|Worker) |still starting/m;
      this.#jobs.push(child);
      const isUp = async (): Promise<void> => vi.waitFor(() => expect(own, place).toMatch(up), patiently);
      const isOver = once(child, "close").then(() => {
        throw new Error(`${place}: it ended: ${own}`);
      });
      await Promise.race([isUp(), isOver]);
      isOver.catch(() => {});
      return;
    }
    const [code] = (await once(child, "close")) as [number];
    const wanted = Number(/# exit code (\d+)$/.exec(line)?.[1] ?? 0);
    expect({ place, code, output: code === wanted ? "" : own }).toEqual({ place, code: wanted, output: "" });
  }

  #asHere(text: string): string {
    return this.#here.reduce((result, [there, here]) => result.replaceAll(there, here), text);
  }

  #asShown(text: string): string {
    // A terminal gets the sentence of a log line alone.
    const sentences = text.replaceAll(/^\{"level":.*\}$/gm, (line) => (JSON.parse(line) as { msg: string }).msg);
    const folder = sentences.replaceAll(/^still starting: .*\n/gm, "").replaceAll(`${this.#folder}/`, "/srv/");
    const shown = this.#here.reduceRight((result, [there, here]) => result.replaceAll(here, there), folder);
    // The program says its ports where they are not those that it has without being told.
    return shown.replaceAll(/ --port 6380\b| --admin http:\/\/127\.0\.0\.1:8380\b/g, "");
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

/** The compiler. */
export const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
