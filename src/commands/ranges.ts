/** Commands on a part of a string: its bytes in a range, its bits. */
import type { Bytes } from "../bytes.js";
import type { Workspace } from "../workspace.js";
import { at } from "./arguments.js";
import { oneKey, type DataCommand } from "./command.js";
import { checkGrowth } from "./growth.js";
import { parseInteger, type Integer } from "./integer.js";
import { failure, notAnInteger, shown, syntaxError, type ErrorReply, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const none = "" as Bytes;
/** No bit lies beyond: Redis' longest string has so many. */
const bitsMax = 2 ** 32;
const noOffset = failure("ERR bit offset is not an integer or out of range");
const noBit = failure("ERR bit is not an integer or out of range");

/** A command on one key. Redis puts those on bits into a group of their own. */
function command(group: "string" | "bitmap", entry: Omit<DataCommand, "kind" | "group" | "keys">): DataCommand {
  return { kind: "data", group, keys: oneKey, ...entry };
}

/** The first place of a range and the one after its last; null where the range is empty. */
type Range = readonly [from: number, to: number] | null;

/** A range among so many places. Negative ones count from the end; an end before the first place is the first place. */
function rangeOf(start: Integer, end: Integer, count: number): Range {
  if (count === 0 || (start < 0 && end < 0 && start > end)) return null;
  const place = (index: Integer): number => Math.max(index < 0 ? count + Number(index) : Number(index), 0);
  const [from, last] = [place(start), Math.min(place(end), count - 1)];
  return from > last ? null : [from, last + 1];
}

function getrange(workspace: Workspace, args: Args): Reply {
  const [start, end] = [parseInteger(at(args, 2)), parseInteger(at(args, 3))];
  if (start === null || end === null) return notAnInteger;
  const value = workspace.getString(at(args, 1)) ?? none;
  const range = rangeOf(start, end, value.length);
  return range === null ? none : (value.slice(...range) as Bytes);
}

/** Bytes written over those of a string, after zeros where it is too short. */
function written(old: Bytes, offset: number, bytes: string): Bytes {
  const before = offset < old.length ? old.slice(0, offset) : old.padEnd(offset, "\0");
  return (before + bytes + old.slice(offset + bytes.length)) as Bytes;
}

function setrange(workspace: Workspace, args: Args): Reply {
  const offset = parseInteger(at(args, 2));
  if (offset === null) return notAnInteger;
  if (offset < 0) return failure("ERR offset is out of range");
  const [key, bytes] = [at(args, 1), at(args, 3)];
  const old = workspace.getString(key) ?? none;
  if (bytes === "") return old.length;
  const refused = checkGrowth(Number(offset) + bytes.length);
  if (refused !== null) return refused;
  const value = written(old, Number(offset), bytes);
  workspace.updateString(key, value);
  return value.length;
}

function bitOffset(text: Bytes): number | ErrorReply {
  const offset = parseInteger(text);
  return offset === null || offset < 0 || offset >= bitsMax ? noOffset : Number(offset);
}

/** A bit of a string; what lies beyond its end is 0. */
function bitAt(value: Bytes, offset: number): 0 | 1 {
  const place = Math.floor(offset / 8);
  return place < value.length && (value.charCodeAt(place) & maskOf(offset)) !== 0 ? 1 : 0;
}

function maskOf(offset: number): number {
  return 0x80 >> (offset % 8);
}

function setbit(workspace: Workspace, args: Args): Reply {
  const offset = bitOffset(at(args, 2));
  if (typeof offset !== "number") return offset;
  const bit = at(args, 3);
  if (bit !== "0" && bit !== "1") return noBit;
  const key = at(args, 1);
  const old = workspace.getString(key) ?? none;
  const place = Math.floor(offset / 8);
  const was = bitAt(old, offset);
  // A frame holds the whole string: none is made where nothing changes.
  if (place < old.length && was === Number(bit)) return was;
  const refused = checkGrowth(place + 1);
  if (refused !== null) return refused;
  const byte = place < old.length ? old.charCodeAt(place) : 0;
  const after = bit === "1" ? byte | maskOf(offset) : byte & ~maskOf(offset);
  workspace.updateString(key, written(old, place, String.fromCharCode(after)));
  return was;
}

function getbit(workspace: Workspace, args: Args): Reply {
  const offset = bitOffset(at(args, 2));
  if (typeof offset !== "number") return offset;
  return bitAt(workspace.getString(at(args, 1)) ?? none, offset);
}

/** As in Redis 7.0 the range of a key that is not there may be anything. */
function bitcount(workspace: Workspace, args: Args): Reply {
  const value = workspace.getString(at(args, 1));
  if (value === null) return 0;
  if (args.length === 2) return bitsIn(value, 0, 8 * value.length);
  if (args.length !== 4 && args.length !== 5) return syntaxError;
  const [start, end] = [parseInteger(at(args, 2)), parseInteger(at(args, 3))];
  if (start === null || end === null) return notAnInteger;
  if (start < 0 && end < 0 && start > end) return 0;
  const unit = args.length === 4 ? "byte" : shown(at(args, 4), Infinity).toLowerCase();
  if (unit !== "byte" && unit !== "bit") return syntaxError;
  const bits = unit === "bit" ? 1 : 8;
  const range = rangeOf(start, end, (8 / bits) * value.length);
  return range === null ? 0 : bitsIn(value, range[0] * bits, range[1] * bits);
}

/** Counts the bits that are set, from one place up to another. */
function bitsIn(value: Bytes, from: number, to: number): number {
  const [first, last] = [Math.ceil(from / 8), Math.floor(to / 8)];
  let count = 0;
  for (let at = from; at < Math.min(8 * first, to); at++) count += bitAt(value, at);
  for (let place = first; place < last; place++) count += bitsOfByte(value.charCodeAt(place));
  for (let at = Math.max(8 * last, 8 * first); at < to; at++) count += bitAt(value, at);
  return count;
}

function bitsOfByte(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}

function range(name: string, summary: string): DataCommand {
  return command("string", { name, arity: 4, flags: ["readonly"], syntax: "key start end", summary, run: getrange });
}

/** The commands. */
export const rangeCommands: readonly DataCommand[] = [
  range(
    "getrange",
    "Returns the bytes of a string from one place to another, both included; negative ones count from its end.",
  ),
  range("substr", "The old name of GETRANGE."),
  command("string", {
    name: "setrange",
    arity: 4,
    flags: ["write", "denyoom"],
    syntax: "key offset value",
    summary:
      "Writes over the bytes of a string from a place on, after zeros where it is too short. Returns its length.",
    run: setrange,
  }),
  command("bitmap", {
    name: "setbit",
    arity: 4,
    flags: ["write", "denyoom"],
    syntax: "key offset value",
    summary: "Sets or clears a bit of a string, which grows with zeros as far as needed. Returns what the bit was.",
    run: setbit,
  }),
  command("bitmap", {
    name: "getbit",
    arity: 3,
    flags: ["readonly", "fast"],
    syntax: "key offset",
    summary: "Returns a bit of a string, 0 beyond its end.",
    run: getbit,
  }),
  command("bitmap", {
    name: "bitcount",
    arity: -2,
    flags: ["readonly"],
    syntax: "key [start end [BYTE | BIT]]",
    summary: "Counts the bits of a string that are set, in a range of its bytes or bits where one is named.",
    run: bitcount,
  }),
];
