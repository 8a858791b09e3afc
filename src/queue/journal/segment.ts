/**
 * Segments: the files that the log of frames lies in. This file says how a segment's header looks, what a segment is
 * called, and what its checksums start from. It reads and writes single headers; what lies behind them is frame.ts.
 *
 * A segment has a fixed size and was written full of zeros (or of an older segment's frames) before its first frame, so
 * that a write of frames needs no room and changes no metadata. Its header fills a block of its own, so that no torn
 * write of frames can harm it; it is on disk before the file gets a segment's name. Numbers are little-endian:
 *
 *     0    8 bytes  "WBJOURNL"
 *     8    u32      version of the segment's format: 1
 *     12   u32      length of the header: 4096
 *     16   u32      CRC-32 (zlib) of the whole header with this field zero
 *     20   u32      index: 1 for the first segment of a log, one more for each
 *     24   16 bytes log id
 *     40   f64      sequence of the first frame here
 *     48   u32      tag of the frame before it: the log is a chain
 *     56   f64      offset in the log: bytes of frames in the segments before
 *     64   f64      size of the file
 *     72   f64      durable mark when the header was written
 *     80   f64      log time of the frame before
 *     88   16 bytes log id, 104 f64 sequence, 112 u32 tag: the log's base
 *
 * What holds for every version that will ever be: magic, version, length and checksum.
 */
import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "../../host/host.js";
import type { Position } from "../queue.js";
import { damaged, unknownVersion } from "./failures.js";

/** The version of segments that this code writes, and the only one that it reads. */
export const segmentVersion = 1;
/** Bytes of a segment before its first frame. */
export const segmentHeaderBytes = 4096;

const magic = "WBJOURNL";
const checksumAt = 16;

/** What a segment's header says. */
export interface SegmentHeader {
  readonly logId: string;
  readonly index: number;
  readonly firstSequence: number;
  readonly tagBefore: number;
  readonly logOffset: number;
  readonly size: number;
  readonly durable: number;
  readonly atBefore: number;
  readonly base: Position;
}

/** The bytes of a header. */
export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  bytes.write(magic, 0, "latin1");
  bytes.writeUInt32LE(segmentVersion, 8);
  bytes.writeUInt32LE(segmentHeaderBytes, 12);
  bytes.writeUInt32LE(header.index, 20);
  bytes.write(header.logId, 24, "hex");
  bytes.writeDoubleLE(header.firstSequence, 40);
  bytes.writeUInt32LE(header.tagBefore, 48);
  bytes.writeDoubleLE(header.logOffset, 56);
  bytes.writeDoubleLE(header.size, 64);
  bytes.writeDoubleLE(header.durable, 72);
  bytes.writeDoubleLE(header.atBefore, 80);
  bytes.write(header.base.logId, 88, "hex");
  bytes.writeDoubleLE(header.base.sequence, 104);
  bytes.writeUInt32LE(header.base.tag, 112);
  bytes.writeUInt32LE(crc32(bytes), checksumAt);
  return bytes;
}

/** What is at the start of a file: a header, something that is none, or a whole header of an unknown version. */
export type LookedHeader =
  | { readonly state: "header"; readonly header: SegmentHeader }
  | { readonly state: "none" }
  | { readonly state: "version"; readonly version: number };

/** Reads a header from the first bytes of a file. */
export function lookAtHeader(bytes: Buffer): LookedHeader {
  if (bytes.length < 20 || bytes.toString("latin1", 0, magic.length) !== magic) return { state: "none" };
  const length = bytes.readUInt32LE(12);
  if (length < 20 || length > bytes.length) return { state: "none" };
  const copy = Buffer.from(bytes.subarray(0, length));
  copy.writeUInt32LE(0, checksumAt);
  if (crc32(copy) !== bytes.readUInt32LE(checksumAt)) return { state: "none" };
  const version = bytes.readUInt32LE(8);
  if (version !== segmentVersion || length !== segmentHeaderBytes) return { state: "version", version };
  const base = {
    logId: bytes.toString("hex", 88, 104),
    sequence: bytes.readDoubleLE(104),
    tag: bytes.readUInt32LE(112),
  };
  return {
    state: "header",
    header: {
      logId: bytes.toString("hex", 24, 40),
      index: bytes.readUInt32LE(20),
      firstSequence: bytes.readDoubleLE(40),
      tagBefore: bytes.readUInt32LE(48),
      logOffset: bytes.readDoubleLE(56),
      size: bytes.readDoubleLE(64),
      durable: bytes.readDoubleLE(72),
      atBefore: bytes.readDoubleLE(80),
      base,
    },
  };
}

/** What the checksums of a segment's frames start from, before the offset is mixed in. */
export function segmentSeed(header: Pick<SegmentHeader, "logId" | "index" | "firstSequence">): number {
  return crc32(`${header.logId}:${header.index}:${header.firstSequence}`);
}

/** The seed of the frame at an offset. */
export function frameSeed(seed: number, offset: number): number {
  return (seed ^ offset) >>> 0;
}

/** A segment's name. Names sort in the order of the log. */
export function segmentName(firstSequence: number, index: number): string {
  return `${String(firstSequence).padStart(16, "0")}-${String(index).padStart(10, "0")}.journal`;
}

const namePattern = /^(\d{16})-(\d{10})\.journal$/;
const givenUpPattern = /^given-up-[0-9a-f]{8}-(\d{16})-(\d{10})\.journal$/;

/** What a segment is called once its log was given up for the log `logId`. */
export function givenUpName(logId: string, name: string): string {
  return `given-up-${logId.slice(0, 8)}-${name}`;
}

/** A segment as the folder's listing shows it. */
export interface SegmentName {
  readonly name: string;
  readonly firstSequence: number;
  readonly index: number;
}

/** The segments among the names of a folder, in the order of the log. */
export function segmentNames(names: readonly string[]): SegmentName[] {
  return matching(names, [namePattern]);
}

/** The same, and those of logs that were given up. */
export function allSegmentNames(names: readonly string[]): SegmentName[] {
  return matching(names, [namePattern, givenUpPattern]);
}

function matching(names: readonly string[], patterns: readonly RegExp[]): SegmentName[] {
  const found: SegmentName[] = [];
  for (const name of names) {
    const match = patterns.map((pattern) => pattern.exec(name)).find((one) => one !== null) ?? null;
    if (match !== null) found.push({ name, firstSequence: Number(match[1]), index: Number(match[2]) });
  }
  return found.sort((a, b) => a.firstSequence - b.firstSequence || a.index - b.index);
}

/** A spare's name while it is being written, and once it is ready to become a segment. */
export function spareName(number: number, ready: boolean): string {
  return `${ready ? "spare" : "making"}-${String(number).padStart(10, "0")}`;
}

/** The number of a spare, ready or half made, from its name; null for other names. */
export function spareNumber(name: string): { readonly number: number; readonly ready: boolean } | null {
  const match = /^(spare|making)-(\d{10})$/.exec(name);
  return match === null ? null : { number: Number(match[2]), ready: match[1] === "spare" };
}

/** An open segment. */
export interface OpenSegment {
  readonly path: string;
  readonly file: DiskFile;
  readonly header: SegmentHeader;
}

/** Opens a segment and reads its header. Throws JOURNAL_DAMAGED, JOURNAL_VERSION or a DiskError. */
export async function openSegment(
  disk: Disk,
  folder: string,
  segment: SegmentName,
  write: boolean,
): Promise<OpenSegment> {
  const path = `${folder}/${segment.name}`;
  const file = await disk.open(path, { write, create: false, dsync: false });
  try {
    const bytes = Buffer.alloc(segmentHeaderBytes);
    const count = await file.read(bytes, 0, segmentHeaderBytes, 0);
    const looked = lookAtHeader(bytes.subarray(0, count));
    if (looked.state === "version") throw unknownVersion(path, 0, "segment", looked.version);
    if (looked.state === "none") throw damaged(path, 0, "the segment's header does not verify");
    const { header } = looked;
    if (header.firstSequence !== segment.firstSequence || header.index !== segment.index) {
      throw damaged(path, 0, "the segment's header is that of another segment");
    }
    return { path, file, header };
  } catch (error) {
    await file.close();
    throw error;
  }
}
