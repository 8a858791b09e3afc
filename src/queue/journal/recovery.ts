/**
 * Opens a journal as it was left: takes what is whole, cuts a torn tail, and refuses damage (walk.ts tells the two
 * apart). When it is done, everything that is left is durable, whatever the crash was and whatever the level is.
 */
import type { Disk } from "../../host/host.js";
import type { Position } from "../queue.js";
import { Milestones } from "./milestones.js";
import { openSegment, segmentName, encodeHeader, type SegmentHeader } from "./segment.js";
import { Signposts } from "./signposts.js";
import { walkJournal, type OnFrame, type OnSegment, type Walk, type WalkedSegment } from "./walk.js";
import { firstFrameOffset, Window } from "./window.js";

/** A journal that is whole again. */
export interface Recovered {
  readonly logId: string;
  readonly base: Position;
  readonly segments: readonly WalkedSegment[];
  /** The last frame, or what was before the first one. */
  readonly last: Walk["last"];
  /** Bytes of frames that the log ever had. */
  readonly logOffset: number;
  readonly milestones: Milestones;
  readonly signposts: Signposts;
}

const pieceBytes = 1024 * 1024;

/** Recovers the journal in a folder; null where there is none. Throws JOURNAL_DAMAGED, JOURNAL_VERSION, DiskError. */
export async function recoverJournal(
  disk: Disk,
  folder: string,
  signposts = new Signposts(0),
  onSegment?: OnSegment,
): Promise<Recovered | null> {
  const milestones = new Milestones();
  const onFrame: OnFrame = (head, segment) => {
    const offset = segment.header.logOffset + segment.end - firstFrameOffset;
    milestones.note(head.sequence, offset, head.at);
    signposts.note(head.sequence, offset, segment.frames === 0);
  };
  const walk = await walkJournal(disk, folder, onFrame, onSegment);
  if (walk === null) return null;
  if (walk.damage !== null) throw walk.damage;
  // The last one first: a crash in here leaves a log that ends earlier, never one with a hole.
  for (const { name } of [...walk.beyond].reverse()) {
    await disk.remove(`${folder}/${name}`);
    await disk.syncFolder(folder);
  }
  for (const segment of walk.segments) await settle(disk, folder, segment, walk);
  // A newcomer's rename may have been seen here before it was on disk.
  await disk.syncFolder(folder);
  const end = walk.segments.at(-1) as WalkedSegment;
  return {
    logId: end.header.logId,
    base: end.header.base,
    segments: walk.segments,
    last: walk.last,
    logOffset: end.header.logOffset + end.end - firstFrameOffset,
    milestones,
    signposts,
  };
}

/**
 * Makes what was read of a segment durable, and zeros what lies behind. Frames that nothing says were durable are
 * written again: after a failed sync the system holds them to be clean and would never write them, although they can be
 * read (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
 */
async function settle(disk: Disk, folder: string, segment: WalkedSegment, walk: Walk): Promise<void> {
  const isLast = segment === walk.segments.at(-1);
  const unsure = segment.header.firstSequence + segment.frames - 1 > walk.durable;
  if (!unsure && !(isLast && walk.torn)) return;
  const { file, header } = await openSegment(disk, folder, segment.name, true);
  try {
    const window = new Window(file, header);
    if (unsure) await rewrite(await offsetAfter(window, walk.durable), segment.end, file);
    if (isLast && walk.torn) await zero(segment.end, header.size, file);
    await file.sync();
  } finally {
    await file.close();
  }
}

type Target = Awaited<ReturnType<typeof openSegment>>["file"];

/** Where the first frame after a sequence begins. */
async function offsetAfter(window: Window, sequence: number): Promise<number> {
  for (let at = firstFrameOffset; ;) {
    const looked = await window.find(at);
    if (looked.state !== "frame" || looked.head.sequence > sequence) return at;
    at += looked.head.length;
  }
}

async function rewrite(from: number, to: number, file: Target): Promise<void> {
  const piece = Buffer.allocUnsafe(Math.min(pieceBytes, to - from));
  for (let at = from; at < to; at += piece.length) {
    const length = await file.read(piece, 0, Math.min(piece.length, to - at), at);
    await file.write(piece, 0, length, at);
  }
}

async function zero(from: number, to: number, file: Target): Promise<void> {
  const zeros = Buffer.alloc(Math.min(pieceBytes, to - from));
  for (let at = from; at < to; at += zeros.length) await file.write(zeros, 0, Math.min(zeros.length, to - at), at);
}

/** Where a file lies and what it is called before and after it becomes a segment. */
export interface Begin {
  readonly folder: string;
  readonly path: string;
  readonly dsync: boolean;
  readonly file: Target;
}

/**
 * Turns a spare into a segment: its header, then its name, each on disk before the next step. So a file with a
 * segment's name always has its header, whatever the level of durability. Returns the new path.
 */
export async function beginSegment(disk: Disk, spare: Begin, header: SegmentHeader): Promise<string> {
  const bytes = encodeHeader(header);
  await spare.file.write(bytes, 0, bytes.length, 0);
  if (!spare.dsync) await spare.file.sync();
  const path = `${spare.folder}/${segmentName(header.firstSequence, header.index)}`;
  await disk.rename(spare.path, path);
  await disk.syncFolder(spare.folder);
  return path;
}
