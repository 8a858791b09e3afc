/**
 * Whether the queue lets changes in. At a limit it closes, and it opens again when a tenth has become free: a queue at
 * its limit would else open for one write after each commit and make every other writer wait once more.
 */

/** How much may wait for the database. */
export interface QueueLimits {
  /** Bytes of frames. */
  readonly queueBytes: number;
  /** Distinct records: each costs memory for its key, whatever happens to its value. */
  readonly queueRecords: number;
}

/** The low mark, as a share of a limit. */
export const lowMark = 0.9;

/** The gate of one queue. */
export class Gate {
  readonly #limits: QueueLimits;
  #closed = false;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Whether a frame of `bytes` may enter where so much is pending. One of any size may enter an empty queue. */
  lets(bytes: number, pendingBytes: number, pendingRecords: number): boolean {
    if (pendingBytes === 0) return true;
    const share = this.#closed ? lowMark : 1;
    const { queueBytes, queueRecords } = this.#limits;
    this.#closed = pendingBytes + bytes > queueBytes * share || pendingRecords >= queueRecords * share;
    return !this.#closed;
  }
}
