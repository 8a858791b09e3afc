/**
 * OBJECT and MEMORY: how a value is kept. Redis' names for it where it has any, told by the value; nothing here is kept
 * in those ways, so there is no use in tuning by them.
 */
import { bytesOfText, type Bytes } from "../bytes.js";
import type { Content } from "../change.js";
import { costOfContent, recordBytes } from "../content-cost.js";
import type { Workspace } from "../workspace.js";
import { runSubcommand, syntaxOf, withHelp } from "./arguments.js";
import { noKeys, type DataCommand, type KeyPositions, type Subcommand } from "./command.js";
import { encodingOf, referencesOf } from "./encoding.js";
import { parseInteger } from "./integer.js";
import { failure, notAnInteger, syntaxError, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const keyAfterName: KeyPositions = { first: 2, last: 2, step: 1 };

type OnKeys = Subcommand<Workspace, Reply>;

/** A subcommand of OBJECT: null where there is no such key. */
function ofObject(name: string, summary: string, say: (content: Content) => Reply): OnKeys {
  return {
    name,
    arity: 3,
    keys: keyAfterName,
    syntax: "key",
    summary,
    run(workspace, args) {
      const content = workspace.get(args[2] as Bytes);
      return content === null ? null : say(content);
    },
  };
}

const notTracked = failure(
  "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const objectCommands = withHelp("object", [
  ofObject("encoding", "How Redis would keep a value of this kind and size.", (content) =>
    bytesOfText(encodingOf(content)),
  ),
  ofObject("freq", "Redis' error: there is no LFU policy.", () => notTracked),
  // When a key was used last is not remembered: every one counts as just used.
  ofObject("idletime", "Always 0: it is not remembered.", () => 0),
  ofObject("refcount", "How many share the value, as Redis would count it.", referencesOf),
]);

function usage(workspace: Workspace, args: Args): Reply {
  for (let i = 3; i < args.length; i += 2) {
    const value = args[i + 1];
    if ((args[i] as Bytes).toLowerCase() !== "samples" || value === undefined) return syntaxError;
    const samples = parseInteger(value);
    if (samples === null) return notAnInteger;
    if (samples < 0) return syntaxError;
  }
  const key = args[2] as Bytes;
  const content = workspace.get(key);
  return content === null ? null : recordBytes + key.length + costOfContent(content);
}

const memoryCommands = withHelp<Workspace, Reply>("memory", [
  {
    name: "usage",
    arity: -3,
    keys: keyAfterName,
    syntax: "key [SAMPLES count]",
    summary: "Bytes of memory that a key and its value take in the cache, roughly.",
    run: usage,
  },
]);

function container(
  entry: Pick<DataCommand, "name" | "group" | "summary">,
  subcommands: readonly OnKeys[],
): DataCommand {
  const run: DataCommand["run"] = (workspace, args) => runSubcommand(subcommands, workspace, args);
  return {
    kind: "data",
    arity: -2,
    flags: [],
    keys: noKeys,
    syntax: syntaxOf(subcommands),
    subcommands,
    run,
    ...entry,
  };
}

/** The commands. */
export const objectAndMemory: readonly DataCommand[] = [
  container(
    {
      name: "object",
      group: "generic",
      summary:
        "Says how Redis would keep a value of this kind and size; IDLETIME is always 0, FREQ Redis' error without an LFU policy.",
    },
    objectCommands,
  ),
  container(
    {
      name: "memory",
      group: "server",
      summary: "Says how many bytes of memory a key takes in the cache, roughly; it looks at every field.",
    },
    memoryCommands,
  ),
];
