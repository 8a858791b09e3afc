/** How a journal begins to take frames: in a new log, in one that goes on, or in one that starts at a database. */
import { WriteBehindError } from "../../errors.js";
import { DiskError, type Host } from "../../host/host.js";
import type { Durability, Position } from "../queue.js";
import type { QueueLimits } from "./gate.js";
import { Milestones } from "./milestones.js";
import { beginSegment, recoverJournal, type Recovered } from "./recovery.js";
import type { HeldSegment, Retention } from "./retention.js";
import { givenUpName, segmentNames, segmentSeed } from "./segment.js";
import { Signposts } from "./signposts.js";
import { Supply, type Spare } from "./supply.js";
import { Tail } from "./tail.js";
import type { OnSegment } from "./walk.js";
import { firstFrameOffset } from "./window.js";

/** What a journal needs to know; options.ts documents each. */
export interface JournalOptions extends Retention, QueueLimits {
  readonly durability: Durability;
  readonly segmentBytes: number;
  readonly diskReserve: number;
}

/** What a journal starts from. */
export interface JournalStart {
  readonly isNew: boolean;
  readonly log: Omit<Recovered, "segments">;
  readonly segments: HeldSegment[];
  readonly tail: Tail;
  readonly supply: Supply;
}

/** Recovers the log in a folder, or makes one. Throws as `Journal.open` does. */
export async function startJournal(
  host: Host,
  folder: string,
  options: JournalOptions,
  onSegment?: OnSegment,
): Promise<JournalStart> {
  const dsync = options.durability === "disk";
  await host.disk.makeFolder(folder);
  const supply = new Supply(host, folder, { ...options, dsync });
  try {
    const recovered = await recoverJournal(host.disk, folder, new Signposts(options.queueBytes), onSegment);
    await supply.begin();
    if (recovered !== null) return await goOn(host, recovered, supply, dsync);
    const logId = host.random.hex(16);
    const base = { logId, sequence: 0, tag: 0 };
    return await begin(host, folder, supply, dsync, logId, base, new Signposts(options.queueBytes));
  } catch (error) {
    await supply.close();
    throw diskFull(error, folder);
  }
}

/** Options of a log that is only being made. */
export type NewLogOptions = Pick<JournalOptions, "durability" | "segmentBytes" | "diskReserve">;

/**
 * Starts a new log in a folder at a foreign position: the database's, whose own log is lost or given up. The log that
 * was there is kept aside under names that begin with `given-up-`. Returns the new log's id.
 */
export async function startLogAt(host: Host, folder: string, base: Position, options: NewLogOptions): Promise<string> {
  const { disk } = host;
  const dsync = options.durability === "disk";
  await disk.makeFolder(folder);
  const logId = host.random.hex(16);
  // The newest first: a crash in here leaves a log that ends too early, which is refused, not used.
  for (const { name } of segmentNames(await disk.list(folder)).reverse()) {
    await disk.rename(`${folder}/${name}`, `${folder}/${givenUpName(logId, name)}`);
    await disk.syncFolder(folder);
  }
  const supply = new Supply(host, folder, { ...options, dsync });
  try {
    await supply.begin();
    const start = await begin(host, folder, supply, dsync, logId, base, new Signposts(0));
    await start.tail.segment.spare.file.close();
    return logId;
  } catch (error) {
    throw diskFull(error, folder);
  } finally {
    await supply.close();
  }
}

/** A new log has its first segment before its first frame: from then on the folder says which log it holds. */
async function begin(
  host: Host,
  folder: string,
  supply: Supply,
  dsync: boolean,
  logId: string,
  base: Position,
  signposts: Signposts,
): Promise<JournalStart> {
  if (!supply.has(0)) await supply.makeFirst();
  const spare = supply.take(0) as Spare;
  const place = { index: 1, firstSequence: base.sequence + 1, logOffset: 0, atBefore: 0 };
  const header = { ...place, logId, tagBefore: base.tag, size: spare.size, durable: base.sequence, base };
  const path = await beginSegment(host.disk, { folder, path: spare.path, file: spare.file, dsync }, header);
  const last = { sequence: base.sequence, tag: base.tag, at: 0 };
  const tail = new Tail({ ...place, spare, seed: segmentSeed(header), begun: true }, firstFrameOffset);
  return {
    isNew: true,
    log: { logId, base, last, logOffset: 0, milestones: new Milestones(), signposts },
    segments: [{ ...place, path, size: spare.size }],
    tail,
    supply,
  };
}

async function goOn(host: Host, log: Recovered, supply: Supply, dsync: boolean): Promise<JournalStart> {
  const segments = log.segments.map(({ path, header }) => ({ ...header, path }));
  const end = log.segments.at(-1) as Recovered["segments"][number];
  const file = await host.disk.open(end.path, { write: true, create: false, dsync });
  const spare = { path: end.path, size: end.header.size, file };
  const tail = new Tail({ ...end.header, spare, seed: segmentSeed(end.header), begun: true }, end.end);
  return { isNew: false, log, segments, tail, supply };
}

function diskFull(error: unknown, folder: string): unknown {
  if (!(error instanceof DiskError && error.kind === "full")) return error;
  return new WriteBehindError("DISK_FULL", `no room for the first file of a journal in ${folder}: ${error.message}`, {
    hint: "free disk space, or lower segmentBytes and diskReserve",
    cause: error,
  });
}
