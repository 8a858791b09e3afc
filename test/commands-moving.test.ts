/** Commands on single keys: which changes RENAME and COPY make, and what the differential test cannot compare. */
import { expect, test } from "vitest";
import { keyIsRecord } from "../src/address.js";
import type { Bytes } from "../src/bytes.js";
import type { RecordValue } from "../src/change.js";
import type { DataCommand } from "../src/commands/command.js";
import { findCommand } from "../src/commands/table.js";
import { commandRunner, jsonOfReply } from "../src/dashboard/command.js";
import type { Heart } from "../src/heart.js";
import { Workspace } from "../src/workspace.js";
import { Model } from "./commands-model.js";

const b = (text: string): Bytes => text as Bytes;

function run(workspace: Workspace, ...args: string[]): unknown {
  return (findCommand(b(args[0] ?? "")) as DataCommand).run(workspace, args.map(b));
}

test("a rename is one frame of two changes: the old key goes, the new one has the value and the end", () => {
  const hash: RecordValue = { content: new Map([[b("f"), b("1")]]), expiresAt: 5000 };
  const workspace = new Workspace(keyIsRecord, (record) => (record === "from" ? hash : undefined), 1000);
  run(workspace, "RENAME", "from", "to");
  expect(workspace.hasMissing).toBe(false);
  expect(workspace.changes()).toMatchObject([
    { record: "from", change: { kind: "remove" } },
    { record: "to", change: { kind: "replace", content: new Map([["f", "1"]]), expiresAt: 5000 } },
  ]);
});

test("a copy has a hash of its own", () => {
  const model = new Model();
  model.run("HSET", "from", "f", "1");
  model.run("COPY", "from", "to");
  model.run("HSET", "to", "f", "2");
  expect([model.run("HGET", "from", "f"), model.run("HGET", "to", "f")]).toEqual(["1", "2"]);
  const workspace = new Workspace(keyIsRecord, (record) => model.records.get(record) ?? null, 1000);
  run(workspace, "HSET", "from", "f", "3");
  run(workspace, "COPY", "from", "to", "REPLACE");
  run(workspace, "HSET", "from", "f", "4");
  run(workspace, "HSET", "to", "g", "5");
  expect(run(workspace, "HGET", "to", "f")).toBe("3");
  expect(run(workspace, "HLEN", "from")).toBe(1);
});

test("RENAMENX and COPY without REPLACE need to know what is there", () => {
  const model = new Model();
  model.run("SET", "from", "x");
  model.cold.add(b("to"));
  model.run("RENAME", "from", "to");
  expect(model.missing).toEqual([]);
  model.cold.add(b("other"));
  model.run("COPY", "to", "other");
  expect(model.missing).toEqual(["other"]);
});

test("MEMORY USAGE grows with a value, and counts what a field costs", () => {
  const model = new Model();
  const usage = (key: string): number => model.run("MEMORY", "USAGE", key) as number;
  model.run("SET", "s", "x");
  const small = usage("s");
  model.run("APPEND", "s", "y".repeat(1000));
  expect(usage("s") - small).toBe(1000);
  model.run("HSET", "h", "f", "1");
  const one = usage("h");
  model.run("HSET", "h", "g", "1");
  expect(usage("h") - one).toBeGreaterThan(2);
});

test("the admin port's console refuses a subcommand that is not there, as a client's connection does", async () => {
  const run = commandRunner({} as Heart, false);
  expect(await run([b("OBJECT"), b("nosuch"), b("k")])).toEqual({
    type: "error",
    value: "ERR unknown subcommand 'nosuch'. Try OBJECT HELP.",
  });
  expect(await run([b("OBJECT"), b("ENCODING")])).toMatchObject({ type: "error" });
  expect(jsonOfReply({ kind: "pairs", pairs: [[b("f"), b("1")]] })).toEqual({
    type: "array",
    value: [
      {
        type: "array",
        value: [
          { type: "bulk", value: "f" },
          { type: "bulk", value: "1" },
        ],
      },
    ],
  });
});

test("OBJECT IDLETIME and FREQ", () => {
  const model = new Model();
  model.run("SET", "s", "x");
  expect(model.run("OBJECT", "IDLETIME", "s")).toBe(0);
  expect(model.run("OBJECT", "FREQ", "s")).toMatchObject({ kind: "error" });
  expect(model.run("OBJECT", "FREQ", "none")).toBeNull();
});
