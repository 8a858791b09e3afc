/** Work that takes turns: one at a time, in the order in which it came. */

/** The turns at one thing. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work when all that came before is done, however it ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
