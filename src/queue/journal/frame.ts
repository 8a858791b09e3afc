/**
 * Frames as bytes: the journal's format, version 1. Pure: no file, no clock. docs/internals/journal-format.md draws it.
 *
 * All numbers are little-endian and unsigned. A frame is a head of 28 bytes and a body:
 *
 *     0   u32  checksum, see below: the tag of the frame's position
 *     4   u32  length of the whole frame in bytes, head included
 *     8   u8   version of the frame's format: 1
 *     9   u8   kind: 1 changes, 2 clear
 *     10  u16  log time, high part     12  u32  log time, low part      milliseconds since 1970 as a 48-bit number
 *     16  u32  sequence, low part      20  u16  sequence, high part
 *     22  u16  zero
 *     24  u32  how far the durable mark was behind the sequence when the frame was written (at most 2^32 - 1)
 *     28       body
 *
 * The body of `clear` is empty. That of `changes` is a count and then the changes, as change-code.ts writes them.
 *
 * The checksum is CRC-32 (zlib) of everything behind it, started from the segment's seed (segment.ts) XOR the frame's
 * offset in the segment. So bytes that belong to another log, another segment or another place never verify, and an old
 * frame behind a new one in a recycled file is not mistaken for its successor.
 *
 * What holds for every version that will ever be: checksum, length and version are where they are, and the checksum
 * covers everything behind it. So a frame of an unknown version is told from a torn one: it verifies.
 */
import type { RecordChange } from "../../change.js";
import { ChangeCursor, countBytes, putChange, putCount, recordChangeBytes } from "../change-code.js";
import type { FrameBody } from "../queue.js";
import { checksum } from "./checksum.js";

/** The version of frames that this code writes, and the only one that it reads. */
export const frameVersion = 1;
/** Bytes of a frame's head. */
export const frameHeadBytes = 28;
/** The largest frame there may be, head included. */
export const frameBytesMax = 128 * 1024 * 1024;

const kindChanges = 1;
const kindClear = 2;
const high = 0x1_0000_0000;

/** The exact size of the frame that a body makes, in bytes. */
export function frameBytes(body: FrameBody): number {
  if (body.kind === "clear") return frameHeadBytes;
  let bytes = frameHeadBytes + countBytes(body.changes.length);
  for (const change of body.changes) bytes += recordChangeBytes(change);
  return bytes;
}

/** What a frame's head says, apart from kind and length. */
export interface FrameStamp {
  readonly sequence: number;
  /** Log time in milliseconds since 1970. */
  readonly at: number;
  /** Everything up to this sequence was durable when the frame was written. */
  readonly durable: number;
}

/**
 * Writes a frame of `length` bytes (from `frameBytes`) at `start`, all but durable mark and checksum: `sealFrame` sets
 * them. `at` is log time.
 */
export function encodeFrame(
  target: Buffer,
  start: number,
  length: number,
  body: FrameBody,
  sequence: number,
  at: number,
): void {
  putU32(target, start + 4, length);
  target[start + 8] = frameVersion;
  target[start + 9] = body.kind === "clear" ? kindClear : kindChanges;
  putU16(target, start + 10, Math.floor(at / high));
  putU32(target, start + 12, at);
  putU32(target, start + 16, sequence);
  putU16(target, start + 20, Math.floor(sequence / high));
  putU16(target, start + 22, 0);
  if (body.kind === "clear") return;
  let end = putCount(target, start + frameHeadBytes, body.changes.length);
  for (const change of body.changes) end = putChange(target, end, change);
  // Promise 1: a frame whose size was computed wrongly would overlap its neighbour.
  if (end !== start + length) throw new Error(`a frame of ${length} bytes took ${end - start}`);
}

/** Stamps the durable mark and the checksum on an encoded frame; returns the checksum. May be done again. */
export function sealFrame(target: Buffer, start: number, length: number, behindDurable: number, seed: number): number {
  putU32(target, start + 24, Math.min(behindDurable, high - 1));
  const tag = checksum(target, start + 4, start + length, seed);
  putU32(target, start, tag);
  return tag;
}

function putU32(target: Buffer, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

function putU16(target: Buffer, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
}

/** A frame's head, read and verified. */
export interface FrameHead extends FrameStamp {
  readonly tag: number;
  readonly length: number;
}

/**
 * What is at a place where a frame may be. `short`: so many bytes of it are needed to say. `none`: no frame of ours, be
 * it zeros, a torn frame or an old one. `version`: a whole frame of a version that this code does not know.
 */
export type Looked =
  | { readonly state: "frame"; readonly head: FrameHead }
  | { readonly state: "short"; readonly bytes: number }
  | { readonly state: "none" }
  | { readonly state: "version"; readonly version: number };

const none: Looked = { state: "none" };
const headNeeded: Looked = { state: "short", bytes: frameHeadBytes };

/**
 * Looks for a frame at `start` of a buffer that holds `end - start` bytes from there; `room` bytes are left in the
 * segment from `start`, `seed` is the segment's seed XOR the frame's offset.
 */
export function lookAtFrame(source: Buffer, start: number, end: number, room: number, seed: number): Looked {
  if (room < frameHeadBytes) return none;
  if (end - start < frameHeadBytes) return headNeeded;
  const length = source.readUInt32LE(start + 4);
  if (length < frameHeadBytes || length > room || length > frameBytesMax) return none;
  if (end - start < length) return { state: "short", bytes: length };
  const tag = source.readUInt32LE(start);
  if (checksum(source, start + 4, start + length, seed) !== tag) return none;
  const version = source[start + 8] as number;
  const kind = source[start + 9] as number;
  if (version !== frameVersion || kind < kindChanges || kind > kindClear) return { state: "version", version };
  const sequence = source.readUInt16LE(start + 20) * high + source.readUInt32LE(start + 16);
  const at = source.readUInt16LE(start + 10) * high + source.readUInt32LE(start + 12);
  return { state: "frame", head: { tag, length, sequence, at, durable: sequence - source.readUInt32LE(start + 24) } };
}

/**
 * Whether the bytes could be the head of a frame after `sequence` that says that all up to `durable` was durable: a cheap
 * look before the checksum, which whatever clients have written would else make long. Needs `frameHeadBytes` there.
 */
export function mayBeFrame(source: Buffer, start: number, sequence: number, durable: number): boolean {
  const kind = source[start + 9];
  if (source[start + 8] !== frameVersion || (kind !== kindChanges && kind !== kindClear)) return false;
  if (source.readUInt16LE(start + 22) !== 0) return false;
  const found = source.readUInt16LE(start + 20) * high + source.readUInt32LE(start + 16);
  return found > sequence && found - source.readUInt32LE(start + 24) >= durable;
}

/** The body of a verified frame. Throws where the bytes mean nothing: then whoever wrote them was wrong. */
export function decodeBody(source: Buffer, start: number, length: number): FrameBody {
  if (source[start + 9] === kindClear) return { kind: "clear" };
  const cursor = new ChangeCursor(source, start + frameHeadBytes, start + length);
  const changes: RecordChange[] = [];
  for (let left = cursor.count(); left > 0; left--) changes.push(cursor.recordChange());
  if (!cursor.atEnd) throw new Error("bytes are left behind the last change of a frame");
  return { kind: "changes", changes };
}
