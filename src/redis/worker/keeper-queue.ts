/**
 * The write queue of one owned partition, as its writer sees it: read through the keeper, piece by piece. What is told
 * to the keeper after a commit is the business of acknowledged.ts.
 */
import { samePosition, type FrameOnDisk, type Position, type Waiting, type WriteQueue } from "../../queue/queue.js";
import type { Keeper } from "../keeper.js";
import type { Acknowledged } from "./acknowledged.js";
import { emptied, forked, older, trimmed } from "./queue-errors.js";
import type { StatesPoll } from "./states-poll.js";

/** So much log travels at once. */
const pieceBytes = 512 * 1024;

/** What it is made with. */
export interface KeeperQueueParts {
  readonly keeper: Pick<Keeper, "place" | "states" | "frames" | "positionAt" | "break">;
  readonly partition: number;
  readonly logId: string;
  readonly poll: StatesPoll;
  readonly acknowledged: Acknowledged;
}

/** The queue of a partition. */
export class KeeperQueue implements WriteQueue {
  readonly #parts: KeeperQueueParts;
  /** Where the database is, as its writer has said last. */
  #at: Position | null = null;

  constructor(parts: KeeperQueueParts) {
    this.#parts = parts;
  }

  /**
   * Where the keeper has not been told yet of what was committed, the age is that of the last committed frame: what
   * waits is younger, so it never waits too long.
   */
  async waiting(sequence: number): Promise<Waiting> {
    const { poll, partition, acknowledged } = this.#parts;
    let { state, now } = await poll.after(partition, sequence);
    while (state.head.sequence < sequence) {
      // The keeper went back. Who writes there now is answered: that must not grow into a fork unseen.
      if (this.#at !== null) await this.check(this.#at);
      ({ state, now } = await poll.after(partition, sequence));
    }
    const untold = acknowledged.untold;
    const oldestAt = Math.max(state.oldestAt ?? now, untold.at);
    return { oldestAgeMs: Math.max(0, now - oldestAt), bytes: Math.max(1, state.pendingBytes - untold.bytes) };
  }

  async durableMark(): Promise<number> {
    const { keeper, partition } = this.#parts;
    const { states } = await keeper.states([partition]);
    return states[0]?.head.sequence ?? 0;
  }

  async check(position: Position): Promise<void> {
    this.#at = position;
    const { keeper, partition, logId } = this.#parts;
    const { place } = keeper;
    if (position.logId !== logId) throw emptied(place, logId, position);
    if (position.sequence === 0 && position.tag === 0) return;
    const found = await keeper.positionAt(partition, position.sequence);
    if (found !== null && samePosition(found, position)) return;
    const { states } = await keeper.states([partition]);
    const head = states[0]?.head ?? { logId, sequence: 0, tag: 0 };
    if (found === null && head.sequence >= position.sequence) throw trimmed(place, logId, position.sequence);
    const error = found === null ? older(place, head, position) : forked(place, found, position);
    // More writes would make of two histories a third one.
    await keeper.break(partition, error.message);
    throw error;
  }

  base(): Promise<Position> {
    return Promise.resolve({ logId: this.#parts.logId, sequence: 0, tag: 0 });
  }

  async *read(sequence: number, upTo: number): AsyncIterable<readonly FrameOnDisk[]> {
    let after = sequence;
    let next = after < upTo ? this.#piece(after, upTo) : null;
    while (next !== null) {
      const piece = await next;
      after += piece.length;
      // Asked for while this one is being worked on.
      next = after < upTo ? this.#piece(after, upTo) : null;
      next?.catch(() => {});
      this.#parts.acknowledged.remember(piece);
      yield piece;
    }
  }

  acknowledge(position: Position): void {
    this.#at = position;
    this.#parts.acknowledged.reached(position);
  }

  async #piece(after: number, upTo: number): Promise<readonly FrameOnDisk[]> {
    const { keeper, partition, logId } = this.#parts;
    const frames = await keeper.frames(partition, after, pieceBytes);
    const first = frames[0]?.frame.position.sequence;
    if (first !== after + 1) throw trimmed(keeper.place, logId, after + 1);
    return frames.slice(0, upTo - after);
  }
}
