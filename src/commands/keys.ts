/** Commands on keys, whatever they hold: existence, type, expiry, and FLUSHALL. */
import type { Bytes } from "../bytes.js";
import type { Content } from "../change.js";
import type { Workspace } from "../workspace.js";
import { allKeys, noKeys, oneKey, type DataCommand } from "./command.js";
import { failure, ok, shown, simple, syntaxError, type ErrorReply, type Reply } from "./reply.js";
import { parseTime, type TimeUnit } from "./set-options.js";

type Args = readonly Bytes[];

/** A command on keys in the group "generic". */
function command(entry: Omit<DataCommand, "kind" | "group">): DataCommand {
  return { kind: "data", group: "generic", ...entry };
}

/** The argument at a place that the arity check has made sure of. */
function at(args: Args, index: number): Bytes {
  return args[index] as Bytes;
}

function del(workspace: Workspace, args: Args): Reply {
  let count = 0;
  for (let i = 1; i < args.length; i++) {
    if (workspace.get(at(args, i)) === null) continue;
    workspace.remove(at(args, i));
    count++;
  }
  return count;
}

function exists(workspace: Workspace, args: Args): Reply {
  let count = 0;
  for (let i = 1; i < args.length; i++) if (workspace.get(at(args, i)) !== null) count++;
  return count;
}

/** The name of what a key holds. */
export function typeOf(content: Content | null): "none" | "string" | "hash" {
  return content === null ? "none" : typeof content === "string" ? "string" : "hash";
}

function type(workspace: Workspace, args: Args): Reply {
  return simple(typeOf(workspace.get(at(args, 1))));
}

/** When the new expiry is to be set, compared with the old one. A key without expiry counts as one that never ends. */
interface ExpireConditions {
  readonly nx: boolean;
  readonly xx: boolean;
  readonly gt: boolean;
  readonly lt: boolean;
}

function parseConditions(args: Args): ExpireConditions | ErrorReply {
  const found = { nx: false, xx: false, gt: false, lt: false };
  for (const arg of args.slice(3)) {
    const option = arg.toLowerCase();
    if (option !== "nx" && option !== "xx" && option !== "gt" && option !== "lt")
      return failure(`ERR Unsupported option ${shown(arg, Infinity)}`);
    found[option] = true;
  }
  if (found.nx && (found.xx || found.gt || found.lt))
    return failure("ERR NX and XX, GT or LT options at the same time are not compatible");
  if (found.gt && found.lt) return failure("ERR GT and LT options at the same time are not compatible");
  return found;
}

function allowed(conditions: ExpireConditions, old: number | null, moment: number): boolean {
  if (conditions.nx && old !== null) return false;
  if (conditions.xx && old === null) return false;
  if (conditions.gt && (old === null || moment <= old)) return false;
  return !(conditions.lt && old !== null && moment >= old);
}

function expire(name: string, unit: TimeUnit, summary: string): DataCommand {
  return command({
    name,
    arity: -3,
    flags: ["write", "fast"],
    keys: oneKey,
    syntax: `key ${unit.relative ? "" : "unix-time-"}${unit.ms === 1 ? "milliseconds" : "seconds"} [NX | XX | GT | LT]`,
    summary,
    run(workspace, args) {
      const conditions = parseConditions(args);
      if ("kind" in conditions) return conditions;
      const moment = parseTime(at(args, 2), unit, workspace.now, name, "any");
      if (typeof moment !== "number") return moment;
      const old = workspace.expiryOf(at(args, 1));
      if (old === undefined || !allowed(conditions, old, moment)) return 0;
      workspace.setExpiry(at(args, 1), moment);
      return 1;
    },
  });
}

/** A command that says when a key ends; `tell` makes it of that moment and now, in milliseconds. */
function timeOf(
  name: string,
  unitMs: 1 | 1000,
  tell: (expiresAt: number, now: number) => number,
  summary: string,
): DataCommand {
  return command({
    name,
    arity: 2,
    flags: ["readonly", "fast"],
    keys: oneKey,
    syntax: "key",
    summary,
    run(workspace, args) {
      const expiresAt = workspace.expiryOf(at(args, 1));
      if (expiresAt === undefined) return -2;
      if (expiresAt === null) return -1;
      const ms = tell(expiresAt, workspace.now);
      return unitMs === 1 ? ms : Math.floor((ms + 500) / 1000);
    },
  });
}

const left = (expiresAt: number, now: number): number => Math.max(expiresAt - now, 0);
const moment = (expiresAt: number): number => expiresAt;

function persist(workspace: Workspace, args: Args): Reply {
  const expiresAt = workspace.expiryOf(at(args, 1));
  if (expiresAt === undefined || expiresAt === null) return 0;
  workspace.setExpiry(at(args, 1), null);
  return 1;
}

/** Emptying is a frame of its own kind, so it is never part of a transaction. */
function flush(name: "flushall" | "flushdb"): DataCommand {
  return {
    kind: "data",
    group: "server",
    name,
    arity: -1,
    flags: ["write", "no_multi"],
    keys: noKeys,
    syntax: "[ASYNC | SYNC]",
    needs: "allowFlush",
    summary: "Removes every key, in the database too. Refused unless the server was started with --allow-flush.",
    run(workspace, args) {
      if (args.length > 2 || (args.length === 2 && !/^(?:a?sync)$/i.test(at(args, 1)))) return syntaxError;
      workspace.clear();
      return ok;
    },
  };
}

/** The commands. */
export const keyCommands: readonly DataCommand[] = [
  command({
    name: "del",
    arity: -2,
    flags: ["write"],
    keys: allKeys,
    syntax: "key [key ...]",
    summary: "Removes keys. Returns how many there were.",
    run: del,
  }),
  command({
    name: "unlink",
    arity: -2,
    flags: ["write", "fast"],
    keys: allKeys,
    syntax: "key [key ...]",
    summary: "Removes keys, as DEL does. Returns how many there were.",
    run: del,
  }),
  command({
    name: "touch",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: allKeys,
    syntax: "key [key ...]",
    summary: "Counts the keys that exist, as EXISTS does; it counts as using them.",
    run: exists,
  }),
  command({
    name: "exists",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: allKeys,
    syntax: "key [key ...]",
    summary: "Counts the keys that exist; a key named twice counts twice.",
    run: exists,
  }),
  command({
    name: "type",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Says what a key holds: string, hash or none.",
    run: type,
  }),
  expire("expire", { ms: 1000, relative: true }, "Sets when a key ends, in seconds from now."),
  expire("pexpire", { ms: 1, relative: true }, "Sets when a key ends, in milliseconds from now."),
  expire("expireat", { ms: 1000, relative: false }, "Sets when a key ends, in seconds since 1970."),
  expire("pexpireat", { ms: 1, relative: false }, "Sets when a key ends, in milliseconds since 1970."),
  timeOf("ttl", 1000, left, "Seconds until a key ends; -1 where it does not end, -2 where there is no such key."),
  timeOf("pttl", 1, left, "Milliseconds until a key ends; -1 where it does not end, -2 where there is no such key."),
  timeOf("expiretime", 1000, moment, "When a key ends, in seconds since 1970; -1 and -2 as with TTL."),
  timeOf("pexpiretime", 1, moment, "When a key ends, in milliseconds since 1970; -1 and -2 as with TTL."),
  command({
    name: "persist",
    arity: 2,
    flags: ["write", "fast"],
    keys: oneKey,
    syntax: "key",
    summary: "Takes the end of a key away. Returns 1 where there was one.",
    run: persist,
  }),
  flush("flushall"),
  flush("flushdb"),
];
