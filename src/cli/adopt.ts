/**
 * `write-behind adopt --data DIR --store URL`: the command that goes on where queue and database do not belong together
 * or the journal is damaged. It starts a new log in the folder at the database's position and says what is given up.
 * The old log is kept aside in the folder. It can be repeated: a crash in the middle leaves what the next run finishes.
 */
import { existsSync } from "node:fs";
import { WriteBehindError } from "../errors.js";
import type { Host } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import { inspectJournal, type JournalReport } from "../queue/journal/inspect.js";
import { JournalReader } from "../queue/journal/reader.js";
import { startLogAt } from "../queue/journal/start.js";
import { positionText, samePosition, type Position } from "../queue/queue.js";
import { loadStore } from "../store/load-store.js";
import { sqlite } from "../store/sqlite/index.js";
import type { StoreClaim, StoreOpened } from "../store/store.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes } from "./exit.js";
import { counted, print } from "./output.js";
import { namedStore } from "./store-url.js";

/** What was done. */
interface Adopted {
  /** Where the folder goes on, in the new log; null where nothing had to be done. */
  readonly position: string | null;
  /** Frames that were readable, are not in this database, and will not be. */
  readonly framesGivenUp: number;
  readonly why: string;
}

const names = ["data", "store", "durability", "segmentBytes", "diskReserve"] as const;

/** Runs the verb. */
export async function adopt(flags: Flags): Promise<void> {
  const options = someOptions(flags, names);
  const { file } = namedStore(options.store, options.data);
  if (!existsSync(file))
    throw new CliError(exitCodes.failed, `there is no database ${file}`, "name it: --store sqlite:FILE");
  const host = nodeHost();
  await host.disk.makeFolder(options.data);
  const ownership = await host.disk.own(options.data);
  if (ownership === null) {
    throw new CliError(exitCodes.failed, `another process owns the folder ${options.data}`, "stop it first");
  }
  try {
    const adopted = await adoptOwned(host, { ...options, file, acceptGap: flags["acceptGap"] === true });
    print(adopted, flags["json"] === true, () => adoptedText(adopted, options.data));
  } finally {
    await ownership.release();
  }
}

interface Asked {
  readonly data: string;
  readonly file: string;
  readonly acceptGap: boolean;
  readonly durability: "memory" | "os" | "disk";
  readonly segmentBytes: number;
  readonly diskReserve: number;
}

async function adoptOwned(host: Host, asked: Asked): Promise<Adopted> {
  const folder = `${asked.data}/journal`;
  const position = await databasePosition(asked.file, host.random.hex(16));
  const report = await inspectJournal(host.disk, folder);
  if (report !== null && isHalfDone(report, position)) {
    const done = await setPosition(asked.file, report.logId as string, position);
    return { position: positionText(done), framesGivenUp: 0, why: "an adoption that was cut off is finished" };
  }
  const mismatch = report === null ? null : await mismatchOf(host, folder, report, position);
  if (report !== null && mismatch === null) {
    return { position: null, framesGivenUp: 0, why: "folder and database belong together" };
  }
  const why = mismatch?.message ?? `there is no journal in ${asked.data}`;
  const framesGivenUp = report === null ? 0 : framesAfter(report, position);
  const isGap = report !== null && (report.damage !== null || isTrimmed(report, position));
  if (isGap && !asked.acceptGap) {
    const lost = `${counted(framesGivenUp, "readable frame")} after the database's position and whatever is missing or damaged would be given up`;
    throw new CliError(exitCodes.failed, `${why}; ${lost}`, "go on all the same: the same command with --accept-gap");
  }
  const logId = await startLogAt(host, folder, position, asked);
  return { position: positionText(await setPosition(asked.file, logId, position)), framesGivenUp, why };
}

/** Where the database is. Opened under the name of a log that does not exist, it is not claimed. */
async function databasePosition(file: string, nobody: string): Promise<Position> {
  const { position } = await opened(file, { logId: nobody });
  if (position !== null) return position;
  throw new CliError(
    exitCodes.failed,
    `no queue has ever written to ${file}`,
    "there is nothing to adopt: start serve with an empty folder",
  );
}

async function setPosition(file: string, logId: string, { sequence, tag }: Position): Promise<Position> {
  const position = { logId, sequence, tag };
  await opened(file, { logId, adopt: position });
  return position;
}

async function opened(file: string, claim: StoreClaim): Promise<StoreOpened> {
  const store = await loadStore(sqlite({ file }));
  try {
    return await store.open(claim);
  } finally {
    await store.close();
  }
}

/** The new log has been started at the database's position, but the database does not know it by its new name yet. */
function isHalfDone({ damage, logId, base }: JournalReport, position: Position): boolean {
  return damage === null && logId !== null && base !== null && logId !== position.logId && samePosition(base, position);
}

async function mismatchOf(
  host: Host,
  folder: string,
  report: JournalReport,
  position: Position,
): Promise<WriteBehindError | null> {
  if (report.damage !== null) return report.damage;
  const reader = await JournalReader.open(host.disk, folder);
  try {
    await reader.check(position);
    return null;
  } catch (error) {
    if (error instanceof WriteBehindError) return error;
    throw error;
  } finally {
    await reader.close();
  }
}

function framesAfter({ logId, frames, last }: JournalReport, position: Position): number {
  if (logId !== position.logId || last === null) return frames;
  return Math.max(0, Math.min(frames, last.sequence - position.sequence));
}

/** The log is the database's, but what follows the database's position is not there any more. */
function isTrimmed({ logId, oldest }: JournalReport, position: Position): boolean {
  return logId === position.logId && oldest !== null && position.sequence < oldest - 1;
}

function adoptedText({ position, framesGivenUp, why }: Adopted, data: string): string {
  if (position === null) return `${why}; nothing was changed\n`;
  const lost =
    framesGivenUp === 0
      ? "no readable frame was given up"
      : `${counted(framesGivenUp, "frame")} of the old log were given up`;
  return `${why}\n${lost}; the old log's files are kept in ${data}/journal under given-up-…\n${data} goes on at ${position}\n`;
}
