/** Looks at a data folder and its database side by side, for `check` and `adopt`. It changes nothing. */
import { WriteBehindError } from "../errors.js";
import { DiskError, type Disk } from "../host/host.js";
import { stderrScreen } from "../host/screen.js";
import { Progress } from "../progress.js";
import { inspectJournal, type JournalReport } from "../queue/journal/inspect.js";
import { JournalReader } from "../queue/journal/reader.js";
import type { Position } from "../queue/queue.js";
import type { LookedPosition } from "../store/store.js";
import { lookAtStore, type NamedStore } from "./store-url.js";

/** What was found. */
export interface FolderLook {
  readonly journal: JournalReport;
  /** Null where the database cannot be read; `why` says why. */
  readonly database: LookedPosition | null;
  readonly why: string | null;
  /** JOURNAL_DAMAGED, JOURNAL_VERSION or QUEUE_MISMATCH: why the next start would be refused. */
  readonly refusal: WriteBehindError | null;
}

/** Beside a server that writes and trims, a look may see half a moment. What is seen so often is believed. */
const looksMax = 20;

/** Looks at a folder; null where it holds no journal. Throws DiskError. */
export async function lookAtFolder(disk: Disk, data: string, store: NamedStore): Promise<FolderLook | null> {
  let before: FolderLook | null = null;
  for (let looks = 1; ; looks++) {
    const look = await lookOnce(disk, data, store).catch((error: unknown) => {
      // A segment may go while it is looked at.
      if (error instanceof DiskError && error.kind === "missing" && looks < looksMax) return undefined;
      throw error;
    });
    if (look === undefined) continue;
    if (look === null || look.refusal === null || looks >= looksMax) return look;
    if (before?.refusal?.message === look.refusal.message) return look;
    before = look;
  }
}

async function lookOnce(disk: Disk, data: string, store: NamedStore): Promise<FolderLook | null> {
  const folder = `${data}/journal`;
  // The database first: what it has can only become more while the journal is read. And what is about its position at
  // once: the log before it may be trimmed any moment.
  const { database, why } = await lookAtDatabase(store);
  const position = database?.position ?? null;
  const mismatch = position === null ? null : await mismatchOf(disk, folder, position);
  const progress = new Progress(stderrScreen());
  const read = (done: number, total: number): void =>
    progress.at("reading the journal", { things: "files" }, done, total);
  let journal = await inspectJournal(disk, folder, position?.sequence ?? 0, read).finally(() => progress.end());
  if (journal === null) return null;
  // A foreign log's numbers say nothing about the database: it has none of them.
  if (!isOfLog(journal, position)) journal = (await inspectJournal(disk, folder)) ?? journal;
  return { journal, database, why, refusal: journal.damage ?? mismatch };
}

async function lookAtDatabase(store: NamedStore): Promise<Pick<FolderLook, "database" | "why">> {
  try {
    return { database: await lookAtStore(store), why: null };
  } catch (error) {
    return { database: null, why: error instanceof Error ? error.message : String(error) };
  }
}

/** Why a whole journal and a database do not belong together; null where they do. */
async function mismatchOf(disk: Disk, folder: string, position: Position): Promise<WriteBehindError | null> {
  let reader: JournalReader | null = null;
  try {
    reader = await JournalReader.open(disk, folder);
    await reader.check(position);
    return null;
  } catch (error) {
    if (error instanceof WriteBehindError) return error;
    throw error;
  } finally {
    await reader?.close();
  }
}

/** How much of a log is not in a database that is at `position`, and how much of that can be read. */
export interface NotStored {
  /** Frames that can be read, and the bytes of log that they take. */
  readonly readable: number;
  readonly bytes: number;
  /** Frames that the log once held and that cannot be read any more, as far as the rest of it tells. */
  readonly unreadable: number;
}

/** Counts what a database does not have of a log that was looked at together with it. */
export function notStored({ journal, database }: FolderLook): NotStored {
  const { behind, last, after, durable, segments } = journal;
  const position = database?.position ?? null;
  const oldest = segments[0]?.firstSequence ?? behind?.first ?? 1;
  const from = position !== null && isOfLog(journal, position) ? position.sequence : oldest - 1;
  const readable = after.frames + (behind?.frames ?? 0);
  const bytes = after.bytes + (behind?.bytes ?? 0);
  const highest = Math.max(behind?.last ?? 0, last?.sequence ?? 0, durable);
  return { readable, bytes, unreadable: Math.max(0, highest - from - readable) };
}

/** Whether the positions of a database are places of this log, as far as can be told. */
function isOfLog({ logId }: JournalReport, position: Position | null): boolean {
  return logId === null || position === null || logId === position.logId;
}
