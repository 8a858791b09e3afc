/** README.md says what happens: its code and its commands are taken out of it and run. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  bin: Record<string, string>;
  scripts: Record<string, string>;
};
const program = join(root, manifest.bin["write-behind"] ?? "");

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "m").exec(readme)?.[1];
  if (found === undefined) throw new Error(`README.md has no block of ${language}`);
  return found;
}

test("the ten lines print what README says, pasted into a file in the clone", () => {
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist", "readme-"));
  try {
    writeFileSync(join(folder, "try.mjs"), block("js"));
    const { stdout, stderr, status } = spawnSync(process.execPath, ["try.mjs"], {
      cwd: folder,
      encoding: "utf8",
      timeout: 30_000,
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: block("text"), stderr: "", status: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("there is a script for every command that README and CONTRIBUTING name", () => {
  const named = new Set<string>();
  for (const text of [readme, readFileSync(join(root, "CONTRIBUTING.md"), "utf8")]) {
    for (const [, name] of text.matchAll(/npm run ([a-z]+(?::[a-z]+)*)/g)) named.add(name as string);
    for (const [, name] of text.matchAll(/npm (start|test)\b/g)) named.add(name as string);
  }
  expect([...named].filter((name) => manifest.scripts[name] === undefined)).toEqual([]);
});

describe("the commands of README, against a server", () => {
  const folder = mkdtempSync(join(tmpdir(), "readme-"));
  let server: ChildProcess;
  let started: { redis: { port: number }; admin: string };

  beforeAll(async () => {
    const args = ["serve", "--json", "--port", "0", "--admin-port", "0", "--data", join(folder, "data")];
    server = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: server.stdout as NodeJS.ReadableStream });
    const [line] = (await once(lines, "line")) as [string];
    started = JSON.parse(line) as typeof started;
  });

  afterAll(async () => {
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  function run(line: string): string {
    const [, verb, ...rest] = line.replace(/ +#.*$/, "").split(" ") as [string, string, ...string[]];
    const port = verb === "send" ? ["--port", String(started.redis.port)] : [];
    const env = { ...process.env, WRITE_BEHIND_ADMIN: started.admin };
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, verb, ...port, ...rest], {
      env,
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  }

  test("`npx write-behind …` does what the text beside it says", () => {
    const lines = readme.split("\n").flatMap((line) => /^ {4}npx (write-behind .*)$/.exec(line)?.[1] ?? []);
    expect(lines.map((line) => line.split(" ")[1])).toEqual(["send", "inspect", "status"]);
    const [send, inspect, status] = lines.map(run);
    expect(send).toBe("OK\n");
    expect(inspect).toContain("Alice");
    expect(status).toContain("running");
  });
});
