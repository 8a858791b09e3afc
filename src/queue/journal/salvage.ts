/**
 * What can be read of a damaged log from a database's position on, without a gap: it is still true, and `adopt` takes it
 * into the new log (promise 1). Files that were put aside count too: an adoption that was cut off is repeated. Nothing
 * is taken beyond the first gap: the database would become a mixture (promise 4).
 */
import { WriteBehindError } from "../../errors.js";
import type { Disk, Host } from "../../host/host.js";
import type { FrameBody, Position } from "../queue.js";
import { decodeBody } from "./frame.js";
import { Journal } from "./journal.js";
import { allSegmentNames, openSegment } from "./segment.js";
import type { NewLogOptions } from "./start.js";
import { firstFrameOffset, Window } from "./window.js";

/** A frame of the old log. */
interface Salvaged {
  readonly body: FrameBody;
  /** Log time. */
  readonly at: number;
  readonly bytes: number;
}

/** How long one frame may wait for the next file of the new log. */
const waitMs = 10_000;

/** How many frames can be taken over. Throws DiskError. */
export async function countSalvageable(disk: Disk, folder: string, position: Position): Promise<number> {
  let count = 0;
  for await (const _ of salvageable(disk, folder, position)) count++;
  return count;
}

/**
 * Takes over into the new log in this folder what can be read of the log that the database's position names; says how
 * many frames that were. Throws DISK_FULL, JOURNAL_FAILED, DiskError.
 */
export async function salvage(host: Host, folder: string, position: Position, options: NewLogOptions): Promise<number> {
  const most = Number.MAX_SAFE_INTEGER;
  const unlimited = { queueBytes: most, queueRecords: most, retainBytes: 0, retainMs: 0 };
  const journal = await Journal.open(host, folder, { ...options, ...unlimited });
  let count = 0;
  try {
    for await (const { body, at, bytes } of salvageable(host.disk, folder, position)) {
      while (!journal.hasRoom(bytes)) await journal.whenRoom(bytes, { waitMs });
      journal.append(body, at);
      count++;
    }
  } finally {
    await journal.close();
  }
  return count;
}

/** Frames after a position, in order, up to the first gap; none where the frame at the position is not there itself. */
async function* salvageable(disk: Disk, folder: string, position: Position): AsyncGenerator<Salvaged, void, undefined> {
  let last = position.sequence - 1;
  for (const name of allSegmentNames(await disk.list(folder))) {
    const open = await openSegment(disk, folder, name, false).catch((error: unknown) => {
      if (error instanceof WriteBehindError) return null;
      throw error;
    });
    if (open === null) continue;
    try {
      const { header } = open;
      if (header.logId !== position.logId) continue;
      // The position may be the place before a segment's first frame.
      if (header.firstSequence === position.sequence + 1 && header.tagBefore === position.tag)
        last = Math.max(last, position.sequence);
      const window = new Window(open.file, header);
      for (let at = firstFrameOffset; ;) {
        const found = await window.findFrame(at, last, 0);
        if (found === null) break;
        const { head, offset } = found;
        if (head.sequence !== last + 1) return;
        if (head.sequence === position.sequence && head.tag !== position.tag) return;
        last = head.sequence;
        at = offset + head.length;
        if (last === position.sequence) continue;
        const { buffer, start } = window.seen(offset, head);
        yield { body: decodeBody(buffer, start, head.length), at: head.at, bytes: head.length };
      }
    } finally {
      await open.file.close();
    }
  }
}
