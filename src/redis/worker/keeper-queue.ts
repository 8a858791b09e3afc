/**
 * The write queue of one owned partition, as its writer sees it: read through the keeper, piece by piece. What is told
 * to the keeper after a commit is the business of acknowledged.ts.
 */
import {
  samePosition,
  type FrameOnDisk,
  type Position,
  type Region,
  type RegionChange,
  type Waiting,
  type WriteQueue,
} from "../../queue/queue.js";
import { baseOfBytes } from "../base-entry.js";
import type { BaseSeen, Keeper, PartitionState } from "../keeper.js";
import type { Acknowledged } from "./acknowledged.js";
import type { BaseGuard } from "./base-guard.js";
import { pagesOfBase, pieceBytes, stateOf } from "./log-reads.js";
import { changed, composed, emptied, forked, older, trimmed } from "./queue-errors.js";
import type { KnownPlace, StatesPoll } from "./states-poll.js";

/** What it is made with. */
export interface KeeperQueueParts {
  readonly keeper: Pick<Keeper, "place" | "states" | "frames" | "positionAt" | "baseRecords" | "break">;
  readonly partition: number;
  readonly logId: string;
  readonly poll: StatesPoll;
  readonly acknowledged: Acknowledged;
  readonly guard: BaseGuard;
}

/** The queue of a partition. */
export class KeeperQueue implements WriteQueue {
  readonly #parts: KeeperQueueParts;
  /** Where the database is, as its writer has said last. */
  #at: Position | null = null;
  /** The position that was checked last. */
  #checked = 0;
  /** The mark of that position, where it is known already. */
  #mark: number | null = null;

  constructor(parts: KeeperQueueParts) {
    this.#parts = parts;
  }

  /**
   * Where the keeper has not been told yet of what was committed, the age is that of the last committed frame: what
   * waits is younger, so it never waits too long.
   */
  async waiting(sequence: number): Promise<Waiting> {
    const { poll, acknowledged } = this.#parts;
    let { state, now, missed } = await poll.after(this, this.#placeAt(sequence));
    while (missed || state.head.sequence <= sequence) {
      // The keeper went back. Whoever writes there now is answered, and what he writes must not grow into a fork
      // unseen; and what it was told is told once more.
      if (this.#at !== null) {
        await this.check(this.#at);
        if (missed) acknowledged.tellAnew(this.#at);
      }
      ({ state, now, missed } = await poll.after(this, this.#placeAt(sequence)));
    }
    const untold = acknowledged.untold;
    const oldestAt = Math.max(state.oldestAt ?? now, untold.at);
    return { oldestAgeMs: Math.max(0, now - oldestAt), bytes: Math.max(1, state.pendingBytes - untold.bytes) };
  }

  /** Frames are there up to a base, or behind it. */
  #placeAt(sequence: number): KnownPlace {
    const tag = this.#at?.sequence === sequence ? this.#at.tag : null;
    const { partition, acknowledged } = this.#parts;
    return { partition, sequence, tag, told: () => acknowledged.lastTold };
  }

  async durableMark(): Promise<number> {
    const { guard } = this.#parts;
    if (this.#mark === null) await guard.read();
    const mark = this.#mark ?? markOf(await this.#state(), this.#checked);
    this.#mark = null;
    if (mark <= this.#checked) guard.readDone();
    return mark;
  }

  async region(position: Position): Promise<Region | null> {
    const { guard } = this.#parts;
    await guard.read();
    const state = await this.#state();
    const { base } = state;
    if (base === null || !isIn(base, position)) {
      this.#mark = markOf(state, position.sequence);
      return null;
    }
    guard.draining = true;
    const { to, at } = base;
    return { to, at, read: () => this.#records(base), close: () => (guard.draining = false) };
  }

  async check(position: Position): Promise<void> {
    this.#at = position;
    const { keeper, partition, logId } = this.#parts;
    const { place } = keeper;
    this.#checked = position.sequence;
    this.#mark = null;
    if (position.logId !== logId) throw emptied(place, logId, position);
    if (position.sequence === 0 && position.tag === 0) return;
    const found = await keeper.positionAt(partition, position.sequence);
    if (found !== null && samePosition(found, position)) return;
    const { head, base } = await this.#state();
    const isComposed = base !== null && isIn(base, position);
    if (found === null && head.sequence >= position.sequence && !isComposed)
      throw trimmed(place, logId, position.sequence);
    const error =
      found !== null
        ? forked(place, found, position)
        : isComposed
          ? composed(place, base, position)
          : older(place, head, position);
    // More writes would make of two histories a third one.
    await keeper.break(partition, error.message);
    throw error;
  }

  async holds(position: Position): Promise<boolean> {
    const found = await this.#parts.keeper.positionAt(this.#parts.partition, position.sequence);
    return found !== null && samePosition(found, position);
  }

  base(): Promise<Position> {
    return Promise.resolve({ logId: this.#parts.logId, sequence: 0, tag: 0 });
  }

  async *read(sequence: number, upTo: number): AsyncIterable<readonly FrameOnDisk[]> {
    let after = sequence;
    const at = this.#at?.sequence === sequence ? this.#at : null;
    let next = after < upTo ? this.#piece(after, upTo, at) : null;
    while (next !== null) {
      const piece = await next;
      after += piece.length;
      // Asked for while this one is being worked on.
      next = after < upTo ? this.#piece(after, upTo, piece.at(-1)?.frame.position ?? null) : null;
      next?.catch(() => {});
      this.#parts.acknowledged.remember(piece);
      yield piece;
    }
  }

  acknowledge(position: Position): void {
    this.#at = position;
    this.#parts.acknowledged.reached(position);
  }

  async *#records(base: BaseSeen): AsyncIterable<{ changes: readonly RegionChange[]; bytes: number }> {
    const { keeper, partition } = this.#parts;
    for await (const page of pagesOfBase(keeper, partition, base)) {
      let bytes = 0;
      const changes: RegionChange[] = [];
      for (const [record, entry] of page) {
        bytes += record.length + entry.length;
        changes.push({ record, ...baseOfBytes(entry) });
      }
      yield { changes, bytes };
    }
  }

  #state(): Promise<PartitionState> {
    return stateOf(this.#parts.keeper, this.#parts.partition);
  }

  /** Where it is known which frame they follow, they are of the same history (promise 4). */
  async #piece(after: number, upTo: number, at: Position | null): Promise<readonly FrameOnDisk[]> {
    const { keeper, partition, logId } = this.#parts;
    // Of one frame that is looked at not a whole piece is fetched.
    const frames = await keeper.frames(partition, after, upTo - after === 1 ? 1 : pieceBytes);
    const first = frames[0]?.frame.position.sequence;
    if (first !== after + 1) throw trimmed(keeper.place, logId, after + 1);
    if (at !== null && after > 0) {
      // Asked after them: a keeper that went back before they were read has another frame there by now.
      const found = await keeper.positionAt(partition, after);
      if (found !== null && !samePosition(found, at)) throw changed(keeper.place);
    }
    return frames.slice(0, upTo - after);
  }
}

/** Whether a base follows a position, or goes on there. */
function isIn({ from, to }: BaseSeen, { sequence }: Position): boolean {
  return from.sequence <= sequence && sequence < to.sequence;
}

/** Up to which sequence frames follow one. */
function markOf({ base, head }: PartitionState, sequence: number): number {
  return base !== null && sequence < base.to.sequence ? base.from.sequence : head.sequence;
}
