/**
 * While nothing can be committed, the head of a partition's log is composed into the partition's base, chunk by
 * chunk: so what is pending costs memory by record and not by change (promise 8). It never touches a frame that the
 * database may have reached, and nothing while the writer reads or drains (base-guard.ts).
 */
import type { Bytes } from "../../bytes.js";
import { compose, type Change } from "../../change.js";
import type { Clock, Timer } from "../../host/host.js";
import type { FrameOnDisk, Position } from "../../queue/queue.js";
import { Coalesced } from "../../writer/run.js";
import { baseOfBytes, bytesOfBase } from "../base-entry.js";
import type { BaseSeen, Claim, Keeper, PartitionState } from "../keeper.js";
import type { BaseGuard } from "./base-guard.js";
import { stateOf } from "./log-reads.js";

/** Between two looks at whether there is something to do, in milliseconds. */
const lookEveryMs = 200;

/** Log that is composed at once. */
const chunkBytesMax = 1024 * 1024;

/** Of less log it is not worth it. */
const worthBytes = 64 * 1024;

/** What the base has of a chunk's records, at the most; where it has more, the chunk is made smaller. */
const valueBytesMax = 4 * 1024 * 1024;

/** What it is made with. */
export interface CompactionParts {
  readonly keeper: Pick<Keeper, "states" | "frames" | "baseOf" | "compact">;
  readonly claim: Claim;
  readonly clock: Clock;
  readonly guard: BaseGuard;
  /** Whether the store takes nothing, so that frames wait. */
  readonly wanted: () => boolean;
  /** These frames are in the log no more. */
  readonly composed: () => void;
}

/** How much log is worth a compaction of a base of so many bytes: putting a large record again costs its size. */
export function enoughLog(baseBytes: number): number {
  return Math.max(worthBytes, baseBytes / 2);
}

/**
 * The compaction of one partition. It works until it is closed.
 *
 * A base begins behind what the database may have reached, so that nothing is stored twice. Only where that is much log
 * (the run of a commit that was not answered may be a whole `batchBytes`) it begins at what is known to be stored: then
 * the database may turn out to be inside, at an aim, and gets some records again with the values that they have.
 */
export class Compaction {
  readonly #parts: CompactionParts;
  #timer: Timer | null = null;
  #closed = false;
  #chunkBytes = chunkBytesMax;
  /** Bytes of log that cannot be composed, and of which place that is known. */
  #held = { place: "", bytes: 0 };

  constructor(parts: CompactionParts) {
    this.#parts = parts;
    this.#rest();
  }

  /** It does nothing more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #rest(): void {
    if (!this.#closed) this.#timer = this.#parts.clock.after(lookEveryMs, () => void this.#work());
  }

  async #work(): Promise<void> {
    const { guard, wanted } = this.#parts;
    try {
      while (!this.#closed && wanted() && (await guard.compact(() => this.#step())));
    } catch {
      // The keeper cannot be reached, or the partition is another worker's: others find out, and say so.
    }
    this.#rest();
  }

  /** Composes one chunk. False where there is nothing to compose. */
  async #step(): Promise<boolean> {
    const { keeper, claim } = this.#parts;
    const state = await stateOf(keeper, claim.partition);
    const after = state.base?.to ?? (await this.#begin(state));
    const chunk = await this.#chunk(state, after);
    if (chunk === null) return false;
    const changes = await this.#composed(chunk, state.base);
    if (changes === null) return true;
    const [first, last] = [chunk[0] as FrameOnDisk, chunk.at(-1) as FrameOnDisk];
    const bytes = bytesOf(chunk);
    const { position: to, at } = last.frame;
    this.#chunkBytes = Math.min(chunkBytesMax, 2 * this.#chunkBytes);
    const isDone = await keeper.compact(claim, { after, to, oldestAt: first.frame.at, at, changes, bytes });
    if (isDone) this.#parts.composed();
    return isDone;
  }

  /** Where a base is to begin. */
  async #begin({ stored, aimed }: PartitionState): Promise<Position> {
    const { keeper, claim } = this.#parts;
    if (stored.sequence === aimed.sequence) return stored;
    const frames = await keeper.frames(claim.partition, stored.sequence, worthBytes);
    const last = frames.at(-1)?.frame.position.sequence ?? stored.sequence;
    return last < aimed.sequence || bytesOf(frames) >= worthBytes ? stored : aimed;
  }

  /** Frames after a position that are worth composing; null where there are none. */
  async #chunk(state: PartitionState, { sequence }: Position): Promise<readonly FrameOnDisk[] | null> {
    const { keeper, claim } = this.#parts;
    const { base, aimed, stored, head, pendingBytes } = state;
    const place = `${stored.sequence} ${aimed.sequence}`;
    if (this.#held.place !== place) this.#held = { place, bytes: 0 };
    const logBytes = pendingBytes - (base?.bytes ?? 0);
    const enough = enoughLog(base?.bytes ?? 0);
    if (logBytes - this.#held.bytes < enough) return null;
    const frames = await keeper.frames(claim.partition, sequence, this.#chunkBytes);
    const last = frames.at(-1)?.frame.position.sequence ?? head.sequence;
    if (last >= head.sequence && bytesOf(frames) < enough) {
      this.#held = { place, bytes: logBytes - bytesOf(frames) };
      return null;
    }
    const follows = frames[0]?.frame.position.sequence === sequence + 1;
    return follows && frames.every(({ frame }) => frame.body.kind === "changes") ? frames : null;
  }

  /** What the base is to have of the records of these frames. Null: of fewer, another time. */
  async #composed(frames: readonly FrameOnDisk[], base: BaseSeen | null): Promise<Map<Bytes, Bytes> | null> {
    const coalesced = new Coalesced();
    const sequences = new Map<Bytes, number>();
    for (const { frame } of frames) {
      if (frame.body.kind === "clear") continue;
      for (const { record, change } of frame.body.changes) {
        coalesced.add(record, change);
        sequences.set(record, frame.position.sequence);
      }
    }
    const older = base === null ? new Map<Bytes, Change>() : await this.#older(coalesced.rows, base.to);
    if (older === null) {
      this.#chunkBytes = Math.max(1, Math.floor(Math.min(this.#chunkBytes, bytesOf(frames)) / 2));
      return null;
    }
    const composed = new Map<Bytes, Bytes>();
    for (const [record, newer] of coalesced.rows) {
      const before = older.get(record);
      const change = before === undefined ? newer : compose(before, newer);
      composed.set(record, bytesOfBase({ change, sequence: sequences.get(record) as number }));
    }
    return composed;
  }

  /**
   * What the base has of these records, as far as that matters. Null where that is much, and a smaller chunk is
   * possible.
   */
  async #older(rows: ReadonlyMap<Bytes, Change>, end: Position): Promise<Map<Bytes, Change> | null> {
    const { keeper, claim } = this.#parts;
    const found = new Map<Bytes, Change>();
    const records = [...rows].filter(([, change]) => needsOlder(change)).map(([record]) => record);
    for (let at = 0; at < records.length;) {
      if (at > 0 && this.#chunkBytes > 1) return null;
      const { base, changes } = await keeper.baseOf(claim.partition, records.slice(at), valueBytesMax);
      if (base?.to.sequence !== end.sequence) throw new Error("broken invariant: two compact one partition");
      for (const [index, entry] of changes.entries()) {
        if (entry !== null) found.set(records[at + index] as Bytes, baseOfBytes(entry).change);
      }
      at += changes.length;
    }
    return found;
  }
}

/** Whether a change composed with an older one may be another than by itself. */
function needsOlder(change: Change): boolean {
  return change.kind === "merge" || (change.kind === "replace" && !change.afterRemove);
}

function bytesOf(frames: readonly FrameOnDisk[]): number {
  return frames.reduce((sum, { bytes }) => sum + bytes, 0);
}
