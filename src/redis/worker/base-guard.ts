/**
 * Who is at the head of a partition's log: its writer, which reads frames or a region to commit them, or the
 * compaction, which makes a region of frames. Never both: what is being read must not go. Values only; it waits for
 * nobody but the step of a compaction.
 */

/** The guard of one partition. */
export class BaseGuard {
  #reading = false;
  #draining = false;
  #step: Promise<unknown> | null = null;

  /** The writer is going to read. Resolves when no frames are being taken out of the log. */
  async read(): Promise<void> {
    this.#reading = true;
    while (this.#step !== null) await this.#step;
  }

  /** It has what it reads, and the keeper knows how far the database may come by it; or it has given up. */
  readDone(): void {
    this.#reading = false;
  }

  /** The writer drains a region, or does so no more. */
  set draining(draining: boolean) {
    this.#draining = draining;
    if (draining) this.#reading = false;
  }

  /**
   * Does a step of the compaction, where the writer is not at the head. False where it is, or where the step says so.
   */
  async compact(step: () => Promise<boolean>): Promise<boolean> {
    if (this.#reading || this.#draining || this.#step !== null) return false;
    const doing = step();
    this.#step = doing.catch(() => {});
    try {
      return await doing;
    } finally {
      this.#step = null;
    }
  }
}
