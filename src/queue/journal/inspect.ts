/** Looks at a whole journal and says what is in it, for `check --data`. Reads only: it changes nothing. */
import { WriteBehindError } from "../../errors.js";
import type { Disk } from "../../host/host.js";
import type { Position } from "../queue.js";
import { segmentNames } from "./segment.js";
import { walkJournal } from "./walk.js";
import { firstFrameOffset } from "./window.js";

/** One segment of a report. */
export interface SegmentReport {
  readonly path: string;
  readonly firstSequence: number;
  readonly frames: number;
  /** Bytes of frames, and of the whole file. */
  readonly bytes: number;
  readonly size: number;
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
  /** The highest durable mark that the log itself tells. */
  readonly durable: number;
  /** Whether something that was never durable lies behind the last frame: the next start cuts it. */
  readonly torn: boolean;
  /** Files behind the end of the log. After damage: with frames that were not looked at. */
  readonly beyond: readonly string[];
  /** JOURNAL_DAMAGED or JOURNAL_VERSION: why the next start would refuse it. */
  readonly damage: WriteBehindError | null;
}

/** Reads the journal in a folder; null where there is none. Throws DiskError. */
export async function inspectJournal(disk: Disk, folder: string): Promise<JournalReport | null> {
  try {
    const walk = await walkJournal(disk, folder);
    if (walk === null) return null;
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
      beyond: walk.beyond.map(({ name }) => name),
      damage: walk.damage,
    };
  } catch (error) {
    if (!(error instanceof WriteBehindError)) throw error;
    const beyond = segmentNames(await disk.list(folder)).map(({ name }) => name);
    const nothing = {
      logId: null,
      base: null,
      segments: [],
      frames: 0,
      oldest: null,
      last: null,
      durable: 0,
      torn: false,
    };
    return { ...nothing, beyond, damage: error };
  }
}
