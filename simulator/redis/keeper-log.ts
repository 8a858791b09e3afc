/** Writing into a partition's log in memory, and reading it: the twin of the scripts `set`, `write` and `frames`. */
import type { Bytes } from "../../src/bytes.js";
import type { RecordChange } from "../../src/change.js";
import type { FrameOnDisk } from "../../src/queue/queue.js";
import { packFrame, packPlain } from "../../src/redis/entry.js";
import { arePlain } from "../../src/redis/keep-arguments.js";
import type { FrameToWrite, Mark, Mended, Outcome, Room } from "../../src/redis/keeper.js";
import { baseStored, oldestInBase } from "./keeper-base.js";
import { applyToRecord } from "./keeper-records.js";
import { logTimeOf } from "./keeper-look.js";
import type { LogEntry, MemoryKeeperState, PartitionData } from "./keeper-state.js";

/** Whether nothing has written a record since the partition was at this mark. */
export function isUnchanged(data: PartitionData, record: Bytes, { sequence, thrown }: Mark): boolean {
  if (thrown !== data.thrown) return false;
  return (data.pending.get(record)?.sequence ?? data.settled) <= sequence;
}

/** Writes frames in one step. */
export function writeFrames(
  state: MemoryKeeperState,
  data: PartitionData,
  frames: readonly FrameToWrite[],
  room: Room,
): Outcome[] {
  const at = Math.max(logTimeOf(data, state.now()), ...frames.map((frame) => frame.at ?? 0));
  const full = fullOf(data, room, at);
  const written = new Set<Bytes>();
  const taken: FrameToWrite[] = [];
  let pending = data.pending.size;
  const outcomes = frames.map((frame): Outcome => {
    for (const [record, mark] of frame.from) {
      if (written.has(record) || !isUnchanged(data, record, mark)) return { became: "conflict" };
    }
    if (full !== null) return { became: "full", what: full };
    const fresh = frame.changes.filter(({ record }) => !data.pending.has(record) && !written.has(record)).length;
    if (fresh > 0 && pending + fresh > room.records) return { became: "full", what: "records" };
    pending += fresh;
    for (const { record } of frame.changes) written.add(record);
    taken.push(frame);
    return { became: "kept", sequence: data.sequence + taken.length };
  });
  if (taken.length > 0) append(state, data, taken, at);
  return outcomes;
}

function fullOf(data: PartitionData, room: Room, at: number): "bytes" | "age" | null {
  if (data.bytes > 0 && data.bytes >= room.bytes) return "bytes";
  return room.ageMs > 0 && data.oldestAt !== null && at - data.oldestAt >= room.ageMs ? "age" : null;
}

function append(state: MemoryKeeperState, data: PartitionData, taken: readonly FrameToWrite[], at: number): void {
  const packed = packedSizes(state, taken);
  state.onAppend();
  const frames = taken.map(({ changes }, index): FrameOnDisk => {
    const { tag, bytes } = packed[index] as Packed;
    const position = { logId: data.logId, sequence: data.sequence + index + 1, tag };
    return { frame: { position, at, body: { kind: "changes", changes } }, bytes };
  });
  for (const { frame, bytes } of frames) {
    const { sequence, tag } = frame.position;
    data.sequence = sequence;
    data.tag = tag;
    data.bytes += bytes;
  }
  data.at = at;
  data.oldestAt ??= at;
  data.log.push({ last: data.sequence, at, frames });
  for (const { frame } of frames) {
    const changes = (frame.body as { readonly changes: readonly RecordChange[] }).changes;
    for (const { record, change } of changes) {
      applyToRecord(state, data, record, change, frame.position.sequence);
    }
  }
}

interface Packed {
  readonly tag: number;
  readonly bytes: number;
}

/** What frames would take in a Redis, so that limits are met at the same frame. */
function packedSizes(state: MemoryKeeperState, taken: readonly FrameToWrite[]): Packed[] {
  if (!arePlain(taken)) return taken.map(({ changes }) => packFrame(changes, state.nextNonce()));
  return taken.map(({ changes }) => {
    const { record, change } = changes[0] as RecordChange;
    const content = (change as { readonly content: Bytes }).content;
    const tag = packPlain([record, content], state.nextNonce()).lastTag;
    return { tag, bytes: 4 + record.length + content.length };
  });
}

/** Frames after a sequence, from whole entries: at most so many bytes, or one entry. */
export function framesAfter(data: PartitionData, after: number, bytesMax: number): FrameOnDisk[] {
  const found: FrameOnDisk[] = [];
  let total = 0;
  for (let index = firstWithFrame(data.log, after + 1); index < data.log.length; index++) {
    const { frames } = data.log[index] as LogEntry;
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
    if (total > 0 && total + bytes > bytesMax) break;
    total += bytes;
    for (const frame of frames) if (frame.frame.position.sequence > after) found.push(frame);
    if (total >= bytesMax) break;
  }
  return found;
}

/** The frame of a sequence; null where the log does not have it. */
export function frameAt(data: PartitionData, sequence: number): FrameOnDisk | null {
  const entry = data.log[firstWithFrame(data.log, sequence)];
  return entry?.frames.find(({ frame }) => frame.position.sequence === sequence) ?? null;
}

/** Trims entries whose frames are all before a sequence. */
export function trimLog(data: PartitionData, trimTo: number): void {
  data.log = data.log.slice(firstWithFrame(data.log, trimTo));
}

/** A partition goes on where a person has decided: the twin of the script `mend`. */
export function mendPartition(data: PartitionData, { position, at, generation, bytes }: Mended): void {
  const { sequence, tag } = position;
  data.stored = sequence;
  data.storedTag = tag;
  data.storedAt = at;
  data.generation = generation;
  data.aims.clear();
  baseStored(data, sequence);
  data.bytes = bytes + (data.base?.bytes ?? 0);
  data.settled = Math.max(data.settled, sequence);
  data.broken = null;
  data.thrown++;
  data.absent.clear();
  data.leases.clear();
  for (const parked of data.parkedFrames.keys()) if (parked > sequence) data.parkedFrames.delete(parked);
  data.oldestAt = oldestInBase(data, sequence) ?? framesAfter(data, sequence, 1)[0]?.frame.at ?? null;
}

/** Where the first entry is that ends at a sequence or behind it. */
function firstWithFrame(log: readonly LogEntry[], sequence: number): number {
  let [low, high] = [0, log.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((log[middle] as LogEntry).last < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
