/**
 * The journal, writing side: takes frames in memory at once, writes them in groups, says how far all is kept and how
 * far all is durable, and trims what the store has committed. The log's format is in frame.ts and segment.ts, opening
 * after a crash in recovery.ts, reading in reader.ts. It knows no store and no cache, and it owns no folder: whoever
 * opens it has made sure to be alone.
 */
import { WriteBehindError } from "../../errors.js";
import type { Clock, Host } from "../../host/host.js";
import type { FrameBody, Position, Waiting } from "../queue.js";
import { Flusher } from "./flusher.js";
import { frameBytes, frameBytesMax } from "./frame.js";
import { Gate } from "./gate.js";
import type { Milestones } from "./milestones.js";
import { beyondRetention, trimmable, type HeldSegment } from "./retention.js";
import { Room, type RoomWait } from "./room.js";
import { segmentSeed } from "./segment.js";
import type { Post, Signposts } from "./signposts.js";
import type { OnSegment } from "./walk.js";
import { startJournal, type JournalOptions, type JournalStart } from "./start.js";
import type { Spare, Supply } from "./supply.js";
import type { Tail } from "./tail.js";

export type { JournalOptions } from "./start.js";

/** What a journal tells about itself. */
export interface JournalStats {
  /** Bytes of frames that the store has not acknowledged. */
  readonly pendingBytes: number;
  /** Bytes of all its files, spares included. */
  readonly bytesOnDisk: number;
  readonly segments: number;
  /** Whether the disk has no room for another file. */
  readonly diskFull: boolean;
  /** Writes so far, and the bytes in them. */
  readonly groups: number;
  readonly bytesWritten: number;
}

/** A journal that takes frames. */
export class Journal {
  readonly logId: string;
  /** Whether the folder held no log before. */
  readonly isNew: boolean;
  /** The position before the first frame that this log ever held. */
  readonly base: Position;
  /** The last sequence that was given out. */
  accepted: number;
  /** Log time of the last frame, milliseconds since 1970. */
  lastAt: number;
  /** Called when `kept` has grown, with the new mark. */
  onKept: (sequence: number) => void = () => {};
  /** Called when `durable` has grown, with the new mark. */
  onDurable: (sequence: number) => void = () => {};
  /** Called with how long it took until a group of frames, or all that was written before, was on disk. */
  onSynced: (ms: number) => void = () => {};
  /** How many distinct records have frames that the store has not acknowledged. */
  pendingRecords: () => number = () => 0;
  /** Called once, when a write or sync has failed. */
  onFailed: (error: WriteBehindError) => void = () => {};
  readonly #clock: Clock;
  readonly #options: JournalOptions;
  readonly #supply: Supply;
  readonly #room: Room;
  readonly #gate: Gate;
  readonly #milestones: Milestones;
  readonly #signposts: Signposts;
  readonly #tail: Tail;
  readonly #flusher: Flusher;
  readonly #segments: HeldSegment[];
  #logOffset: number;
  #acknowledged: number;
  #acknowledgedOffset: number;
  #kept: number;
  #durable: number;
  #trimming: Promise<void> | null = null;
  #closing = false;

  private constructor(host: Host, folder: string, options: JournalOptions, start: JournalStart) {
    const { log, supply, tail, segments } = start;
    this.#clock = host.clock;
    this.#options = options;
    this.#supply = supply;
    this.#milestones = log.milestones;
    this.#signposts = log.signposts;
    this.#segments = segments;
    this.#tail = tail;
    this.logId = log.logId;
    this.isNew = start.isNew;
    this.base = log.base;
    this.accepted = this.#kept = this.#durable = log.last.sequence;
    this.lastAt = log.last.at;
    this.#logOffset = log.logOffset;
    const first = segments[0] as HeldSegment;
    this.#acknowledged = first.firstSequence - 1;
    this.#acknowledgedOffset = first.logOffset;
    this.#gate = new Gate(options);
    const hasRoom = (bytes: number): boolean => this.hasRoom(bytes);
    this.#room = new Room(host.clock, hasRoom, (bytes) => this.#refusal(bytes));
    const dsync = options.durability === "disk";
    this.#flusher = new Flusher({ ...log, clock: host.clock, disk: host.disk, folder, tail, dsync });
    this.#flusher.onMoved = () => this.#moved();
    this.#flusher.onSynced = (ms) => this.onSynced(ms);
    this.#flusher.onBegun = (segment) => segments.push(segment);
    this.#flusher.onFailed = (error) => this.#failed(error);
    supply.onReady = () => this.#room.freed();
    supply.onFailed = (error) => this.#flusher.fail(error);
    supply.giveUp = () => this.#giveUp();
    supply.tend();
  }

  /**
   * Makes a new journal in a folder, or recovers the one that is there. Throws JOURNAL_DAMAGED and JOURNAL_VERSION as
   * recovery does, DISK_FULL where there is no room for a first segment, and a DiskError.
   */
  static async open(host: Host, folder: string, options: JournalOptions, onSegment?: OnSegment): Promise<Journal> {
    return new Journal(host, folder, options, await startJournal(host, folder, options, onSegment));
  }

  /** Up to here all is safe against power loss. */
  get durable(): number {
    return this.#flusher.durable;
  }

  /** Up to here frames are in the files, where a reader finds them. */
  get written(): number {
    return this.#flusher.written;
  }

  /** A frame not far before this one, or this one, and where it begins: for a reader. */
  postBefore(sequence: number): Post | undefined {
    return this.#signposts.before(sequence);
  }

  /** Up to here all is as durable as was asked. */
  get kept(): number {
    switch (this.#options.durability) {
      case "memory":
        return this.accepted;
      case "os":
        return this.#flusher.written;
      // A journal has no replicas: who asks for them is refused before it is opened.
      case "disk":
      case "replicas":
        return this.#flusher.durable;
    }
  }

  /** The lowest sequence that can still be read. Greater than `accepted` where the log holds no frame. */
  oldest(): number {
    return (this.#segments[0] as HeldSegment).firstSequence;
  }

  /**
   * Whether a frame of so many bytes (`frameBytes`) can be taken now: the queue's gate is open, and there is a place on
   * disk for it that was written full before. A clear leaves no record pending, so their number does not keep it out.
   */
  hasRoom(bytes: number, kind: FrameBody["kind"] = "changes"): boolean {
    const pendingBytes = this.#logOffset - this.#acknowledgedOffset;
    if (!this.#gate.lets(bytes, pendingBytes, kind === "clear" ? 0 : this.pendingRecords())) return false;
    return this.#tail.fits(bytes) || this.#supply.has(bytes);
  }

  /**
   * Resolves when there seems to be room for a frame of so many bytes; ask again then, others may have been quicker.
   * Rejects QUEUE_FULL or DISK_FULL after `waitMs`, TOO_LARGE, JOURNAL_FAILED, CLOSED, or with the signal's reason.
   */
  async whenRoom(bytes: number, wait: RoomWait): Promise<void> {
    this.#assertOpen();
    if (bytes > frameBytesMax) throw tooLarge(bytes);
    if (this.hasRoom(bytes)) return;
    if (!this.#tail.fits(bytes)) this.#supply.want(bytes);
    await this.#room.wait(bytes, wait);
  }

  /**
   * Takes a frame and returns its sequence. `at` is log time; it is moved up to that of the last frame where it is
   * earlier. `bytes`: its `frameBytes`, where the caller has asked already. Throws TOO_LARGE, QUEUE_FULL or DISK_FULL
   * (see `hasRoom`), JOURNAL_FAILED, CLOSED; nothing is taken then.
   */
  append(body: FrameBody, at: number, bytes: number = frameBytes(body)): number {
    this.#assertOpen();
    if (bytes > frameBytesMax) throw tooLarge(bytes);
    if (!this.hasRoom(bytes, body.kind)) throw this.#refusal(bytes);
    const sequence = this.accepted + 1;
    if (!this.#tail.fits(bytes)) this.#turn(bytes, sequence);
    const logAt = at > this.lastAt ? Math.floor(at) : this.lastAt;
    this.#milestones.note(sequence, this.#logOffset, logAt);
    this.#signposts.note(sequence, this.#logOffset, this.#tail.isFresh);
    this.#tail.append(body, bytes, sequence, logAt, this.#durable);
    this.#logOffset += bytes;
    this.lastAt = logAt;
    this.accepted = sequence;
    this.#flusher.schedule();
    return sequence;
  }

  /** Makes everything that is accepted now durable, and returns the durable mark. Rejects JOURNAL_FAILED. */
  async syncNow(): Promise<number> {
    await this.#flusher.sync(this.accepted);
    return this.durable;
  }

  /** The store has committed up to here, durably. Trims what is not retained any more. A lower position is possible. */
  acknowledge(position: Position): void {
    this.#acknowledged = position.sequence;
    this.#acknowledgedOffset = this.#offsetAfter(position.sequence);
    this.#room.freed();
    this.#trim();
  }

  /** Fewer records are pending than before. */
  recordsFreed(): void {
    this.#room.freed();
  }

  /** How much waits after a sequence: exact to the millisecond for what is recent, about right for what is old. */
  waitingAfter(sequence: number): Waiting {
    if (sequence >= this.accepted) return { oldestAgeMs: 0, bytes: 0 };
    const found = this.#milestones.after(sequence);
    const at = found?.at ?? this.lastAt;
    return { oldestAgeMs: Math.max(0, this.#clock.now() - at), bytes: this.#logOffset - this.#offsetAfter(sequence) };
  }

  /** How full it is: what waits for the database, and whether the disk has no room for another file. */
  get fullness(): { readonly pendingBytes: number; readonly diskFull: boolean } {
    return { pendingBytes: this.#logOffset - this.#acknowledgedOffset, diskFull: this.#supply.full };
  }

  stats(): JournalStats {
    return {
      pendingBytes: this.#logOffset - this.#acknowledgedOffset,
      bytesOnDisk: this.#segments.reduce((sum, segment) => sum + segment.size, 0) + this.#supply.bytes,
      segments: this.#segments.length,
      diskFull: this.#supply.full,
      groups: this.#flusher.groups,
      bytesWritten: this.#flusher.bytes,
    };
  }

  /** Takes no more frames, writes and syncs what was accepted, and closes every file. Rejects JOURNAL_FAILED. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#room.fail(closed());
    try {
      if (this.#flusher.failure === null) await this.syncNow();
    } finally {
      while (this.#trimming !== null) await this.#trimming;
      await this.#supply.close();
      await this.#flusher.close();
    }
  }

  #assertOpen(): void {
    if (this.#flusher.failure !== null) throw this.#flusher.failure;
    if (this.#closing) throw closed();
  }

  /** Goes on in a spare. The file gets its header and its name when its first group is written. */
  #turn(bytes: number, sequence: number): void {
    const { index } = this.#tail.segment;
    const spare = this.#supply.take(bytes) as Spare;
    const place = { index: index + 1, firstSequence: sequence, logOffset: this.#logOffset, atBefore: this.lastAt };
    this.#tail.turnTo({ ...place, spare, seed: segmentSeed({ ...place, logId: this.logId }), begun: false });
  }

  #moved(): void {
    const { durable } = this.#flusher;
    const { kept } = this;
    if (kept > this.#kept) {
      this.#kept = kept;
      this.onKept(kept);
    }
    if (durable > this.#durable) {
      this.#durable = durable;
      this.onDurable(durable);
    }
  }

  #failed(error: WriteBehindError): void {
    this.#room.fail(error);
    this.onFailed(error);
  }

  #offsetAfter(sequence: number): number {
    if (sequence >= this.accepted) return this.#logOffset;
    return this.#milestones.after(sequence)?.offset ?? this.#logOffset;
  }

  #refusal(bytes: number): WriteBehindError {
    const { queueBytes, queueRecords, diskReserve } = this.#options;
    const { pendingBytes } = this.stats();
    const pendingRecords = this.pendingRecords();
    if (!this.#gate.lets(bytes, pendingBytes, pendingRecords)) {
      return new WriteBehindError(
        "QUEUE_FULL",
        `${pendingBytes} bytes of ${pendingRecords} records wait for the database; the queue takes ${queueBytes} bytes ` +
          `and ${queueRecords} records, and after that nothing before a tenth is free`,
        { hint: "see whether the database keeps up (write-behind status), or raise queueBytes or queueRecords" },
      );
    }
    if (this.#supply.full) {
      return new WriteBehindError(
        "DISK_FULL",
        `the disk has no room for another journal file beside the reserve of ${diskReserve} bytes`,
        {
          hint: "free disk space; the queue goes on by itself",
        },
      );
    }
    return new WriteBehindError(
      "QUEUE_FULL",
      "the next journal file is not ready yet: changes come faster than the disk takes them",
      {
        hint: "wait longer (waitMs), or write less at once",
      },
    );
  }

  #trim(): void {
    if (this.#trimming !== null || this.#closing || this.#flusher.failure !== null) return;
    const { retainBytes, retainMs } = this.#options;
    const now = this.#clock.now();
    const offset = this.#acknowledgedOffset;
    if (beyondRetention(this.#segments, this.#acknowledged, offset, now, { retainBytes, retainMs }) === 0) return;
    void this.#retireOldest().then(() => this.#trim());
  }

  /** One at a time, the oldest first: a crash in here leaves a log that begins later, never one with a hole. */
  #retireOldest(): Promise<void> {
    const oldest = this.#segments.shift() as HeldSegment;
    this.#milestones.forget(this.oldest());
    this.#signposts.forget(this.oldest());
    this.#trimming = this.#supply.retire(oldest.path, oldest.size).then(
      () => {
        this.#trimming = null;
      },
      (error: unknown) => {
        this.#trimming = null;
        this.#flusher.fail(error);
      },
    );
    return this.#trimming;
  }

  /** The disk is full: committed log goes before any writer waits. */
  async #giveUp(): Promise<boolean> {
    while (this.#trimming !== null) await this.#trimming;
    if (this.#closing || trimmable(this.#segments, this.#acknowledged) === 0) return false;
    await this.#retireOldest();
    return true;
  }
}

function closed(): WriteBehindError {
  return new WriteBehindError("CLOSED", "the journal is closed");
}

function tooLarge(bytes: number): WriteBehindError {
  return new WriteBehindError(
    "TOO_LARGE",
    `one command or transaction of ${bytes} bytes; the most is ${frameBytesMax}`,
    {
      hint: "write less in one transaction",
    },
  );
}
