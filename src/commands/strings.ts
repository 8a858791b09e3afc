/** Commands on strings and counters. */
import type { Bytes } from "../bytes.js";
import type { Workspace } from "../workspace.js";
import { at } from "./arguments.js";
import { allKeys, oneKey, type DataCommand } from "./command.js";
import { checkGrowth } from "./growth.js";
import { addIntegers, bytesOfInteger, negate, parseInteger, type Integer } from "./integer.js";
import { failure, notAnInteger, ok, wrongArity, type Reply } from "./reply.js";
import { parseGetexOptions, parseSetOptions, parseTime, type TimeUnit } from "./set-options.js";

const overflow = failure("ERR increment or decrement would overflow");

type Args = readonly Bytes[];

/** A command on keys in the group "string". */
function command(entry: Omit<DataCommand, "kind" | "group">): DataCommand {
  return { kind: "data", group: "string", ...entry };
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

function setnx(workspace: Workspace, args: Args): Reply {
  if (workspace.get(at(args, 1)) !== null) return 0;
  workspace.setString(at(args, 1), at(args, 2));
  return 1;
}

function getset(workspace: Workspace, args: Args): Reply {
  const old = workspace.getString(at(args, 1));
  workspace.setString(at(args, 1), at(args, 2));
  return old;
}

function getdel(workspace: Workspace, args: Args): Reply {
  const old = workspace.getString(at(args, 1));
  if (old !== null) workspace.remove(at(args, 1));
  return old;
}

function getex(workspace: Workspace, args: Args): Reply {
  const options = parseGetexOptions(args);
  if ("kind" in options) return options;
  const [key, { ends }] = [at(args, 1), options];
  const value = workspace.getString(key);
  if (value === null || ends === "as before") return value;
  if (ends === "never") {
    if (workspace.expiryOf(key) !== null) workspace.setExpiry(key, null);
    return value;
  }
  const moment = parseTime(ends.text, ends.unit, workspace.now, "getex", "positive");
  if (typeof moment !== "number") return moment;
  workspace.setExpiry(key, moment);
  return value;
}

/** SETEX and PSETEX. Neither needs the database. */
function setEnding(name: string, unit: TimeUnit): DataCommand {
  const units = unit.ms === 1 ? "milliseconds" : "seconds";
  return command({
    name,
    arity: 4,
    flags: ["write", "denyoom"],
    keys: oneKey,
    syntax: `key ${units} value`,
    summary: `Sets the string value of a key that ends in so many ${units}, whatever was there.`,
    run(workspace, args) {
      const moment = parseTime(at(args, 2), unit, workspace.now, name, "positive");
      if (typeof moment !== "number") return moment;
      workspace.setString(at(args, 1), at(args, 3), moment);
      return ok;
    },
  });
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

function msetnx(workspace: Workspace, args: Args): Reply {
  if (args.length % 2 === 0) return wrongArity("msetnx");
  let free = true;
  // Each is looked at, so that those which are not in memory are loaded together.
  for (let i = 1; i < args.length; i += 2) if (workspace.get(at(args, i)) !== null) free = false;
  if (!free) return 0;
  mset(workspace, args);
  return 1;
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
  const refused = checkGrowth(length);
  if (refused !== null) return refused;
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
    name: "setnx",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key value",
    summary: "Sets the string value of a key that is absent. Returns 1 where it was.",
    run: setnx,
  }),
  setEnding("setex", { ms: 1000, relative: true }),
  setEnding("psetex", { ms: 1, relative: true }),
  command({
    name: "getset",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key value",
    summary: "Sets the string value of a key and returns the old one.",
    run: getset,
  }),
  command({
    name: "getdel",
    arity: 2,
    flags: ["write", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Returns the string value of a key and removes it.",
    run: getdel,
  }),
  command({
    name: "getex",
    arity: -2,
    flags: ["write", "fast"],
    keys: oneKey,
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    summary: "Returns the string value of a key and sets when the key ends, or that it does not.",
    run: getex,
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
    name: "msetnx",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: -1, step: 2 },
    syntax: "key value [key value ...]",
    summary: "Sets the string values of keys where none of them is there, in one transaction. Returns 1 where it did.",
    run: msetnx,
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
