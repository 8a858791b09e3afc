/**
 * Commands over all keys there are: SCAN, KEYS, DBSIZE, RANDOMKEY. They wait for the database, and work page by page,
 * so that other clients are served meanwhile. How a walk over all keys is made true is in heart/key-walk.ts.
 */
import type { Bytes } from "../bytes.js";
import type { Heart, KeysPage, KeysPlace } from "../heart.js";
import { noKeys, type Session, type SessionCommand } from "./command.js";
import type { Scan } from "./cursors.js";
import { matches } from "./glob.js";
import { bytesOfInteger } from "./integer.js";
import { typeOf } from "./keys.js";
import { failure, isError, type ErrorReply, type Reply } from "./reply.js";
import { parseCursor, parseScanOptions, type ScanOptions } from "./scan-options.js";

type Args = readonly Bytes[];

/** Keys that are asked for at a time. */
const pageKeys = 2000;
/** Records that are loaded at a time for their types. */
const typesAtOnce = 100;

/** What SCAN shows. */
interface Filter extends ScanOptions {
  /** In lower case; null shows all. */
  readonly type: string | null;
}

/** The options of SCAN; TYPE is its own. */
function parseFilter(args: Args): Filter | ErrorReply {
  let type: string | null = null;
  const shared: Bytes[] = [];
  for (let at = 2; at < args.length; at += 2) {
    const pair = args.slice(at, at + 2);
    if (pair.length === 2 && (pair[0] as Bytes).toLowerCase() === "type") type = (pair[1] as Bytes).toLowerCase();
    else shared.push(...pair);
  }
  const options = parseScanOptions(shared, 0);
  return isError(options) ? options : { ...options, type };
}

/** Those of one type. Their records are loaded where they are not in memory. */
async function ofType(heart: Heart, keys: readonly Bytes[], type: string): Promise<Bytes[]> {
  const found: Bytes[] = [];
  if (type !== "string" && type !== "hash") return found;
  for (let first = 0; first < keys.length; first += typesAtOnce) {
    const some = keys.slice(first, first + typesAtOnce);
    const { value } = await heart.view((workspace) => some.filter((key) => typeOf(workspace.get(key)) === type));
    found.push(...value);
  }
  return found;
}

/** The pages of a walk, about as many keys as are asked for in all; nothing more for a client that is gone. */
async function* pages(session: Session, from: KeysPlace | null, count: number): AsyncGenerator<KeysPage> {
  let left = count;
  for (let place = from; left > 0 && !session.gone.aborted; left -= pageKeys) {
    const page = await session.server.heart.keys(place, Math.min(left, pageKeys));
    yield page;
    if (page.next === null) return;
    place = page.next;
  }
}

async function scan(session: Session, args: Args): Promise<Reply> {
  const { heart, cursors } = session.server;
  const cursor = parseCursor(args[1] as Bytes);
  if (isError(cursor)) return cursor;
  const filter = parseFilter(args);
  if (isError(filter)) return filter;
  const from = cursor === 0n ? null : cursors.find(Number(cursor));
  if (from === undefined) return unknownCursor(cursor);
  const keys: Bytes[] = [];
  let next: KeysPlace | null = null;
  for await (const page of pages(session, from?.place ?? null, filter.count)) {
    const { pattern, type } = filter;
    const fitting = pattern === null ? page.keys : page.keys.filter((key) => matches(pattern, key));
    keys.push(...(type === null ? fitting : await ofType(heart, fitting, type)));
    next = page.next;
  }
  session.shows(heart.accepted);
  return [scanGoesOn(session, from?.scan ?? null, next), keys];
}

/** The cursor that is answered. */
function scanGoesOn({ server: { cursors } }: Session, scanned: Scan | null, next: KeysPlace | null): Bytes {
  if (next !== null) return bytesOfInteger(cursors.put(scanned, next));
  if (scanned !== null) cursors.end(scanned);
  return "0" as Bytes;
}

function unknownCursor(cursor: bigint): ErrorReply {
  return failure(
    `ERR unknown cursor ${cursor}: it is of a scan that is over or forgotten, or from before this server's start; begin again with 0`,
  );
}

async function keys(session: Session, args: Args): Promise<Reply> {
  const pattern = args[1] as Bytes;
  const found: Bytes[] = [];
  for await (const page of pages(session, null, Infinity))
    for (const key of page.keys) if (matches(pattern, key)) found.push(key);
  session.shows(session.server.heart.accepted);
  return found;
}

async function dbsize(session: Session): Promise<Reply> {
  let count = 0;
  for await (const page of pages(session, null, Infinity)) count += page.keys.length;
  session.shows(session.server.heart.accepted);
  return count;
}

async function randomkey(session: Session): Promise<Reply> {
  const key = await session.server.heart.randomKey();
  session.shows(session.server.heart.accepted);
  return key;
}

/** A command over all keys. In a transaction it could not wait. */
function command(
  entry: Omit<SessionCommand, "kind" | "keys" | "flags">,
  ...flags: SessionCommand["flags"]
): SessionCommand {
  return { kind: "session", keys: noKeys, flags: ["readonly", "no_multi", ...flags], ...entry };
}

/** The commands. */
export const keyspaceCommands: readonly SessionCommand[] = [
  command({
    name: "scan",
    arity: -2,
    group: "generic",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    summary:
      "Some of the keys, and the cursor to go on with; 0 begins and ends. A cursor is good on this server until its next start, or until a thousand other scans have begun. TYPE loads the records that MATCH leaves.",
    run: scan,
  }),
  command({
    name: "keys",
    arity: 2,
    group: "generic",
    syntax: "pattern",
    summary:
      "All keys that match a pattern. Reads every key that the database has; other clients are served meanwhile.",
    run: keys,
  }),
  command(
    {
      name: "dbsize",
      arity: 1,
      group: "server",
      syntax: "",
      summary: "The number of keys. Counts every key that the database has, so it costs as much as KEYS.",
      run: dbsize,
    },
    "fast",
  ),
  command({
    name: "randomkey",
    arity: 1,
    group: "generic",
    syntax: "",
    summary:
      "One of the keys, or null where there are none: of those in memory where there are any, else of the first of the database.",
    run: randomkey,
  }),
];
