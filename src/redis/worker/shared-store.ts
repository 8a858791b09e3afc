/**
 * The database as the partitions of one worker share it: one store, on which opens and commits take turns. Each
 * partition's writer has a store of its own that says which partition it is, and that asks whether the partition is
 * still this worker's before it claims anything in the database (promise 5: a worker that was taken over must not take
 * the row back).
 */
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import { WriteBehindError } from "../../errors.js";
import type { Clock } from "../../host/host.js";
import { samePosition, type Position } from "../../queue/queue.js";
import type { Batch, Page, Store, StoreClaim, StoreLimits, StoreOpened } from "../../store/store.js";
import { StoreError } from "../../store/store.js";
import type { Claim, Keeper } from "../keeper.js";
import { Turns } from "./turns.js";

/** One store for all partitions of a worker. */
export class SharedStore {
  readonly store: Store;
  readonly turns = new Turns();
  /**
   * Rows that expired at or before this log time may be swept; null: none. Only the owner of partition 0 knows: what is
   * expired in one partition's log time may have been prolonged in another's, which is not committed yet.
   */
  sweepUpTo: number | null = null;

  constructor(store: Store) {
    this.store = store;
  }

  /** Ends it, after everything that was begun. */
  close(): Promise<void> {
    return this.turns.take(() => this.store.close());
  }
}

/** What a partition's store is made with. */
export interface PartitionStoreParts {
  readonly shared: SharedStore;
  readonly keeper: Pick<Keeper, "holds" | "aim">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly claim: Claim;
  readonly leaseMs: number;
  /** The partition is another worker's. */
  readonly lost: () => void;
  /** The keeper knows how far the next commit is to bring the database. */
  readonly aimed: () => void;
}

/** The store, as the writer of one partition sees it. */
export class PartitionStore implements Store {
  readonly #parts: PartitionStoreParts;
  #given = false;
  #aimedAt: Position | null = null;
  /** When what is asked of the store was asked, on the monotonic clock; null where nothing is. */
  #askedAt: number | null = null;

  constructor(parts: PartitionStoreParts) {
    this.#parts = parts;
  }

  /** So long the store has not answered, in milliseconds; 0 where nothing is asked. */
  get silentMs(): number {
    return this.#askedAt === null ? 0 : this.#parts.clock.monotonic() - this.#askedAt;
  }

  get kind(): string {
    return this.#store.kind;
  }

  get place(): string {
    return this.#store.place;
  }

  get limits(): StoreLimits {
    return this.#store.limits;
  }

  open(asked: StoreClaim): Promise<StoreOpened> {
    const { keeper, claim, leaseMs, lost } = this.#parts;
    return this.#turn(async () => {
      if (!(await keeper.holds(claim, leaseMs))) {
        lost();
        throw this.#isLost();
      }
      return this.#store.open({ ...asked, partition: claim.partition });
    });
  }

  async commit(batch: Batch): Promise<void> {
    const { shared, claim } = this.#parts;
    const { partition } = claim;
    await this.#aim(batch);
    return this.#turn(() =>
      this.#store.commit({ ...batch, partition, sweepUpTo: partition === 0 ? shared.sweepUpTo : null }),
    );
  }

  read(...args: Parameters<Store["read"]>): Promise<readonly (RecordValue | null)[]> {
    return this.#store.read(...args);
  }

  scan(after: Bytes | null, limit: number, nowMs: number): Promise<Page> {
    return this.#store.scan(after, limit, nowMs);
  }

  /** Gives back the partition's row. One that was lost is another's. */
  async close(): Promise<void> {
    if (this.#given) return;
    await this.#turn(async () => this.#store.release?.(this.#parts.claim.partition));
  }

  /** The partition is not this worker's any more: nothing reaches the store from here that has not begun. */
  giveUp(): void {
    this.#given = true;
  }

  get #store(): Store {
    return this.#parts.shared.store;
  }

  /** Before the database may be somewhere the keeper knows it: whoever comes later must find out where it is. */
  async #aim({ expected, to }: Batch): Promise<void> {
    const { keeper, claim, aimed, lost } = this.#parts;
    if (this.#given) throw this.#isLost();
    if (to.sequence === 0 || (expected !== null && samePosition(expected, to))) return;
    try {
      if (this.#aimedAt === null || !samePosition(this.#aimedAt, to)) await keeper.aim(claim, to);
    } catch (error) {
      if (!(error instanceof WriteBehindError) || error.code !== "QUEUE_MISMATCH") throw error;
      lost();
      throw this.#isLost();
    }
    this.#aimedAt = to;
    aimed();
  }

  async #turn<T>(work: () => Promise<T>): Promise<T> {
    this.#askedAt = this.#parts.clock.monotonic();
    try {
      return await this.#parts.shared.turns.take(async () => {
        if (this.#given) throw this.#isLost();
        return work();
      });
    } finally {
      this.#askedAt = null;
    }
  }

  #isLost(): StoreError {
    return new StoreError("moved", `partition ${this.#parts.claim.partition} is another worker's`);
  }
}
