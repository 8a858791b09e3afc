/**
 * How much of a partition's committed log is kept, to heal a database that goes back: so many bytes or so long,
 * whichever is less. The oldest goes first. Pure; moments are passed in.
 */

/** The limits of one partition. */
export interface RetainLimits {
  readonly bytes: number;
  readonly ms: number;
}

interface KeptRun {
  readonly upTo: number;
  readonly bytes: number;
  /** When it was committed, on the monotonic clock. */
  readonly since: number;
}

/** The committed runs that are kept. */
export class Retained {
  readonly #limits: RetainLimits;
  #runs: KeptRun[] = [];
  #bytes = 0;
  /** Frames up to here are not needed. */
  #trimTo = 0;

  constructor(limits: RetainLimits) {
    this.#limits = limits;
  }

  /** The database is at this frame. What was kept before is kept still, and nothing is known of its size. */
  start(sequence: number, now: number): void {
    this.#runs = [];
    this.#bytes = 0;
    this.#trimTo = 0;
    this.add(sequence, 0, now);
  }

  /** A run up to here was committed. */
  add(upTo: number, bytes: number, now: number): void {
    this.#runs.push({ upTo, bytes, since: now });
    this.#bytes += bytes;
  }

  /** What `trimTo` said last. */
  get kept(): number {
    return this.#trimTo;
  }

  /** Up to where the log is not needed any more. */
  trimTo(now: number): number {
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
      if (this.#bytes <= this.#limits.bytes && now - run.since <= this.#limits.ms) break;
      this.#runs.shift();
      this.#bytes -= run.bytes;
      this.#trimTo = run.upTo;
    }
    return this.#trimTo;
  }
}
