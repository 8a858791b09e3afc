/** Commands on hashes. */
import type { Bytes } from "../bytes.js";
import { inFieldOrder, type Fields } from "../change.js";
import type { Workspace } from "../workspace.js";
import { oneKey, type DataCommand } from "./command.js";
import { addIntegers, bytesOfInteger, parseInteger } from "./integer.js";
import { failure, notAnInteger, ok, wrongArity, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const noFields: Fields = new Map<Bytes, Bytes>();

/** A command on keys in the group "hash". */
function command(entry: Omit<DataCommand, "kind" | "group" | "keys">): DataCommand {
  return { kind: "data", group: "hash", keys: oneKey, ...entry };
}

/** The argument at a place that the arity check has made sure of. */
function at(args: Args, index: number): Bytes {
  return args[index] as Bytes;
}

function hash(workspace: Workspace, args: Args): Fields {
  return workspace.getHash(at(args, 1)) ?? noFields;
}

function hset(workspace: Workspace, args: Args): Reply {
  if (args.length % 2 === 1) return wrongArity("hset");
  const old = hash(workspace, args);
  const fields = new Map<Bytes, Bytes>();
  let added = 0;
  for (let i = 2; i < args.length; i += 2) {
    if (!old.has(at(args, i)) && !fields.has(at(args, i))) added++;
    fields.set(at(args, i), at(args, i + 1));
  }
  workspace.setFields(at(args, 1), fields);
  return added;
}

function hmset(workspace: Workspace, args: Args): Reply {
  if (args.length % 2 === 1) return wrongArity("hmset");
  hset(workspace, args);
  return ok;
}

function hsetnx(workspace: Workspace, args: Args): Reply {
  if (hash(workspace, args).has(at(args, 2))) return 0;
  workspace.setFields(at(args, 1), new Map([[at(args, 2), at(args, 3)]]));
  return 1;
}

function hmget(workspace: Workspace, args: Args): Reply {
  const fields = hash(workspace, args);
  return args.slice(2).map((field) => fields.get(field) ?? null);
}

function hdel(workspace: Workspace, args: Args): Reply {
  const fields = hash(workspace, args);
  const gone = new Set(args.slice(2).filter((field) => fields.has(field)));
  if (gone.size > 0) workspace.unsetFields(at(args, 1), [...gone]);
  return gone.size;
}

function hincrby(workspace: Workspace, args: Args): Reply {
  const delta = parseInteger(at(args, 3));
  if (delta === null) return notAnInteger;
  const old = hash(workspace, args).get(at(args, 2));
  const value = old === undefined ? 0 : parseInteger(old);
  if (value === null) return failure("ERR hash value is not an integer");
  const sum = addIntegers(value, delta);
  if (sum === null) return failure("ERR increment or decrement would overflow");
  workspace.setFields(at(args, 1), new Map([[at(args, 2), bytesOfInteger(sum)]]));
  return sum;
}

/** The commands. */
export const hashCommands: readonly DataCommand[] = [
  command({
    name: "hset",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    syntax: "key field value [field value ...]",
    summary: "Sets fields of a hash, making it where it is absent. Returns how many are new.",
    run: hset,
  }),
  command({
    name: "hmset",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    syntax: "key field value [field value ...]",
    summary: "Sets fields of a hash as HSET does, and answers OK.",
    run: hmset,
  }),
  command({
    name: "hsetnx",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    syntax: "key field value",
    summary: "Sets a field of a hash where it has none of this name. Returns 1 where it was set.",
    run: hsetnx,
  }),
  command({
    name: "hget",
    arity: 3,
    flags: ["readonly", "fast"],
    syntax: "key field",
    summary: "Returns a field of a hash.",
    run: (workspace, args) => hash(workspace, args).get(at(args, 2)) ?? null,
  }),
  command({
    name: "hmget",
    arity: -3,
    flags: ["readonly", "fast"],
    syntax: "key field [field ...]",
    summary: "Returns fields of a hash, null where there is none.",
    run: hmget,
  }),
  command({
    name: "hgetall",
    arity: 2,
    flags: ["readonly"],
    syntax: "key",
    summary: "Returns every field of a hash with its value.",
    run: (workspace, args) => inFieldOrder(hash(workspace, args)),
  }),
  command({
    name: "hdel",
    arity: -3,
    flags: ["write", "fast"],
    syntax: "key field [field ...]",
    summary: "Takes fields out of a hash; with its last field the key goes. Returns how many there were.",
    run: hdel,
  }),
  command({
    name: "hincrby",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    syntax: "key field increment",
    summary: "Adds to the integer in a field of a hash; an absent field counts as 0.",
    run: hincrby,
  }),
  command({
    name: "hexists",
    arity: 3,
    flags: ["readonly", "fast"],
    syntax: "key field",
    summary: "Whether a hash has a field.",
    run: (workspace, args) => (hash(workspace, args).has(at(args, 2)) ? 1 : 0),
  }),
  command({
    name: "hstrlen",
    arity: 3,
    flags: ["readonly", "fast"],
    syntax: "key field",
    summary: "Returns the length of a field's value, 0 where there is none.",
    run: (workspace, args) => hash(workspace, args).get(at(args, 2))?.length ?? 0,
  }),
  command({
    name: "hlen",
    arity: 2,
    flags: ["readonly", "fast"],
    syntax: "key",
    summary: "Counts the fields of a hash.",
    run: (workspace, args) => hash(workspace, args).size,
  }),
  command({
    name: "hkeys",
    arity: 2,
    flags: ["readonly"],
    syntax: "key",
    summary: "Returns the names of every field of a hash.",
    run: (workspace, args) => [...inFieldOrder(hash(workspace, args)).keys()],
  }),
  command({
    name: "hvals",
    arity: 2,
    flags: ["readonly"],
    syntax: "key",
    summary: "Returns the values of every field of a hash.",
    run: (workspace, args) => [...inFieldOrder(hash(workspace, args)).values()],
  }),
];
