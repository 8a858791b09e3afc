/** Help that teaches: every verb says when it is needed, and every example is understood as it is typed. */
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { serveOptions, someOptions, type Flags } from "../src/cli/config.js";
import { verbGroups, verbHelps } from "../src/cli/help.js";
import { buildProgram } from "../src/cli/program.js";
import { workOptions } from "../src/cli/work-options.js";
import { run } from "./cli-process.js";

function verbsOf(program: Command): readonly (readonly [string, Command])[] {
  return program.commands.flatMap((each) =>
    each.commands.length === 0
      ? [[each.name(), each] as const]
      : each.commands.map((inner) => [`${each.name()} ${inner.name()}`, inner] as const),
  );
}

/** As a shell splits it, as far as examples need that. */
function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? (bare as string));
}

/** Understands a command line without doing anything; gives the verb and its flags. */
async function understood(args: readonly string[]): Promise<{ verb: string; flags: Flags }> {
  const program = buildProgram(() => {});
  let found: { verb: string; flags: Flags } | null = null;
  for (const [verb, command] of verbsOf(program)) {
    command.configureOutput({ writeErr: () => {} });
    command.action(() => {
      found = { verb, flags: command.opts() };
    });
  }
  await program.parseAsync(args, { from: "user" });
  if (found === null) throw new Error(`no verb in ${args.join(" ")}`);
  return found;
}

test("every verb has its help and its group, and there is no help without a verb", () => {
  const program = buildProgram(() => {});
  expect(Object.keys(verbHelps).toSorted()).toEqual(
    verbsOf(program)
      .map(([name]) => name)
      .toSorted(),
  );
  expect(Object.values(verbGroups).flat().toSorted()).toEqual(program.commands.map((each) => each.name()).toSorted());
  for (const { when, examples } of Object.values(verbHelps)) {
    expect(when).toMatch(/^[A-Z].*\.$/s);
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.length).toBeLessThan(5);
  }
});

describe("examples are understood as they are typed", () => {
  const all = Object.entries(verbHelps).flatMap(([verb, { examples }]) =>
    examples.map(([command]) => [command, verb] as const),
  );
  test.each(all)("%s", async (command, verb) => {
    const found = await understood(words(command));
    expect(found.verb).toBe(verb);
    // Values are looked at where a verb runs; what names a file is left out.
    const flags = Object.fromEntries(Object.entries(found.flags).filter(([name]) => name !== "routes"));
    if (verb === "serve") serveOptions(flags);
    if (verb === "work") someOptions(flags, workOptions);
    if (verb === "status") someOptions(flags, ["cache"]);
  });
});

test("--help shows the groups, and a verb's help when it is needed and how it is typed", async () => {
  const { out } = await run(["--help"]);
  for (const group of Object.keys(verbGroups)) expect(out).toContain(`\n${group}\n`);
  expect(out).toContain("npx write-behind send SET user:1:name Alice");
  expect((await run(["dead", "retry", "--help"])).out).toMatch(
    /After you have mended what the database objected to\.\n\nExamples:\n {2}npx write-behind dead retry 17 {5}# one/,
  );
});

test("examples that need nothing work", async () => {
  expect(await run(words('trace "SET a 1" "SET a 2" step "GET a"'))).toMatchObject({ code: 0, err: "" });
  expect(await run(["sql"])).toMatchObject({ code: 0, out: expect.stringContaining("CREATE TABLE") as string });
});
