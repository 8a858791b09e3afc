/**
 * Where the partitions of a worker are: one question to the keeper for all that wait for new frames, again and again
 * while somebody waits. What the keeper is, it does not know.
 */
import { WriteBehindError } from "../../errors.js";
import type { Clock, Timer } from "../../host/host.js";
import type { Keeper, PartitionState } from "../keeper.js";

/** A partition that has frames after what was asked. */
export interface FoundState {
  readonly state: PartitionState;
  /** By the keeper's clock. */
  readonly now: number;
  /** It has not heard what its owner has told: it is older than that. */
  readonly missed: boolean;
}

/** A partition and where it was: the tag of the frame there, where it is known. */
export interface KnownPlace {
  readonly partition: number;
  readonly sequence: number;
  readonly tag: number | null;
  /** What its owner has told last, as it is when this is called; null: nothing, or it is being told. */
  readonly told: () => string | null;
}

interface Ask extends KnownPlace {
  readonly resolve: (found: FoundState) => void;
  readonly reject: (error: unknown) => void;
}

/** How often to look into queues whose changes may wait this long, in milliseconds. */
export function pollEveryMs(delayMs: number): number {
  return Math.max(5, Math.min(50, delayMs / 2));
}

/** The looks of one worker. */
export class StatesPoll {
  readonly #keeper: Pick<Keeper, "states">;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #recovered: () => void;
  /** By who asks: somebody may still end who had the same partition before. */
  readonly #asks = new Map<object, Ask>();
  #timer: Timer | null = null;
  #looking = false;
  #again = false;
  #failing = false;
  #closed = false;

  /** `recovered` is called when the keeper answers again. */
  constructor(keeper: Pick<Keeper, "states">, clock: Clock, everyMs: number, recovered: () => void) {
    this.#keeper = keeper;
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#recovered = recovered;
  }

  /**
   * Resolves when the partition is somewhere else: it has a frame after that place, or has lost the one there or what
   * it was told, as that of an older Redis: then whoever looks closer finds out. A newer question takes the place of an
   * older one.
   */
  after(asker: object, place: KnownPlace): Promise<FoundState> {
    return new Promise((resolve, reject) => {
      this.#asks.set(asker, { ...place, resolve, reject });
      this.look();
    });
  }

  /** Who asked waits no more. */
  forget(asker: object): void {
    this.#asks.delete(asker);
  }

  /** Looks now, if anybody waits. */
  look(): void {
    if (this.#looking) this.#again = true;
    else void this.#look();
  }

  /** Looks no more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#asks.clear();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    this.#timer?.cancel();
    this.#timer = null;
    // What is asked in one step travels together.
    await Promise.resolve();
    do {
      this.#again = false;
      await this.#ask();
    } while (this.#again && !this.#failing);
    this.#looking = false;
    if (this.#asks.size === 0 || this.#closed) return;
    this.#timer = this.#clock.after(this.#everyMs, () => this.look());
  }

  async #ask(): Promise<void> {
    if (this.#asks.size === 0) return;
    try {
      const partitions = new Set([...this.#asks.values()].map(({ partition }) => partition));
      const told = new Map([...this.#asks].map(([asker, ask]) => [asker, ask.told()]));
      const { now, states } = await this.#keeper.states([...partitions]);
      if (this.#failing) this.#recovered();
      this.#failing = false;
      for (const state of states) this.#found(state, now, told);
    } catch (error) {
      this.#failing = true;
      // That it cannot be reached may pass, and is the same as that nothing new is there.
      if (!(error instanceof WriteBehindError) || error.code === "QUEUE_MISMATCH") this.#fail(error);
    }
  }

  #found(state: PartitionState, now: number, told: ReadonlyMap<object, string | null>): void {
    const { partition, head, heard } = state;
    for (const [asker, ask] of this.#asks) {
      const isThere = head.sequence === ask.sequence && (ask.tag === null || head.tag === ask.tag);
      // Not where it was told something meanwhile.
      const last = told.get(asker) ?? null;
      const missed = last !== null && last !== heard && last === ask.told();
      if (ask.partition !== partition || (isThere && !missed)) continue;
      this.#asks.delete(asker);
      ask.resolve({ state, now, missed });
    }
  }

  #fail(error: unknown): void {
    const asks = [...this.#asks.values()];
    this.#asks.clear();
    for (const { reject } of asks) reject(error);
  }
}
