/** Parts of a hash: HSCAN gives it page by page, HRANDFIELD some of its fields by chance. */
import type { Bytes } from "../bytes.js";
import { inFieldOrder, type Fields } from "../change.js";
import type { Workspace } from "../workspace.js";
import { oneKey, type DataCommand } from "./command.js";
import { isSmallHash } from "./encoding.js";
import { matches } from "./glob.js";
import { bytesOfInteger, parseInteger } from "./integer.js";
import { failure, notAnInteger, syntaxError, type Reply } from "./reply.js";
import { parseCursor, parseScanOptions } from "./scan-options.js";

type Args = readonly Bytes[];

/** Fields have a place on a ring of this size, by which the pages of a large hash are made. */
const placesMax = 2 ** 32;
/** A page holds this part of a hash at least: each looks at every field, so all of them do at most so many times. */
const pagesMax = 128;

/** A page, and the cursor of the next one; 0: it is the last. */
interface Page {
  readonly next: number;
  readonly fields: Fields;
}

function hscan(workspace: Workspace, args: Args): Reply {
  const cursor = parseCursor(args[2] as Bytes);
  if (typeof cursor !== "bigint") return cursor;
  const hash = workspace.getHash(args[1] as Bytes);
  if (hash === null) return reply({ next: 0, fields: new Map() }, null);
  const options = parseScanOptions(args, 3);
  if ("kind" in options) return options;
  const page = isSmallHash(hash) ? { next: 0, fields: hash } : pageOf(hash, Number(cursor), options.count);
  return reply(page, options.pattern);
}

function reply({ next, fields }: Page, pattern: Bytes | null): Reply {
  const found: Bytes[] = [];
  for (const [field, value] of inFieldOrder(fields))
    if (pattern === null || matches(pattern, field)) found.push(field, value);
  return [bytesOfInteger(next), found];
}

/**
 * The fields whose places lie in a stretch of the ring that begins at the cursor. A field's place follows from its name
 * alone, so the cursor is all that need be remembered, in any process: a field that stays is in one stretch, whatever
 * comes and goes beside it. One look at every field, and nothing is sorted but the page (docs/decisions/0026).
 */
function pageOf(hash: Fields, cursor: number, count: number): Page {
  const size = Math.max(count, Math.ceil(hash.size / pagesMax));
  const end = cursor + Math.max(1, Math.floor((placesMax / hash.size) * size));
  const fields = new Map<Bytes, Bytes>();
  for (const [field, value] of hash) {
    const place = placeOf(field);
    if (place >= cursor && place < end) fields.set(field, value);
  }
  return { next: end < placesMax ? end : 0, fields };
}

/** FNV-1a and a final mix (fmix32 of MurmurHash3): even over the ring, whatever the names. */
function placeOf(field: Bytes): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < field.length; i++) hash = Math.imul(hash ^ field.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const longMax = 2n ** 63n - 1n;
/** A reply names a field more than once only so often: Redis sends what a client asks for until memory ends. */
const repeatsMax = 2 ** 20;

function hrandfield(workspace: Workspace, args: Args): Reply {
  const key = args[1] as Bytes;
  if (args.length === 2) {
    const hash = workspace.getHash(key);
    return hash === null ? null : ([...chosen(hash, 1, workspace.random)][0]?.[0] ?? null);
  }
  const count = parseInteger(args[2] as Bytes);
  if (count === null) return notAnInteger;
  if (count < -longMax) return failure(`ERR value is out of range, value must between -${longMax} and ${longMax}`);
  const withValues = args.length === 4 && args[3]?.toLowerCase() === "withvalues";
  if (args.length > 3 && !withValues) return syntaxError;
  if (withValues && (count > longMax / 2n || count < -longMax / 2n)) return failure("ERR value is out of range");
  const hash = workspace.getHash(key);
  if (hash === null || count === 0) return [];
  if (count < -repeatsMax)
    return failure(`ERR value is out of range: a reply has ${repeatsMax} fields at most, ask for fewer`);
  const fields =
    count < 0 ? repeated(hash, -Number(count), workspace.random) : chosen(hash, Number(count), workspace.random);
  return withValues ? { kind: "pairs", pairs: [...fields] } : [...fields].map(([field]) => field);
}

/** So many different fields, each with the same chance: one look at every field. */
function chosen(hash: Fields, count: number, random: () => number): Iterable<readonly [Bytes, Bytes]> {
  if (count >= hash.size) return inFieldOrder(hash);
  const found: (readonly [Bytes, Bytes])[] = [];
  let left = hash.size;
  for (const entry of hash) {
    // Of what is left this one is as likely as each other to be among those still wanted.
    if (random() * left < count - found.length) found.push(entry);
    if (found.length === count) break;
    left--;
  }
  return found;
}

/** So many fields, the same ones again and again. */
function repeated(hash: Fields, count: number, random: () => number): (readonly [Bytes, Bytes])[] {
  const entries = [...hash];
  return Array.from({ length: count }, () => entries[Math.floor(random() * entries.length)] as readonly [Bytes, Bytes]);
}

/** The commands. */
export const hashPartCommands: readonly DataCommand[] = [
  {
    kind: "data",
    group: "hash",
    name: "hscan",
    arity: -3,
    flags: ["readonly"],
    keys: oneKey,
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    summary:
      "Returns a page of a hash and the cursor of the next one, 0 after the last. A small hash (512 fields of 64 bytes) comes whole; of a large one every page looks at every field, and holds at least a 128th of them.",
    run: hscan,
  },
  {
    kind: "data",
    group: "hash",
    name: "hrandfield",
    arity: -2,
    flags: ["readonly"],
    keys: oneKey,
    syntax: "key [count [WITHVALUES]]",
    summary:
      "Returns fields of a hash by chance: count different ones, or with a negative count (-1048576 at the most) so many that may be the same. Looks at every field.",
    run: hrandfield,
  },
];
