/**
 * Looks at a whole journal and says what is in it, for `check --data` and `adopt`. Reads only: it changes nothing, and
 * needs nobody to stand still. Beside a server that writes and trims it may see half a moment: whoever asks looks again
 * before damage is believed.
 */
import { WriteBehindError } from "../../errors.js";
import type { Disk } from "../../host/host.js";
import type { Position } from "../queue.js";
import { openSegment, segmentNames, type SegmentName } from "./segment.js";
import { walkJournal, type OnFrame, type OnSegment, type Walk } from "./walk.js";
import { firstFrameOffset, Window } from "./window.js";

/** One segment of a report. */
export interface SegmentReport {
  readonly path: string;
  readonly firstSequence: number;
  readonly frames: number;
  /** Bytes of frames, and of the whole file. */
  readonly bytes: number;
  readonly size: number;
}

/** Frames, and the bytes of log that they take. */
export interface FrameCount {
  frames: number;
  bytes: number;
}

/** Frames that can be read behind damage: whole, but what was before them is not. */
export interface FramesBehind {
  readonly frames: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** What is in a journal. */
export interface JournalReport {
  /** Null where the first header cannot be read. */
  readonly logId: string | null;
  readonly base: Position | null;
  readonly segments: readonly SegmentReport[];
  readonly frames: number;
  /** The oldest frame that can be read, and the position of the last one; null where there is no frame. */
  readonly oldest: number | null;
  readonly last: Position | null;
  /** Those of the frames that come after the sequence that was asked for. */
  readonly after: FrameCount;
  /** The highest durable mark that the log itself tells. */
  readonly durable: number;
  /** Whether something that was never durable lies behind the last frame: the next start cuts it. */
  readonly torn: boolean;
  /** Files behind the end of the log. After damage: with frames that are not part of `frames`. */
  readonly beyond: readonly string[];
  /** JOURNAL_DAMAGED or JOURNAL_VERSION: why the next start would refuse it. */
  readonly damage: WriteBehindError | null;
  /** What is behind the damage and after the sequence that was asked for. */
  readonly behind: FramesBehind | null;
}

/** Reads the journal in a folder; null where there is none. `stored`: frames after it count as `after`. Throws DiskError. */
export async function inspectJournal(
  disk: Disk,
  folder: string,
  stored = 0,
  onSegment?: OnSegment,
): Promise<JournalReport | null> {
  const after: FrameCount = { frames: 0, bytes: 0 };
  try {
    const onFrame: OnFrame = ({ sequence, length }) => {
      if (sequence <= stored) return;
      after.frames++;
      after.bytes += length;
    };
    const walk = await walkJournal(disk, folder, onFrame, onSegment);
    return walk === null ? null : { ...reportOf(walk), after, behind: await behindDamage(disk, folder, walk, stored) };
  } catch (error) {
    if (!(error instanceof WriteBehindError)) throw error;
    const names = segmentNames(await disk.list(folder));
    return {
      ...nothing,
      after,
      beyond: namesOf(names),
      damage: error,
      behind: await behind(disk, folder, names, stored),
    };
  }
}

const nothing = { logId: null, base: null, segments: [], frames: 0, oldest: null, last: null, durable: 0, torn: false };

function reportOf(walk: Walk): Omit<JournalReport, "after" | "behind"> {
  const segments = walk.segments.map(({ path, header, frames, end }) => ({
    path,
    firstSequence: header.firstSequence,
    frames,
    bytes: end - firstFrameOffset,
    size: header.size,
  }));
  const frames = segments.reduce((sum, segment) => sum + segment.frames, 0);
  const header = walk.segments[0]?.header;
  if (header === undefined) throw new Error("a journal without a segment");
  const { sequence, tag } = walk.last;
  return {
    logId: header.logId,
    base: header.base,
    segments,
    frames,
    oldest: frames === 0 ? null : header.firstSequence,
    last: frames === 0 ? null : { logId: header.logId, sequence, tag },
    durable: walk.durable,
    torn: walk.torn,
    beyond: namesOf(walk.beyond),
    damage: walk.damage,
  };
}

function namesOf(names: readonly SegmentName[]): string[] {
  return names.map(({ name }) => name);
}

async function behindDamage(disk: Disk, folder: string, walk: Walk, stored: number): Promise<FramesBehind | null> {
  const end = walk.segments.at(-1);
  if (walk.damage?.code !== "JOURNAL_DAMAGED" || end === undefined) return null;
  return behind(disk, folder, [end.name, ...walk.beyond], Math.max(stored, walk.last.sequence), end.header.logId);
}

/** Every frame of one log after a sequence that can be found anywhere in some segments. */
async function behind(
  disk: Disk,
  folder: string,
  names: readonly SegmentName[],
  after: number,
  logId?: string,
): Promise<FramesBehind | null> {
  let [frames, bytes, first, last] = [0, 0, 0, after];
  for (const name of names) {
    const open = await openSegment(disk, folder, name, false).catch((error: unknown) => {
      if (error instanceof WriteBehindError) return null;
      throw error;
    });
    if (open === null) continue;
    try {
      const window = new Window(open.file, open.header);
      for (let at = firstFrameOffset; logId === undefined || open.header.logId === logId; frames++) {
        const found = await window.findFrame(at, last, 0);
        if (found === null) break;
        if (frames === 0) first = found.head.sequence;
        last = found.head.sequence;
        bytes += found.head.length;
        at = found.offset + found.head.length;
      }
    } finally {
      await open.file.close();
    }
  }
  return frames === 0 ? null : { frames, bytes, first, last };
}
