/**
 * Brings the groups of the tail to disk: one write in flight, in order, so the marks never have holes. It knows what
 * was written and what is durable; what is accepted, how much there may be, and what goes, is the journal's.
 *
 * A write or sync that failed is never tried again: the system may hold its pages to be clean and lose them later. The
 * journal has failed then, for good.
 */
import { WriteBehindError } from "../../errors.js";
import type { Clock, Disk } from "../../host/host.js";
import type { Position } from "../queue.js";
import { beginSegment } from "./recovery.js";
import type { HeldSegment } from "./retention.js";
import type { Group, Tail, TailSegment } from "./tail.js";

/** What a flusher is made of. */
export interface FlusherParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly folder: string;
  readonly tail: Tail;
  /** Whether a write returns when its data is on disk (level disk), so that no sync is needed. */
  readonly dsync: boolean;
  readonly logId: string;
  readonly base: Position;
  /** The last frame on disk. */
  readonly last: { readonly sequence: number; readonly tag: number };
}

/** So many bytes are worth a write of their own while more are coming. */
const enoughBytes = 64 * 1024;

interface WrittenWait {
  readonly sequence: number;
  readonly settle: (error: WriteBehindError | null) => void;
}

/** The writing of one journal. */
export class Flusher {
  /** Everything up to here has been handed to the system; up to `durable` it is safe against power loss. */
  written: number;
  durable: number;
  groups = 0;
  bytes = 0;
  failure: WriteBehindError | null = null;
  /** Called after each write and each sync that moved a mark. */
  onMoved: () => void = () => {};
  /** Called after each write that was a sync, too, and each sync, with how long it took. */
  onSynced: (ms: number) => void = () => {};
  /** Called when a segment has got its name. */
  onBegun: (segment: HeldSegment) => void = () => {};
  /** Called once. */
  onFailed: (error: WriteBehindError) => void = () => {};
  readonly #parts: FlusherParts;
  /** Segments with writes that no sync has followed, and the one that is being filled. */
  readonly #open = new Set<TailSegment>();
  readonly #waits = new Set<WrittenWait>();
  #lastTag: number;
  #state: "idle" | "gathering" | "writing" = "idle";
  #turn = 0;
  #inFlight: Promise<void> = Promise.resolve();
  #syncing: Promise<void> | null = null;

  constructor(parts: FlusherParts) {
    this.#parts = parts;
    this.written = this.durable = parts.last.sequence;
    this.#lastTag = parts.last.tag;
    this.#open.add(parts.tail.segment);
  }

  /**
   * There are frames to write. From rest the write starts when this turn of the event loop is over, so that all that
   * arrives in one turn travels together; or in this very call, once there is enough for a write to be worth its trip:
   * then the disk works while the rest of the turn goes on.
   */
  schedule(): void {
    if (this.#state === "writing" || this.failure !== null) return;
    if (this.#parts.tail.waitingBytes >= enoughBytes) this.#next();
    else if (this.#state === "idle") this.#gather();
  }

  /** Resolves when everything up to `target`, which was accepted, is durable. Rejects JOURNAL_FAILED. */
  async sync(target: number): Promise<void> {
    while (this.durable < target) {
      await this.#whenWritten(target);
      if (this.durable >= target) return;
      this.#syncing ??= this.#syncFiles().finally(() => (this.#syncing = null));
      await this.#syncing;
      if (this.failure !== null) throw this.failure;
    }
  }

  /** Waits for what is under way, and closes every file. */
  async close(): Promise<void> {
    await this.#inFlight;
    await this.#syncing;
    // What was synced is safe, whatever closing says of it.
    for (const segment of this.#open) await segment.spare.file.close().catch(() => {});
    this.#open.clear();
  }

  /** The journal has failed, here or elsewhere. */
  fail(cause: unknown): void {
    if (this.failure !== null) return;
    const message = cause instanceof Error ? cause.message : String(cause);
    this.failure = new WriteBehindError("JOURNAL_FAILED", `the journal in ${this.#parts.folder} failed: ${message}`, {
      hint: "look after the disk, then start again: what was answered is in the journal",
      cause,
    });
    for (const wait of this.#waits) wait.settle(this.failure);
    this.#waits.clear();
    this.onFailed(this.failure);
  }

  /** Waits for the end of the turn: who was answered just now may write again in it, and one large write is cheaper. */
  #gather(): void {
    this.#state = "gathering";
    const turn = ++this.#turn;
    this.#parts.clock.soon(() => {
      if (this.#state === "gathering" && this.#turn === turn) this.#next();
    });
  }

  /** Starts the next write, or rests. */
  #next(): void {
    // Said again for each group: only then is it known what was durable when it was written.
    const group = this.failure === null ? this.#parts.tail.next(this.durable) : null;
    this.#state = group === null ? "idle" : "writing";
    if (group !== null) this.#inFlight = this.#write(group);
  }

  async #write(group: Group): Promise<void> {
    const { clock, dsync } = this.#parts;
    try {
      if (!group.segment.begun) await this.#begin(group.segment);
      const begunAt = clock.monotonic();
      await group.segment.spare.file.write(group.buffer, 0, group.length, group.offset);
      if (dsync) this.onSynced(clock.monotonic() - begunAt);
    } catch (error) {
      return this.fail(error);
    }
    this.#gather();
    this.#wrote(group);
    if (this.#state === "gathering" && this.#parts.tail.hasFullGroup) this.#next();
  }

  #wrote(group: Group): void {
    this.#parts.tail.written(group);
    this.groups++;
    this.bytes += group.length;
    this.#lastTag = group.lastTag;
    this.written = group.lastSequence;
    if (this.#parts.dsync) this.durable = group.lastSequence;
    for (const wait of this.#waits) {
      if (wait.sequence > this.written) continue;
      this.#waits.delete(wait);
      wait.settle(null);
    }
    this.onMoved();
  }

  async #begin(segment: TailSegment): Promise<void> {
    const { disk, folder, dsync, logId, base } = this.#parts;
    const { spare, index, firstSequence, logOffset, atBefore } = segment;
    const header = {
      logId,
      index,
      firstSequence,
      tagBefore: this.#lastTag,
      logOffset,
      size: spare.size,
      durable: this.durable,
      atBefore,
      base,
    };
    const path = await beginSegment(disk, { folder, path: spare.path, file: spare.file, dsync }, header);
    segment.begun = true;
    const filled = [...this.#open];
    this.#open.add(segment);
    this.onBegun({ path, size: spare.size, firstSequence, logOffset, atBefore });
    if (dsync) await this.#closeFilled(filled);
    // What was filled without a sync must not pile up until somebody asks for one.
    else void this.sync(firstSequence - 1).catch(() => {});
  }

  async #closeFilled(segments: readonly TailSegment[]): Promise<void> {
    for (const segment of segments) {
      this.#open.delete(segment);
      await segment.spare.file.close();
    }
  }

  #whenWritten(sequence: number): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    if (sequence <= this.written) return Promise.resolve();
    this.schedule();
    return new Promise((resolve, reject) => {
      this.#waits.add({ sequence, settle: (error) => (error === null ? resolve() : reject(error)) });
    });
  }

  async #syncFiles(): Promise<void> {
    // The mark is taken first: what is written while the sync runs may miss it.
    const mark = this.written;
    const segments = [...this.#open];
    const { clock } = this.#parts;
    const begunAt = clock.monotonic();
    try {
      for (const segment of segments) await segment.spare.file.sync();
      this.onSynced(clock.monotonic() - begunAt);
      const current = segments.at(-1);
      await this.#closeFilled(segments.filter((segment) => segment !== current));
    } catch (error) {
      return this.fail(error);
    }
    if (this.failure !== null) return;
    this.durable = mark;
    this.onMoved();
  }
}
