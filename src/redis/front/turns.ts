/**
 * Work of one process that changes what it has read takes turns by record: without that, callers who count in one
 * record would meet each other at every compare-and-set. Other processes are met there all the same.
 */
import type { Bytes } from "../../bytes.js";

/** Turns by record. Pure bookkeeping. */
export class Turns {
  readonly #last = new Map<Bytes, Promise<void>>();

  /** Resolves when it is the caller's turn with all of these records; the returned function ends the turn. */
  async take(records: readonly Bytes[]): Promise<() => void> {
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => (end = resolve));
    // All places are taken in one step: so nobody waits for somebody who waits for him.
    const before = records.map((record) => this.#last.get(record) ?? Promise.resolve());
    for (const record of records) this.#last.set(record, ended);
    void ended.then(() => {
      for (const record of records) if (this.#last.get(record) === ended) this.#last.delete(record);
    });
    await Promise.all(before);
    return end;
  }
}
