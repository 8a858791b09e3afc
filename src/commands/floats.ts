/** Commands that add floats, to strings and to fields of hashes. The arithmetic is in long-double.ts. */
import type { Bytes } from "../bytes.js";
import type { Workspace } from "../workspace.js";
import { at } from "./arguments.js";
import { oneKey, type DataCommand } from "./command.js";
import { addLongDoubles, bytesOfLongDouble, parseLongDouble, type LongDouble } from "./long-double.js";
import { failure, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const notAFloat = failure("ERR value is not a valid float");
const notFinite = failure("ERR increment would produce NaN or Infinity");
const zero = "0" as Bytes;

/** The text of the sum; null where it is infinite, or not a number. */
function sumOf(a: LongDouble | "infinite", b: LongDouble | "infinite"): Bytes | null {
  if (a === "infinite" || b === "infinite") return null;
  const sum = addLongDoubles(a, b);
  return sum === null ? null : bytesOfLongDouble(sum);
}

function incrbyfloat(workspace: Workspace, args: Args): Reply {
  const key = at(args, 1);
  const value = parseLongDouble(workspace.getString(key) ?? zero);
  const delta = parseLongDouble(at(args, 2));
  if (value === null || delta === null) return notAFloat;
  const sum = sumOf(value, delta);
  if (sum === null) return notFinite;
  workspace.updateString(key, sum);
  // A column may hold fewer digits: the answer is what is there now (promise 2).
  return workspace.getString(key);
}

function hincrbyfloat(workspace: Workspace, args: Args): Reply {
  const [key, field] = [at(args, 1), at(args, 2)];
  const delta = parseLongDouble(at(args, 3));
  if (delta === null) return notAFloat;
  if (delta === "infinite") return failure("ERR value is NaN or Infinity");
  const value = parseLongDouble(workspace.getHash(key)?.get(field) ?? zero);
  if (value === null) return failure("ERR hash value is not a float");
  const sum = sumOf(value, delta);
  if (sum === null) return notFinite;
  workspace.setFields(key, new Map([[field, sum]]));
  return workspace.getHash(key)?.get(field) ?? sum;
}

/** The commands. */
export const floatCommands: readonly DataCommand[] = [
  {
    kind: "data",
    group: "string",
    name: "incrbyfloat",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key increment",
    summary: "Adds to the float at a key; an absent key counts as 0.",
    run: incrbyfloat,
  },
  {
    kind: "data",
    group: "hash",
    name: "hincrbyfloat",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: oneKey,
    syntax: "key field increment",
    summary: "Adds to the float in a field of a hash; an absent field counts as 0.",
    run: hincrbyfloat,
  },
];
