/** Commands on strings and counters. */
import type { Bytes } from "../bytes.js";
import type { Workspace } from "../workspace.js";
import { allKeys, oneKey, type DataCommand } from "./command.js";
import { addIntegers, bytesOfInteger, negate, parseInteger, type Integer } from "./integer.js";
import { failure, notAnInteger, ok, wrongArity, type Reply } from "./reply.js";
import { parseSetOptions } from "./set-options.js";

/** Redis' proto-max-bulk-len, the limit of a string that grows. */
const stringBytesMax = 512 * 1024 * 1024;

const overflow = failure("ERR increment or decrement would overflow");

type Args = readonly Bytes[];

/** A command on keys in the group "string". */
function command(entry: Omit<DataCommand, "kind" | "group">): DataCommand {
  return { kind: "data", group: "string", ...entry };
}

/** The argument at a place that the arity check has made sure of. */
function at(args: Args, index: number): Bytes {
  return args[index] as Bytes;
}

/** A plain SET reads nothing, so it never needs the database (promise 6). */
function set(workspace: Workspace, args: Args): Reply {
  const key = at(args, 1);
  const value = at(args, 2);
  if (args.length === 3) {
    workspace.setString(key, value);
    return ok;
  }
  const options = parseSetOptions(args, workspace.now);
  if ("kind" in options) return options;
  const old = options.get ? workspace.getString(key) : null;
  if (options.condition !== null) {
    const exists = workspace.get(key) !== null;
    if (exists !== (options.condition === "xx")) return old;
  }
  if (options.keepExpiry) workspace.updateString(key, value);
  else workspace.setString(key, value, options.expiresAt);
  return options.get ? old : ok;
}

function mget(workspace: Workspace, args: Args): Reply {
  const values: Reply[] = [];
  for (let i = 1; i < args.length; i++) {
    const content = workspace.get(at(args, i));
    values.push(typeof content === "string" ? content : null);
  }
  return values;
}

function mset(workspace: Workspace, args: Args): Reply {
  if (args.length % 2 === 0) return wrongArity("mset");
  for (let i = 1; i < args.length; i += 2) workspace.setString(at(args, i), at(args, i + 1));
  return ok;
}

function add(workspace: Workspace, key: Bytes, delta: Integer): Reply {
  const old = workspace.getString(key);
  const value = old === null ? 0 : parseInteger(old);
  if (value === null) return notAnInteger;
  const sum = addIntegers(value, delta);
  if (sum === null) return overflow;
  workspace.updateString(key, bytesOfInteger(sum));
  return sum;
}

function incrby(workspace: Workspace, args: Args): Reply {
  const delta = parseInteger(at(args, 2));
  return delta === null ? notAnInteger : add(workspace, at(args, 1), delta);
}

function decrby(workspace: Workspace, args: Args): Reply {
  const delta = parseInteger(at(args, 2));
  if (delta === null) return notAnInteger;
  const negative = negate(delta);
  return negative === null ? failure("ERR decrement would overflow") : add(workspace, at(args, 1), negative);
}

function append(workspace: Workspace, args: Args): Reply {
  const old = workspace.getString(at(args, 1));
  const length = (old?.length ?? 0) + at(args, 2).length;
  if (length > stringBytesMax) return failure("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  workspace.updateString(at(args, 1), ((old ?? "") + at(args, 2)) as Bytes);
  return length;
}

/** The commands. */
export const stringCommands: readonly DataCommand[] = [
  command({
    name: "get",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Returns the string value of a key.",
    run: (workspace, args) => workspace.getString(at(args, 1)),
  }),
  command({
    name: "set",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: oneKey,
    syntax:
      "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    summary: "Sets the string value of a key, whatever was there. Without options it never needs the database.",
    run: set,
  }),
  command({
    name: "mget",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: allKeys,
    syntax: "key [key ...]",
    summary: "Returns the string values of keys, null where there is none.",
    run: mget,
  }),
  command({
    name: "mset",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: -1, step: 2 },
    syntax: "key value [key value ...]",
    summary: "Sets the string values of keys in one transaction. Never needs the database.",
    run: mset,
  }),
  command({
    name: "incr",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Adds one to the integer at a key; an absent key counts as 0.",
    run: (workspace, args) => add(workspace, at(args, 1), 1),
  }),
  command({
    name: "incrby",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key increment",
    summary: "Adds to the integer at a key; an absent key counts as 0.",
    run: incrby,
  }),
  command({
    name: "decr",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Takes one from the integer at a key; an absent key counts as 0.",
    run: (workspace, args) => add(workspace, at(args, 1), -1),
  }),
  command({
    name: "decrby",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key decrement",
    summary: "Takes from the integer at a key; an absent key counts as 0.",
    run: decrby,
  }),
  command({
    name: "append",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key value",
    summary: "Appends to the string at a key, making it where it is absent. Returns the new length.",
    run: append,
  }),
  command({
    name: "strlen",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Returns the length of the string at a key, 0 where there is none.",
    run: (workspace, args) => workspace.getString(at(args, 1))?.length ?? 0,
  }),
];
