/**
 * Frames on their way to the keeper: those of one partition that come in the same turn travel in one call, and while a
 * call is under way the next ones gather. One call of a partition at a time: so frames are queued in the order in which
 * they were made, whatever becomes of a call.
 */
import type { Clock } from "../../host/host.js";
import { argumentsMax, callBytesMax, weightOf } from "../keep-arguments.js";
import type { FrameToWrite, Keeper, Outcome, Room } from "../keeper.js";

/** A frame, and who is told what became of it: an outcome, or CACHE_DOWN (not written), UNKNOWN, QUEUE_MISMATCH. */
class Waiting {
  readonly frame: FrameToWrite;
  readonly settled: (outcome: Outcome) => void;
  readonly failed: (error: unknown) => void;

  constructor(frame: FrameToWrite, settled: (outcome: Outcome) => void, failed: (error: unknown) => void) {
    this.frame = frame;
    this.settled = settled;
    this.failed = failed;
  }
}

/** The frames of one process. */
export class Writes {
  readonly #keeper: Keeper;
  readonly #clock: Clock;
  readonly #room: Room;
  readonly #lanes: Lane[] = [];

  constructor(keeper: Keeper, clock: Clock, partitions: number, room: Room) {
    this.#keeper = keeper;
    this.#clock = clock;
    this.#room = room;
    for (let partition = 0; partition < partitions; partition++) {
      this.#lanes.push(new Lane((frames) => this.#keeper.write(partition, frames, this.#room), this.#clock));
    }
  }

  /** Writes a frame. Calls and no promise: most frames are one small write, and many of those are under way. */
  add(
    partition: number,
    frame: FrameToWrite,
    settled: (outcome: Outcome) => void,
    failed: (error: unknown) => void,
  ): void {
    (this.#lanes[partition] as Lane).add(new Waiting(frame, settled, failed));
  }
}

class Lane {
  readonly #write: (frames: readonly FrameToWrite[]) => Promise<readonly Outcome[]>;
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #state: "idle" | "gathering" | "writing" = "idle";

  constructor(write: (frames: readonly FrameToWrite[]) => Promise<readonly Outcome[]>, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
  }

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#state !== "idle") return;
    this.#state = "gathering";
    this.#clock.soon(() => void this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    this.#state = "writing";
    while (this.#waiting.length > 0) {
      const some = this.#take();
      try {
        const outcomes = await this.#write(some.map(({ frame }) => frame));
        for (const [index, each] of some.entries()) each.settled(outcomes[index] as Outcome);
      } catch (error) {
        for (const { failed } of some) failed(error);
      }
    }
    this.#state = "idle";
  }

  /** As many as one call carries, one at the least. */
  #take(): readonly Waiting[] {
    let [weight, bytes, count] = [0, 0, 0];
    for (const { frame } of this.#waiting) {
      weight += weightOf(frame);
      bytes += bytesOf(frame);
      if (count > 0 && (weight > argumentsMax || bytes > callBytesMax)) break;
      count++;
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, count);
  }
}

/** About: a hash is seldom large, and a large one travels alone by its weight. */
function bytesOf({ changes }: FrameToWrite): number {
  let bytes = 0;
  for (const { record, change } of changes) {
    bytes += record.length;
    if (change.kind === "replace" && typeof change.content === "string") bytes += change.content.length;
  }
  return bytes;
}
