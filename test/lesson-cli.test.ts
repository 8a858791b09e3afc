/** `write-behind trace` as a person runs it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import type { Lesson } from "../src/lesson/lesson.js";

const main = join(dirname(fileURLToPath(import.meta.url)), "..", "src", "cli", "main.js");
const temporary = mkdtempSync(join(tmpdir(), "write-behind-trace-test-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function trace(args: readonly string[], input = ""): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, TMPDIR: temporary };
  return spawnSync(process.execPath, [main, "trace", ...args], { encoding: "utf8", input, env, timeout: 50_000 });
}

it("prints the lesson, and leaves nothing behind", () => {
  const { status, stdout, stderr } = trace([]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/\| 3 +\| Background process writes to DB +\|/);
  expect(stdout).toContain("What happens when the background write fails?");
  expect(readdirSync(temporary)).toEqual([]);
});

it("runs own commands, as one typed value with --json", () => {
  const { status, stdout } = trace(["--json", 'SET a "two words"', "step", "GET a"]);
  expect(status).toBe(0);
  const lesson = JSON.parse(stdout) as Lesson;
  expect(lesson.rows.map((row) => row.cells.output)).toEqual(["OK", "", "", '"two words"', ""]);
  expect(lesson.rows[2]?.state.database).toEqual([
    { key: "a", value: { type: "string", value: "two words", expiresAt: null } },
  ]);
});

it("asks the quiz one by one", () => {
  const { status, stdout } = trace(["--quiz"], "[]\nstep 2\n");
  expect(status).toBe(0);
  expect(stdout).toContain("Right.");
  expect(stdout).toContain("No: step 3");
  expect(stdout).toContain("1 of 2 right");
});

it("refuses what is not a command", () => {
  const { status, stderr } = trace(['SET a "open']);
  expect(status).toBe(2);
  expect(stderr).toContain("is not a command");
});

it("says how commands are given, where a command's words come one by one", () => {
  const { status, stderr } = trace(["SET", "a", "1"]);
  expect(status).toBe(2);
  expect(stderr).toContain('try: npx write-behind trace "SET a 1" step');
});
