/**
 * Walks a whole journal, from its oldest segment to where its frames end, and says what it found. Changes nothing:
 * recovery acts on it, `check --data` prints it.
 *
 * Where the frames end, three things are told apart. *Clean*: zeros behind the last frame. *Torn*: something is there
 * that no frame and no header later in the log says was ever durable: it was never answered, and may be cut. *Damaged*:
 * a later frame or header says that what should be here was durable: an answered change is lost (promise 1), and
 * cutting would hide it.
 */
import type { Disk } from "../../host/host.js";
import { WriteBehindError } from "../../errors.js";
import type { FrameHead } from "./frame.js";
import { damaged, unknownVersion } from "./failures.js";
import { openSegment, segmentNames, type OpenSegment, type SegmentName } from "./segment.js";
import { firstFrameOffset, Window } from "./window.js";

/** What was found in one segment. */
export interface WalkedSegment {
  readonly path: string;
  readonly name: SegmentName;
  readonly header: OpenSegment["header"];
  /** How many frames of the log are in it, and where they end. */
  frames: number;
  end: number;
}

/** What a walk found. */
export interface Walk {
  /** The segments that frames of the log were found in, in order; the last one is where the log goes on. */
  readonly segments: readonly WalkedSegment[];
  /** Segments behind the end of the log. They hold nothing that was ever durable, unless `damage` is set. */
  readonly beyond: readonly SegmentName[];
  /** The last frame's sequence, tag and log time; those of the base where there is none. */
  readonly last: { readonly sequence: number; readonly tag: number; readonly at: number };
  /** The highest durable mark that was seen. */
  readonly durable: number;
  /** Whether something lies behind the last frame. */
  readonly torn: boolean;
  /** What recovery must not touch: JOURNAL_DAMAGED or JOURNAL_VERSION. */
  readonly damage: WriteBehindError | null;
}

/** Called after each segment: so many are read, of so many. */
export type OnSegment = (done: number, total: number) => void;

/** Called for each frame in order. */
export type OnFrame = (head: FrameHead, segment: WalkedSegment) => void;

/** Walks the journal in a folder; null where there is none. Throws DiskError, for a header as `openSegment` does. */
export async function walkJournal(
  disk: Disk,
  folder: string,
  onFrame: OnFrame = () => {},
  onSegment: OnSegment = () => {},
): Promise<Walk | null> {
  const names = segmentNames(await disk.list(folder));
  if (names.length === 0) return null;
  const walker = new Walker(disk, folder, names, { onFrame, onSegment });
  return walker.walk();
}

/** What a walk tells on its way. */
interface Told {
  readonly onFrame: OnFrame;
  readonly onSegment: OnSegment;
}

class Walker {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #names: readonly SegmentName[];
  readonly #tell: Told;
  readonly #segments: WalkedSegment[] = [];
  #last = { sequence: 0, tag: 0, at: 0 };
  #durable = 0;

  constructor(disk: Disk, folder: string, names: readonly SegmentName[], tell: Told) {
    this.#disk = disk;
    this.#folder = folder;
    this.#names = names;
    this.#tell = tell;
  }

  async walk(): Promise<Walk> {
    let next = 0;
    let torn = false;
    let damage: WriteBehindError | null = null;
    for (; next < this.#names.length && damage === null; next++) {
      const open = await this.#open(this.#names[next] as SegmentName);
      if (open instanceof WriteBehindError) {
        damage = open;
        break;
      }
      try {
        if (!this.#follows(open)) break;
        const window = new Window(open.file, open.header);
        const segment = this.#enter(open, this.#names[next] as SegmentName);
        damage = (await this.#frames(window, segment)) ?? (await cutShort(open));
        torn = await window.isDirtyFrom(segment.end);
        this.#tell.onSegment(next + 1, this.#names.length);
      } finally {
        await open.file.close();
      }
    }
    const beyond = this.#names.slice(next);
    damage ??= await this.#judge(torn || beyond.length > 0, beyond);
    return { segments: this.#segments, beyond, last: this.#last, durable: this.#durable, torn, damage };
  }

  /** Opens a segment. Where nothing was read before it, there is nothing to tell but its error. */
  async #open(name: SegmentName): Promise<OpenSegment | WriteBehindError> {
    try {
      return await openSegment(this.#disk, this.#folder, name, false);
    } catch (error) {
      if (error instanceof WriteBehindError && this.#segments.length > 0) return error;
      throw error;
    }
  }

  /** Whether a segment goes on where the frames so far end. The first one goes on after what was trimmed. */
  #follows({ header }: OpenSegment): boolean {
    if (this.#segments.length === 0) return true;
    const first = (this.#segments[0] as WalkedSegment).header;
    const { sequence, tag } = this.#last;
    return header.logId === first.logId && header.firstSequence === sequence + 1 && header.tagBefore === tag;
  }

  #enter({ path, header }: OpenSegment, name: SegmentName): WalkedSegment {
    const segment: WalkedSegment = { path, name, header, frames: 0, end: firstFrameOffset };
    if (this.#segments.length === 0) {
      this.#last = { sequence: header.firstSequence - 1, tag: header.tagBefore, at: header.atBefore };
    }
    this.#segments.push(segment);
    this.#durable = Math.max(this.#durable, header.durable);
    return segment;
  }

  async #frames(window: Window, segment: WalkedSegment): Promise<WriteBehindError | null> {
    for (;;) {
      const looked = await window.find(segment.end);
      if (looked.state === "version") return unknownVersion(segment.path, segment.end, "frame", looked.version);
      if (looked.state === "none" || looked.head.sequence !== this.#last.sequence + 1) return null;
      const { head } = looked;
      this.#last = head;
      this.#durable = Math.max(this.#durable, head.durable);
      this.#tell.onFrame(head, segment);
      segment.frames++;
      segment.end += head.length;
    }
  }

  /** Looks behind the end of the frames for a witness that more was durable. */
  async #judge(more: boolean, beyond: readonly SegmentName[]): Promise<WriteBehindError | null> {
    const end = this.#segments.at(-1) as WalkedSegment;
    const lost = this.#last.sequence + 1;
    const tell = (witness: string): WriteBehindError =>
      damaged(end.path, end.end, `frame ${lost} does not verify, but ${witness} says that it was on disk`);
    if (this.#durable >= lost) return tell("a header");
    if (!more) return null;
    const witness = await this.#witnessIn(end.name, end.end, lost);
    if (witness instanceof WriteBehindError) return witness;
    if (witness !== null) return tell(witness);
    for (const name of beyond) {
      const found = await this.#witnessIn(name, firstFrameOffset, lost);
      if (found instanceof WriteBehindError) return found;
      if (found !== null) return tell(found);
    }
    return null;
  }

  async #witnessIn(name: SegmentName, from: number, lost: number): Promise<string | WriteBehindError | null> {
    const open = await this.#open(name);
    if (open instanceof WriteBehindError) return open;
    try {
      const { logId } = (this.#segments[0] as WalkedSegment).header;
      // It is nobody's torn write, and what recovery removes cannot be brought back.
      if (open.header.logId !== logId)
        return damaged(open.path, 0, `it is of the log ${open.header.logId}, not ${logId}`);
      if (open.header.durable >= lost) return `the header of ${name.name}`;
      const found = await new Window(open.file, open.header).findFrame(from, lost, lost);
      return found === null ? null : `the frame in ${name.name} at offset ${found.offset}`;
    } finally {
      await open.file.close();
    }
  }
}

/** A file has its full size before it becomes a segment: what is missing of it was taken away, not torn. */
async function cutShort({ path, file, header }: OpenSegment): Promise<WriteBehindError | null> {
  const size = await file.size();
  if (size >= header.size) return null;
  return damaged(path, size, `the file ends there, and its header says that it has ${header.size} bytes`);
}
