/**
 * Waits for the other partitions: a frame of one may refer to a row that a frame of another is to write. Two may wait
 * for each other; then one of them must go on without, and its frame becomes a dead letter that is tried again.
 */
import type { Clock } from "../../host/host.js";
import { rest } from "../../rest.js";
import type { Keeper, PartitionState } from "../keeper.js";

/** So long none of them may move before they are waited for no more, in milliseconds. */
const stillMsMax = 5000;

/** So much longer each partition waits than the one before it: of those that wait for each other one goes on first. */
const laterMs = 100;

const lookEveryMs = 50;

/** What it is made with. */
export interface OthersParts {
  readonly keeper: Pick<Keeper, "states">;
  readonly clock: Clock;
  readonly partition: number;
  /** Partitions of the fleet. */
  readonly partitions: number;
  /** Partitions of this worker that wait in the same way. */
  readonly waiting: Set<number>;
  /** Ends the wait. */
  readonly ended: () => boolean;
}

/** The others of one partition. */
export class Others {
  readonly #parts: OthersParts;
  /** Where they were when they were looked at last, and since when. */
  #seen = "";
  #seenAt = 0;

  constructor(parts: OthersParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when they have stored what they hold now; when none of them has moved for 5 s, which may be over already;
   * or when those that lag wait in the same way, and this one is the first of them.
   */
  async stored(): Promise<void> {
    const { clock, partition, waiting, ended } = this.#parts;
    const begunAt = clock.monotonic();
    let goals: ReadonlyMap<number, number> | null = null;
    waiting.add(partition);
    try {
      while (!ended()) {
        const states = await this.#look();
        if (states === null) {
          if (clock.monotonic() - begunAt > stillMsMax) return;
        } else {
          goals ??= new Map(states.map((state) => [state.partition, state.head.sequence]));
          if (!this.#isWorthWaiting(states, goals)) return;
        }
        await rest(clock, lookEveryMs);
      }
    } finally {
      waiting.delete(partition);
    }
  }

  #isWorthWaiting(states: readonly PartitionState[], goals: ReadonlyMap<number, number>): boolean {
    const { clock, partition, waiting } = this.#parts;
    const lagging = states.filter((state) => state.stored.sequence < (goals.get(state.partition) ?? 0));
    if (lagging.length === 0) return false;
    const allWait = lagging.every((state) => waiting.has(state.partition));
    if (allWait && Math.min(...waiting) === partition) return false;
    return clock.monotonic() - this.#seenAt < stillMsMax + partition * laterMs;
  }

  /** Null where the keeper cannot be asked. */
  async #look(): Promise<readonly PartitionState[] | null> {
    const { keeper, clock, partition, partitions } = this.#parts;
    const others = [...Array(partitions).keys()].filter((each) => each !== partition);
    const states = await keeper.states(others).then(
      (found) => found.states,
      () => null,
    );
    const now = states?.map(({ stored }) => stored.sequence).join(" ") ?? this.#seen;
    if (now !== this.#seen) this.#seenAt = clock.monotonic();
    this.#seen = now;
    return states;
  }
}
