/**
 * Reads frames of a journal from its folder, with files of its own: also in another thread, while the journal is
 * appended to, rotated and trimmed. It never looks behind the mark it is given, so it never meets a half-written frame,
 * and it changes nothing. It follows the log from segment to segment by listing the folder; the chain of tags tells
 * that the next one is the right one.
 */
import { DiskError, type Disk } from "../../host/host.js";
import { samePosition, type FrameOnDisk, type Position } from "../queue.js";
import { damaged, mismatch, unknownVersion } from "./failures.js";
import { decodeBody } from "./frame.js";
import type { Post } from "./signposts.js";
import { openSegment, segmentNames, type OpenSegment, type SegmentName } from "./segment.js";
import { firstFrameOffset, Window, type Seen } from "./window.js";

/** Frames that are handed out together: so many, or so many bytes. */
const pieceFrames = 512;
const pieceBytes = 1024 * 1024;
/** Places that are remembered, so that a read that goes on where another one ended does not search for it. */
const placesMax = 1024;

/** Where a frame lies. */
interface Place {
  readonly sequence: number;
  readonly segment: SegmentName;
  readonly offset: number;
}

/** The segment that is open. */
interface ReadSegment extends OpenSegment {
  readonly name: SegmentName;
  readonly window: Window;
}

/** The reading side of a journal. */
export class JournalReader {
  /** The log that is read. */
  readonly logId: string;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #base: Position;
  #names: readonly SegmentName[] = [];
  #open: ReadSegment | null = null;
  #places: Place[] = [];
  /** One read at a time: they share the open segment. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(disk: Disk, folder: string, logId: string, base: Position) {
    this.#disk = disk;
    this.#folder = folder;
    this.logId = logId;
    this.#base = base;
  }

  /** Opens the journal in a folder. Throws QUEUE_MISMATCH where there is none, or not the log `logId`. */
  static async open(disk: Disk, folder: string, logId?: string): Promise<JournalReader> {
    for (;;) {
      const [first] = segmentNames(await disk.list(folder));
      if (first === undefined) throw mismatch(`there is no journal in ${folder}`, folder);
      const open = await openUnlessGone(disk, folder, first);
      if (open === null) continue;
      await open.file.close();
      const { header } = open;
      if (logId !== undefined && header.logId !== logId) {
        throw mismatch(`${folder} holds the log ${header.logId}, not ${logId}`, folder);
      }
      return new JournalReader(disk, folder, header.logId, header.base);
    }
  }

  /** The position before the first frame that this log ever held. */
  async base(): Promise<Position> {
    return this.#base;
  }

  /** The lowest sequence that can still be read. */
  async oldest(): Promise<number> {
    await this.#list();
    return (this.#names[0] as SegmentName).firstSequence;
  }

  /**
   * Frames after `sequence` up to and including `upTo`, in order, in pieces of some hundreds. `upTo` must not exceed
   * the durable mark. `near`: a post not behind the first of them, from which it is found sooner than from the begin of
   * its segment. Throws JOURNAL_DAMAGED, JOURNAL_VERSION, QUEUE_MISMATCH (the frames are trimmed), DiskError.
   */
  async *read(sequence: number, upTo: number, near?: Post): AsyncGenerator<readonly FrameOnDisk[], void, undefined> {
    if (near !== undefined && sequence < upTo) await this.#inTurn(() => this.#note(near));
    for (let after = sequence; after < upTo;) {
      const piece = await this.#inTurn(() => this.#piece(after, upTo));
      after += piece.length;
      yield piece;
    }
  }

  /**
   * The frame with this sequence, found from a post that is not behind it. It must have been written. Null where it is
   * trimmed; throws JOURNAL_DAMAGED, JOURNAL_VERSION, DiskError.
   */
  async frameNear(sequence: number, post: Post): Promise<FrameOnDisk | null> {
    return this.#inTurn(async () => {
      const segment = await this.#segmentOf(post.sequence);
      if (segment === undefined || !(await this.#enter(segment))) return null;
      const { header, path } = this.#open as ReadSegment;
      const at = await this.#skip(firstFrameOffset + post.offset - header.logOffset, post.sequence, sequence);
      const seen = await this.#frame(at, sequence);
      if (seen !== null) return this.#decode(seen);
      await this.#list();
      if ((this.#names[0] as SegmentName).firstSequence > sequence) return null;
      throw damaged(path, at, `frame ${sequence} does not verify, although it was written`);
    });
  }

  /** The segment that a frame is in, as far as the names that are known tell; else as the folder tells. */
  async #segmentOf(sequence: number): Promise<SegmentName | undefined> {
    const after = this.#names.findIndex(({ firstSequence }) => firstSequence > sequence);
    if (after > 0) return this.#names[after - 1];
    await this.#list();
    return this.#names.findLast(({ firstSequence }) => firstSequence <= sequence);
  }

  /** The frame with this sequence, which must not exceed the durable mark. */
  async frameAt(sequence: number): Promise<FrameOnDisk> {
    for await (const [found] of this.read(sequence - 1, sequence)) if (found !== undefined) return found;
    throw new Error(`no frame ${sequence}`);
  }

  /** Throws QUEUE_MISMATCH unless the frame at `position` is still there and the same. */
  async check(position: Position): Promise<void> {
    const { logId, sequence, tag } = position;
    // A log that began at a foreign position: an adopted database calls that place by this log's name.
    if (samePosition({ ...position, logId: logId === this.logId ? this.#base.logId : logId }, this.#base)) return;
    const [ours, theirs] = [`the journal's log ${this.logId}`, `the database is at ${sequence} of the log ${logId}`];
    if (logId !== this.logId)
      throw mismatch(
        `${theirs}, which is not ${ours}: one of them is foreign, or the folder was emptied`,
        this.#folder,
      );
    const oldest = await this.oldest();
    if (sequence < oldest) {
      const gone = oldest - sequence - 1;
      throw mismatch(
        `${theirs}; the journal begins at ${oldest}, so ${gone} frames between them are gone: the database is older`,
        this.#folder,
      );
    }
    const found = await this.#inTurn(() => this.#tagAt(sequence));
    if (found === null) {
      const last = await this.#inTurn(() => this.#lastSequence());
      throw mismatch(
        `${theirs}; the journal ends at ${last}, ${sequence - last} frames before: the folder is older`,
        this.#folder,
      );
    }
    if (found !== tag)
      throw mismatch(`${theirs}, and the journal has another frame there: they went two ways`, this.#folder);
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#closeSegment());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /** The next frames after a sequence. What is missing although it should be there is damage, or was trimmed. */
  async #piece(after: number, upTo: number): Promise<FrameOnDisk[]> {
    const piece: FrameOnDisk[] = [];
    let bytes = 0;
    let offset = await this.#seek(after + 1);
    while (piece.length < pieceFrames && bytes < pieceBytes && after + piece.length < upTo) {
      const sequence = after + piece.length + 1;
      const seen = this.#frameNow(offset, sequence) ?? (await this.#frame(offset, sequence));
      if (seen === null) {
        if (piece.length > 0) return piece;
        throw await this.#lost(after + 1, offset);
      }
      if (piece.length === 0) this.#remember(after + 1, seen.offset);
      piece.push(this.#decode(seen));
      bytes += seen.head.length;
      offset = seen.offset + seen.head.length;
    }
    this.#remember(after + piece.length + 1, offset);
    return piece;
  }

  #decode({ head, buffer, start }: Seen): FrameOnDisk {
    const { sequence, tag, at, length } = head;
    const body = decodeBody(buffer, start, length);
    return { frame: { position: { logId: this.logId, sequence, tag }, at, body }, bytes: length };
  }

  /** The frame at an offset of the open segment where it is in the window already: the usual case, without a wait. */
  #frameNow(offset: number, sequence: number): Seen | null {
    const { window } = this.#open as ReadSegment;
    const looked = window.look(offset);
    return looked.state === "frame" && looked.head.sequence === sequence ? window.seen(offset, looked.head) : null;
  }

  /** The frame at an offset of the open segment, or the first one of the next segment; null where there is none. */
  async #frame(offset: number, sequence: number): Promise<Seen | null> {
    const { window, name, path } = this.#open as ReadSegment;
    const here = await frameIn(window, path, offset, sequence);
    if (here !== null) return here;
    if (!(await this.#goOn(name, sequence))) return null;
    const next = this.#open as ReadSegment;
    return frameIn(next.window, next.path, firstFrameOffset, sequence);
  }

  /** Opens the segment behind `name` that begins with `sequence`, if there is one. */
  async #goOn(name: SegmentName, sequence: number): Promise<boolean> {
    await this.#list();
    const next = this.#names.findLast((other) => other.firstSequence === sequence && other.index > name.index);
    return next !== undefined && (await this.#enter(next));
  }

  /** Opens the segment with a sequence and returns where its frame begins, as far as it is there. */
  async #seek(sequence: number): Promise<number> {
    const place = this.#places.findLast((other) => other.sequence <= sequence);
    const known = await this.#seekFrom(place, sequence);
    if (known !== null) return known;
    await this.#list();
    const segment = this.#names.findLast((other) => other.firstSequence <= sequence);
    if (segment === undefined || !(await this.#enter(segment))) throw await this.#trimmed(sequence);
    return this.#skip(firstFrameOffset, segment.firstSequence, sequence);
  }

  async #seekFrom(place: Place | undefined, sequence: number): Promise<number | null> {
    if (place === undefined || !(await this.#enter(place.segment))) return null;
    const offset = await this.#skip(place.offset, place.sequence, sequence);
    const { window, path } = this.#open as ReadSegment;
    return (await frameIn(window, path, offset, sequence)) === null ? null : offset;
  }

  /** From the place of one frame to the place of a later one in the same segment, or as far as there are frames. */
  async #skip(offset: number, from: number, sequence: number): Promise<number> {
    let at = offset;
    const { window, path } = this.#open as ReadSegment;
    for (let next = from; next < sequence; next++) {
      const seen = await frameIn(window, path, at, next);
      if (seen === null) return at;
      at += seen.head.length;
    }
    return at;
  }

  async #tagAt(sequence: number): Promise<number | null> {
    const seen = await this.#frame(await this.#seek(sequence), sequence);
    if (seen !== null) this.#remember(sequence, seen.offset);
    return seen === null ? null : seen.head.tag;
  }

  async #lastSequence(): Promise<number> {
    await this.#list();
    const last = this.#names.at(-1) as SegmentName;
    if (!(await this.#enter(last))) return last.firstSequence - 1;
    const { window, path } = this.#open as ReadSegment;
    let next = last.firstSequence;
    for (let at = firstFrameOffset; ; next++) {
      const seen = await frameIn(window, path, at, next);
      if (seen === null) return next - 1;
      at += seen.head.length;
    }
  }

  async #note({ sequence, offset }: Post): Promise<void> {
    const segment = await this.#segmentOf(sequence);
    if (segment === undefined || !(await this.#enter(segment))) return;
    const { header } = this.#open as ReadSegment;
    this.#remember(sequence, firstFrameOffset + offset - header.logOffset);
  }

  #remember(sequence: number, offset: number): void {
    const segment = this.#open?.name;
    if (segment === undefined) return;
    this.#places = this.#places.filter((place) => place.sequence < sequence);
    this.#places.push({ sequence, segment, offset });
    if (this.#places.length > placesMax) this.#places = this.#places.slice(placesMax >> 1);
  }

  /** Opens a segment; false where it is gone. */
  async #enter(name: SegmentName): Promise<boolean> {
    if (this.#open?.name.name === name.name) return true;
    await this.#closeSegment();
    const open = await openUnlessGone(this.#disk, this.#folder, name);
    if (open === null) return false;
    this.#open = { ...open, name, window: new Window(open.file, open.header) };
    return true;
  }

  async #closeSegment(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    // It was only read.
    await open?.file.close().catch(() => {});
  }

  async #list(): Promise<void> {
    this.#names = segmentNames(await this.#disk.list(this.#folder));
    if (this.#names.length === 0) throw mismatch(`there is no journal in ${this.#folder} any more`, this.#folder);
  }

  /** Why a frame that should be there is not. */
  async #lost(sequence: number, offset: number): Promise<Error> {
    await this.#list();
    if ((this.#names[0] as SegmentName).firstSequence > sequence) return this.#trimmed(sequence);
    const path = this.#open?.path ?? this.#folder;
    return damaged(path, offset, `frame ${sequence} does not verify, although it was durable`);
  }

  async #trimmed(sequence: number): Promise<Error> {
    await this.#closeSegment();
    this.#places = [];
    return mismatch(`frame ${sequence} is asked for, and the journal begins at ${await this.oldest()}`, this.#folder);
  }
}

async function frameIn(window: Window, path: string, offset: number, sequence: number): Promise<Seen | null> {
  let looked = window.look(offset);
  if (looked.state === "short") looked = await window.find(offset);
  if (looked.state !== "frame" || looked.head.sequence !== sequence) {
    // The window may have been filled before this frame was written.
    window.forget();
    looked = await window.find(offset);
  }
  if (looked.state === "version") throw unknownVersion(path, offset, "frame", looked.version);
  return looked.state === "frame" && looked.head.sequence === sequence ? window.seen(offset, looked.head) : null;
}

/** Opens a segment; null where it was trimmed, and maybe used again, since the folder was listed. */
async function openUnlessGone(disk: Disk, folder: string, name: SegmentName): Promise<OpenSegment | null> {
  try {
    return await openSegment(disk, folder, name, false);
  } catch (error) {
    if (error instanceof DiskError && error.kind === "missing") return null;
    if (!segmentNames(await disk.list(folder)).some((other) => other.name === name.name)) return null;
    throw error;
  }
}
