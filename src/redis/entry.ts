/**
 * Frames as entries of a stream: the format of a partition's log in Redis, version 1. Pure. An entry holds the frames
 * of one call, in order; its id is `epoch-sequence` of its last frame. Its fields, in pairs of name and value:
 *
 *     "1"  log time        the format's version, and milliseconds since 1970 as decimal digits
 *     then for each frame its head, and what it changes:
 *     "#"  head            16 bytes of nonce, u32 tag, then one byte for each change: 0 replace by a string, without an
 *                          expiry; 1 the same after a remove; 2 any change
 *       record  payload    once for each change: the string, or (2) the change with an empty record (change-code.ts)
 *     "*"  head, body      a frame of many changes: nonce and tag, a count, and the changes with their records
 *     "@"  heads           frames that each replace one record by a string: nonce, then the tag of each
 *       record  string     once for each frame
 *
 * A tag is the CRC-32 (zlib) of the records and payloads of its frame, read as text of one byte a character, started
 * from that of the nonce and what the head says behind it ("#": a byte for each change; "@": the frame's place among
 * them, in digits). No nonce is ever used twice: so a frame that took the place of another one in a Redis that had lost
 * some is told from it, whatever it holds.
 */
import { bufferOfBytes, bytesOfBuffer, type Bytes } from "../bytes.js";
import type { Change, RecordChange } from "../change.js";
import { ChangeCursor, countBytes, putChange, putCount, recordChangeBytes } from "../queue/change-code.js";
import type { FrameOnDisk } from "../queue/queue.js";
import { crcOfText } from "./crc.js";

/** The version of entries that this code writes, and the only one that it reads. */
export const entryVersion = "1";

const nonceBytes = 16;
const tagBytes = 4;
/** A frame of more changes travels as one body: an entry of very many fields is slow in Redis. */
const pairsMax = 1000;

const what = { string: 0, stringAfterRemove: 1, any: 2 } as const;

/** A frame, ready to be put into an entry. */
export interface PackedFrame {
  /** "#" or "*". */
  readonly name: string;
  readonly head: Bytes;
  /** Record and payload of each change, one after the other; empty where the body has them. */
  readonly pairs: readonly Bytes[];
  readonly tag: number;
  readonly bytes: number;
}

/** Whether a change is one that an entry holds as it is: a record's new string. */
export function isPlain(change: Change): change is Change & { readonly content: Bytes } {
  return change.kind === "replace" && typeof change.content === "string" && change.expiresAt === null;
}

/** The tag of a frame. `begin`: its nonce, and what the head says behind it. */
function tagOf(begin: string, texts: readonly Bytes[]): number {
  let tag = crcOfText(begin);
  for (const text of texts) tag = crcOfText(text, tag);
  return tag;
}

/** A frame as an entry holds it. `nonce`: 16 bytes, another one for each frame. */
export function packFrame(changes: readonly RecordChange[], nonce: Bytes): PackedFrame {
  if (changes.length > pairsMax) return packBody(changes, nonce);
  const pairs: Bytes[] = [];
  let kinds = "";
  for (const { record, change } of changes) {
    const plain = isPlain(change);
    kinds += String.fromCharCode(plain ? plainKind(change) : what.any);
    pairs.push(record, plain ? change.content : payloadOf(change));
  }
  const tag = tagOf(nonce + kinds, pairs);
  const head = (nonce + u32(tag) + kinds) as Bytes;
  return { name: "#", head, pairs, tag, bytes: sizeOf(head, pairs) };
}

function packBody(changes: readonly RecordChange[], nonce: Bytes): PackedFrame {
  const bytes = changes.reduce((sum, change) => sum + recordChangeBytes(change), countBytes(changes.length));
  const buffer = Buffer.allocUnsafe(bytes);
  let end = putCount(buffer, 0, changes.length);
  for (const change of changes) end = putChange(buffer, end, change);
  const body = bytesOfBuffer(buffer);
  const tag = tagOf(nonce, [body]);
  const head = (nonce + u32(tag) + body) as Bytes;
  return { name: "*", head, pairs: [], tag, bytes: head.length };
}

/** The payload of a change that is not plain. */
export function payloadOf(change: Change): Bytes {
  const bare: RecordChange = { record: "" as Bytes, change };
  const buffer = Buffer.allocUnsafe(recordChangeBytes(bare));
  putChange(buffer, 0, bare);
  return bytesOfBuffer(buffer);
}

/** The heads of frames that each replace one record by a string. `pairs`: record and string of each; `nonce`: theirs. */
export function packPlain(pairs: readonly Bytes[], nonce: Bytes): { readonly head: Bytes; readonly lastTag: number } {
  const begin = crcOfText(nonce);
  let head: string = nonce;
  let tag = 0;
  for (let at = 0; at < pairs.length; at += 2) {
    tag = plainTag(begin, at / 2, pairs[at] as Bytes, pairs[at + 1] as Bytes);
    head += u32(tag);
  }
  return { head: head as Bytes, lastTag: tag };
}

/** `begin`: that of the nonce. */
function plainTag(begin: number, place: number, record: Bytes, content: Bytes): number {
  return crcOfText(content, crcOfText(record, crcOfText(String(place), begin)));
}

/** An entry of a stream, as Redis gives it. */
export interface RawEntry {
  /** Sequence of its last frame. */
  readonly last: number;
  readonly fields: readonly Bytes[];
}

/** An entry of a version that this code does not know: written by a newer one. */
export class UnknownEntry extends Error {
  override readonly name = "UnknownEntry";
}

/** The frames of an entry. Throws UnknownEntry, and an Error where the bytes are not those of their tags. */
export function framesOf({ last, fields }: RawEntry, logId: string): FrameOnDisk[] {
  const [version, time] = fields;
  if (version !== entryVersion) throw new UnknownEntry(`an entry of the log ${logId} has version ${version}`);
  const found: { tag: number; changes: RecordChange[]; bytes: number }[] = [];
  const cursor: Cursor = { fields, at: 2, logId };
  while (cursor.at < fields.length) found.push(...nextFrames(cursor));
  const first = last - found.length + 1;
  return found.map(({ tag, changes, bytes }, index) => ({
    frame: { position: { logId, sequence: first + index, tag }, at: Number(time), body: { kind: "changes", changes } },
    bytes,
  }));
}

interface Cursor {
  readonly fields: readonly Bytes[];
  readonly logId: string;
  at: number;
}

type Found = { tag: number; changes: RecordChange[]; bytes: number };

function nextFrames(cursor: Cursor): Found[] {
  const { fields } = cursor;
  const [name, head] = [fields[cursor.at], fields[cursor.at + 1]];
  if (head === undefined || head.length < nonceBytes) throw damaged(cursor.logId);
  cursor.at += 2;
  const nonce = head.slice(0, nonceBytes) as Bytes;
  if (name === "@") return plainFrames(cursor, nonce, head);
  const tag = readU32(head, nonceBytes);
  const rest = head.slice(nonceBytes + tagBytes) as Bytes;
  if (name === "*") {
    if (tagOf(nonce, [rest]) !== tag) throw damaged(cursor.logId);
    return [{ tag, changes: changesOfBody(rest), bytes: head.length }];
  }
  if (name !== "#") throw damaged(cursor.logId);
  const pairs = takeTexts(cursor, 2 * rest.length);
  if (tagOf(nonce + rest, pairs) !== tag) throw damaged(cursor.logId);
  const changes: RecordChange[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    changes.push({ record: pairs[at] as Bytes, change: changeOf(rest.charCodeAt(at / 2), pairs[at + 1] as Bytes) });
  }
  return [{ tag, changes, bytes: sizeOf(head, pairs) }];
}

function plainFrames(cursor: Cursor, nonce: Bytes, head: Bytes): Found[] {
  const count = (head.length - nonceBytes) / tagBytes;
  const pairs = takeTexts(cursor, 2 * count);
  const begin = crcOfText(nonce);
  const frames: Found[] = [];
  for (let place = 0; place < count; place++) {
    const [record, content] = [pairs[2 * place] as Bytes, pairs[2 * place + 1] as Bytes];
    const tag = readU32(head, nonceBytes + place * tagBytes);
    if (plainTag(begin, place, record, content) !== tag) throw damaged(cursor.logId);
    const change: Change = { kind: "replace", content, expiresAt: null, afterRemove: false };
    frames.push({ tag, changes: [{ record, change }], bytes: tagBytes + record.length + content.length });
  }
  return frames;
}

function takeTexts(cursor: Cursor, count: number): readonly Bytes[] {
  const texts = cursor.fields.slice(cursor.at, cursor.at + count);
  if (!Number.isInteger(count) || texts.length < count) throw damaged(cursor.logId);
  cursor.at += count;
  return texts;
}

function changeOf(kind: number, payload: Bytes): Change {
  if (kind === what.any) {
    const buffer = bufferOfBytes(payload);
    return new ChangeCursor(buffer, 0, buffer.length).recordChange().change;
  }
  return { kind: "replace", content: payload, expiresAt: null, afterRemove: kind === what.stringAfterRemove };
}

function changesOfBody(body: Bytes): RecordChange[] {
  const buffer = bufferOfBytes(body);
  const cursor = new ChangeCursor(buffer, 0, buffer.length);
  const changes: RecordChange[] = [];
  for (let left = cursor.count(); left > 0; left--) changes.push(cursor.recordChange());
  return changes;
}

function plainKind(change: Change): number {
  return change.kind === "replace" && change.afterRemove ? what.stringAfterRemove : what.string;
}

function sizeOf(head: Bytes, pairs: readonly Bytes[]): number {
  let bytes = head.length;
  for (const text of pairs) bytes += text.length;
  return bytes;
}

function u32(value: number): string {
  return String.fromCharCode(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
}

function readU32(bytes: Bytes, at: number): number {
  const low = bytes.charCodeAt(at) | (bytes.charCodeAt(at + 1) << 8) | (bytes.charCodeAt(at + 2) << 16);
  return low + bytes.charCodeAt(at + 3) * 0x100_0000;
}

function damaged(logId: string): Error {
  return new Error(`an entry of the log ${logId} is not whole`);
}
