/** RENAME, RENAMENX and COPY: a value goes from one key to another, with its end. One frame, as every command. */
import type { Bytes } from "../bytes.js";
import type { Workspace } from "../workspace.js";
import type { DataCommand } from "./command.js";
import { parseInt32 } from "./range.js";
import { failure, ok, syntaxError, type ErrorReply, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const noSuchKey = failure("ERR no such key");
const sameKey = failure("ERR source and destination objects are the same");

/** A command on two keys in the group "generic". */
function command(entry: Omit<DataCommand, "kind" | "group" | "keys">): DataCommand {
  return { kind: "data", group: "generic", keys: { first: 1, last: 2, step: 1 }, ...entry };
}

function rename(workspace: Workspace, args: Args): Reply {
  const [, from, to] = args as [Bytes, Bytes, Bytes];
  if (workspace.get(from) === null) return noSuchKey;
  if (from !== to) workspace.transfer(from, to, "move");
  return ok;
}

function renamenx(workspace: Workspace, args: Args): Reply {
  const [, from, to] = args as [Bytes, Bytes, Bytes];
  if (workspace.get(from) === null) return noSuchKey;
  if (workspace.get(to) !== null) return 0;
  workspace.transfer(from, to, "move");
  return 1;
}

function copy(workspace: Workspace, args: Args): Reply {
  const [, from, to] = args as [Bytes, Bytes, Bytes];
  const options = parseCopy(args);
  if ("kind" in options) return options;
  if (from === to) return sameKey;
  if (workspace.get(from) === null) return 0;
  if (!options.replaces && workspace.get(to) !== null) return 0;
  workspace.transfer(from, to, "copy");
  return 1;
}

function parseCopy(args: Args): { readonly replaces: boolean } | ErrorReply {
  let replaces = false;
  for (let i = 3; i < args.length; i++) {
    const option = (args[i] as Bytes).toLowerCase();
    const value = args[i + 1];
    if (option === "replace") replaces = true;
    else if (option === "db" && value !== undefined) {
      const index = parseInt32(value);
      if (typeof index !== "number") return index;
      if (index !== 0) return failure("ERR DB index is out of range");
      i++;
    } else return syntaxError;
  }
  return { replaces };
}

/** The commands. */
export const movingCommands: readonly DataCommand[] = [
  command({
    name: "rename",
    arity: 3,
    flags: ["write"],
    syntax: "key newkey",
    summary: "Gives a value and its end another key, whatever was there. Both change in one transaction.",
    run: rename,
  }),
  command({
    name: "renamenx",
    arity: 3,
    flags: ["write", "fast"],
    syntax: "key newkey",
    summary: "Gives a value and its end another key where there is none of that name. Returns 1 where it did.",
    run: renamenx,
  }),
  command({
    name: "copy",
    arity: -3,
    flags: ["write", "denyoom"],
    syntax: "source destination [DB destination-db] [REPLACE]",
    summary:
      "Copies a value and its end to another key, over one that is there only with REPLACE. Returns 1 where it did.",
    run: copy,
  }),
];
