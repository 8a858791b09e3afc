/**
 * OBJECT and MEMORY: how a value is kept. Redis' names for it where it has any, told by the value; nothing here is kept
 * in those ways, so there is no use in tuning by them.
 */
import { bytesOfText, type Bytes } from "../bytes.js";
import type { Content } from "../change.js";
import { costOfContent, recordBytes } from "../content-cost.js";
import type { Workspace } from "../workspace.js";
import { runSubcommand } from "./arguments.js";
import { noKeys, type DataCommand, type DataSubcommand, type KeyPositions } from "./command.js";
import { encodingOf, referencesOf } from "./encoding.js";
import { parseInteger } from "./integer.js";
import { failure, notAnInteger, simple, syntaxError, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const keyAfterName: KeyPositions = { first: 2, last: 2, step: 1 };

/** A subcommand on the one key that it names. */
function onKey(name: string, arity: number, run: (workspace: Workspace, args: Args) => Reply): DataSubcommand {
  return { name, arity, keys: keyAfterName, run };
}

/** A subcommand of OBJECT: null where there is no such key. */
function ofObject(name: string, say: (content: Content) => Reply): DataSubcommand {
  return onKey(name, 3, (workspace, args) => {
    const content = workspace.get(args[2] as Bytes);
    return content === null ? null : say(content);
  });
}

function help(lines: readonly string[]): DataSubcommand {
  return { name: "help", arity: 2, keys: noKeys, run: () => [...lines, "HELP", "    Prints this help."].map(simple) };
}

const notTracked = failure(
  "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const objectCommands: readonly DataSubcommand[] = [
  ofObject("encoding", (content) => bytesOfText(encodingOf(content))),
  ofObject("refcount", referencesOf),
  // When a key was used last is not remembered: every one counts as just used.
  ofObject("idletime", () => 0),
  ofObject("freq", () => notTracked),
  help([
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
  ]),
];

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

const memoryCommands: readonly DataSubcommand[] = [
  onKey("usage", -3, usage),
  help([
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
  ]),
];

function container(
  entry: Pick<DataCommand, "name" | "group" | "syntax" | "summary">,
  subcommands: readonly DataSubcommand[],
): DataCommand {
  const run: DataCommand["run"] = (workspace, args) => runSubcommand(subcommands, workspace, args);
  return { kind: "data", arity: -2, flags: [], keys: noKeys, subcommands, run, ...entry };
}

/** The commands. */
export const objectAndMemory: readonly DataCommand[] = [
  container(
    {
      name: "object",
      group: "generic",
      syntax: "ENCODING key | REFCOUNT key | IDLETIME key | FREQ key | HELP",
      summary:
        "Says how Redis would keep a value of this kind and size; IDLETIME is always 0, FREQ Redis' error without an LFU policy.",
    },
    objectCommands,
  ),
  container(
    {
      name: "memory",
      group: "server",
      syntax: "USAGE key [SAMPLES count] | HELP",
      summary: "Says how many bytes of memory a key takes in the cache, roughly; it looks at every field.",
    },
    memoryCommands,
  ),
];
