/**
 * `write-behind adopt --data DIR --store URL`: the command that goes on where queue and database do not belong together
 * or the journal is damaged. It starts a new log in the folder at the database's position, takes over what the old one
 * still has from there on without a gap, and says what is given up. The old log is kept aside in the folder. It can be
 * repeated: a crash in the middle leaves what the next run finishes.
 */
import type { Host } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import type { JournalReport } from "../queue/journal/inspect.js";
import { countSalvageable, salvage } from "../queue/journal/salvage.js";
import { startLogAt } from "../queue/journal/start.js";
import { positionText, samePosition, type Durability, type Position } from "../queue/queue.js";
import { loadStore } from "../store/load-store.js";
import type { StoreClaim } from "../store/store.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, cliError, exitCodes } from "./exit.js";
import { lookAtFolder, notStored, type FolderLook } from "./folder-look.js";
import { counted, print } from "./output.js";
import { beforeLookAndCommit, isAbsent, namedStore, type NamedStore } from "./store-url.js";

/** What was done. */
interface Adopted {
  /** Where the folder goes on, in the new log; null where nothing had to be done. */
  readonly position: string | null;
  /** Frames that were taken over from the old log: they follow the database's position without a gap. */
  readonly framesKept: number;
  /** Frames that can be read in the old log, are not in this database, and will not be. */
  readonly framesGivenUp: number;
  /** Frames that the old log once held after the database's position and that cannot be read any more. */
  readonly framesLost: number;
  readonly why: string;
}

const names = ["data", "store", "durability", "segmentBytes", "diskReserve"] as const;

/** Runs the verb. */
export async function adopt(flags: Flags): Promise<void> {
  const options = someOptions(flags, names);
  const store = namedStore(options.store, options.data);
  if (isAbsent(store))
    throw new CliError(exitCodes.failed, `there is no database ${store.place}`, "name it: --store sqlite:FILE");
  const host = nodeHost();
  await host.disk.makeFolder(options.data);
  const ownership = await host.disk.own(options.data);
  if (ownership === null) {
    throw new CliError(exitCodes.failed, `another process owns the folder ${options.data}`, "stop it first");
  }
  try {
    const adopted = await adoptOwned(host, { ...options, store, acceptGap: flags["acceptGap"] === true });
    print(adopted, flags["json"] === true, () => adoptedText(adopted, options.data));
  } finally {
    await ownership.release();
  }
}

interface Asked {
  readonly data: string;
  readonly store: NamedStore;
  readonly acceptGap: boolean;
  readonly durability: Durability;
  readonly segmentBytes: number;
  readonly diskReserve: number;
}

async function adoptOwned(host: Host, asked: Asked): Promise<Adopted> {
  beforeLookAndCommit(asked.store);
  const look = await lookAtFolder(host.disk, asked.data, asked.store);
  // What a newer version wrote is no damage, whatever is accepted.
  if (look?.refusal?.code === "JOURNAL_VERSION") throw cliError(exitCodes.failed, look.refusal);
  const random = host.random.hex(16);
  const stored = await databasePosition(asked.store, look?.journal.logId ?? random);
  const isHalf = look !== null && stored !== null && isHalfDone(look.journal, stored);
  if (stored === null && (look === null || look.refusal === null)) throw nothingToAdopt(asked.store);
  if (look !== null && look.refusal === null && !isHalf) {
    return { framesKept: 0, ...nothingGivenUp, position: null, why: "folder and database belong together" };
  }
  const folder = `${asked.data}/journal`;
  // No queue has written to the database yet: the new log begins where the old one began.
  const position = stored ?? look?.journal.base ?? { logId: random, sequence: 0, tag: 0 };
  const salvageable = await countSalvageable(host.disk, folder, position);
  const given = isHalf
    ? { ...nothingGivenUp, why: "an adoption that was cut off is finished" }
    : givenUp(look, asked, position, salvageable);
  const logId = await startLogAt(host, folder, position, asked);
  const framesKept = await salvage(host, folder, position, asked);
  const now = stored === null ? position : await setPosition(asked.store, logId, position);
  return { framesKept, ...given, position: positionText(now) };
}

function nothingToAdopt({ place }: NamedStore): CliError {
  const hint = "there is nothing to adopt: start serve";
  return new CliError(exitCodes.failed, `no queue has ever written to ${place}`, hint);
}

const nothingGivenUp = { framesGivenUp: 0, framesLost: 0 };

/** What of the old log is given up. Refused where a part of it is damaged or missing and nobody has accepted that. */
function givenUp(
  look: FolderLook | null,
  asked: Asked,
  position: Position,
  kept: number,
): Omit<Adopted, "position" | "framesKept"> {
  const why = look?.refusal?.message ?? `there is no journal in ${asked.data}`;
  if (look === null) return { ...nothingGivenUp, why };
  const { readable, unreadable } = notStored(look);
  // What is taken over of files that were put aside earlier is not among what is pending in a foreign log.
  const { logId } = look.journal;
  const left = logId === null || logId === position.logId ? Math.max(0, readable - kept) : readable;
  if (isGap(look, position) && !asked.acceptGap) {
    throw new CliError(
      exitCodes.failed,
      `${why}; nothing was changed. ${lossText(kept, left, unreadable)}`,
      "go on all the same: the same command with --accept-gap",
    );
  }
  return { framesGivenUp: left, framesLost: unreadable, why };
}

/**
 * Where the database is; null where no queue has written to it. It is opened under the name of this folder's log, which
 * cannot be alive, since the folder is owned: a claim that its dead process left is given back. That of another queue
 * is respected (TABLES_IN_USE).
 */
async function databasePosition(store: NamedStore, logId: string): Promise<Position | null> {
  return opened(store, { logId });
}

async function setPosition(store: NamedStore, logId: string, { sequence, tag }: Position): Promise<Position> {
  const position = { logId, sequence, tag };
  await opened(store, { logId, adopt: position });
  return position;
}

async function opened({ descriptor }: NamedStore, claim: StoreClaim): Promise<Position | null> {
  const store = await loadStore(descriptor);
  try {
    return (await store.open(claim)).position;
  } finally {
    await store.close();
  }
}

/** The new log has been started at the database's position, but the database does not know it by its new name yet. */
function isHalfDone({ damage, logId, base }: JournalReport, position: Position): boolean {
  return damage === null && logId !== null && base !== null && logId !== position.logId && samePosition(base, position);
}

/** Damage, or the log is the database's and what follows the database's position is not there any more. */
function isGap(look: FolderLook, position: Position): boolean {
  const { damage, logId, oldest } = look.journal;
  return damage !== null || (logId === position.logId && oldest !== null && position.sequence < oldest - 1);
}

function lossText(kept: number, givenUp: number, lost: number): string {
  const parts = [];
  if (givenUp > 0) parts.push(`${counted(givenUp, "frame")} that can be read and the database does not have`);
  if (lost > 0) parts.push(`${counted(lost, "frame")} that cannot be read any more`);
  const taken = kept === 0 ? "" : `Taken over: ${counted(kept, "frame")}. `;
  return `${taken}Given up: ${parts.length === 0 ? "nothing that the database does not have" : parts.join(", and ")}`;
}

function adoptedText(adopted: Adopted, data: string): string {
  const { position, framesKept, framesGivenUp, framesLost, why } = adopted;
  if (position === null) return `${why}; nothing was changed\n`;
  const lost = lossText(framesKept, framesGivenUp, framesLost);
  return `${why}\n${lost}; the old log's files are kept in ${data}/journal under given-up-…\n${data} goes on at ${position}\n`;
}
