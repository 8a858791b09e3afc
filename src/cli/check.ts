/**
 * `write-behind check --data DIR`: reads a journal from end to end and says what is in it, what of it the database does
 * not have, and where it is damaged. It changes nothing, and it may be run beside a server.
 */
import { nodeHost } from "../host/node-host.js";
import { positionText } from "../queue/queue.js";
import { claimStaleMs } from "../store/store.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, tryLine, type ExitCode } from "./exit.js";
import { lookAtFolder, notStored, type FolderLook } from "./folder-look.js";
import { columns, counted, duration, print, size } from "./output.js";
import { namedStore, storeJson, type NamedStore } from "./store-url.js";

/** Runs the verb. Failed where the next start would refuse the journal. */
export async function check(flags: Flags): Promise<ExitCode> {
  const { data, store: url } = someOptions(flags, ["data", "store"]);
  const store = namedStore(url, data);
  const look = await lookAtFolder(nodeHost().disk, data, store);
  if (look === null) {
    throw new CliError(exitCodes.failed, `there is no journal in ${data}`, "name the folder of a server: --data DIR");
  }
  print(lookJson(look, store), flags["json"] === true, () => lookText(look, data, store.place));
  return look.refusal === null ? exitCodes.done : exitCodes.failed;
}

/** The look as JSON; positions are text. */
function lookJson(look: FolderLook, store: NamedStore): unknown {
  const { journal, database, why, refusal } = look;
  const { after: _, damage, base, last, ...rest } = journal;
  const position = database?.position ?? null;
  const { readable, bytes, unreadable } = notStored(look);
  const { kind: _kind, ...where } = storeJson(store);
  return {
    ...rest,
    base: base === null ? null : positionText(base),
    last: last === null ? null : positionText(last),
    damage: plain(damage),
    database: {
      ...where,
      position: position === null ? null : positionText(position),
      owner: database?.owner ?? null,
      error: why,
    },
    pending: { frames: readable, bytes, unreadable },
    refusal: plain(refusal),
  };
}

function plain(error: FolderLook["refusal"]): unknown {
  return error === null ? null : { code: error.code, message: error.message, hint: error.hint };
}

/** The look for people. */
export function lookText(look: FolderLook, data: string, place: string): string {
  const { journal, refusal } = look;
  const { logId, oldest, last, frames, segments, durable, torn, beyond, behind } = journal;
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const lines: [string, string][] = [
    ["journal", `${data}/journal, log ${logId ?? "unknown"}`],
    ["database", databaseText(look, place)],
    ["frames", frames === 0 ? "none" : `${counted(frames, "frame")}, ${oldest} to ${last?.sequence}, ${size(bytes)}`],
    ["pending", pendingText(look)],
    ["durable", `up to ${durable} by what the log itself says`],
    ["files", counted(segments.length, "segment")],
  ];
  for (const segment of segments) {
    const name = segment.path.slice(segment.path.lastIndexOf("/") + 1);
    lines.push(["", `${name}  ${counted(segment.frames, "frame")}, ${size(segment.bytes)} of ${size(segment.size)}`]);
  }
  if (torn && refusal === null)
    lines.push(["end", "torn, or just being written: what was cut off there was never answered; a start cuts it"]);
  if (beyond.length > 0) lines.push(["beyond", beyond.join(", ")]);
  if (behind !== null)
    lines.push(["behind it", `${counted(behind.frames, "frame")} can be read behind the damage, ${range(behind)}`]);
  lines.push(["verdict", refusal === null ? "sound" : `${refusal.code}: ${refusal.message}`]);
  const hint = refusal?.hint ?? null;
  return columns(lines) + (hint === null ? "" : `${tryLine(hint)}\n`);
}

function databaseText({ database, why }: FolderLook, place: string): string {
  if (database === null) return why ?? place;
  const at = database.position === null ? "no queue has written to it yet" : `at ${positionText(database.position)}`;
  const isOwned = database.owner !== null && Math.abs(database.ageMs) < claimStaleMs;
  const owned = isOwned ? `; a server was here ${duration(Math.max(0, database.ageMs))} ago` : "";
  return `${place}, ${at}${owned}`;
}

function pendingText(look: FolderLook): string {
  const { readable, bytes, unreadable } = notStored(look);
  const unknown = look.database === null ? "at the most " : "";
  const lost = unreadable === 0 ? "" : `; ${counted(unreadable, "frame")} that should follow cannot be read`;
  return `${unknown}${counted(readable, "frame")}${readable === 0 ? "" : `, ${size(bytes)}`}${lost}`;
}

function range({ first, last }: { readonly first: number; readonly last: number }): string {
  return first === last ? `${first}` : `${first} to ${last}`;
}
