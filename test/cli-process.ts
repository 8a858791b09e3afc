/** Runs the real program as a child process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The program. */
export const program = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

/** What a run of the program gave. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs it to its end. Only the variables that are given with our prefix are set. */
export async function run(args: readonly string[], variables: Record<string, string> = {}, input = ""): Promise<Ran> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("WRITE_BEHIND_"));
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...Object.fromEntries(inherited), ...variables },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (piece: Buffer) => (out += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (err += piece.toString()));
  child.stdin.end(input);
  await once(child, "close");
  return { code: child.exitCode, out, err };
}

/** A folder that is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "write-behind-cli-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
