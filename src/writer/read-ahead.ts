/**
 * While a run is being committed by a server, the writer has nothing to do: then it reads the next one. Only where so
 * much waits that the next run is full, too: else changes that come meanwhile would not be merged into it. What is read
 * is a function of the log alone, so a run that was read ahead is the run that would be read later, as long as the log
 * holds its last frame: with a log elsewhere that is asked first (WriteQueue.holds).
 */
import type { Clock } from "../host/host.js";
import { samePosition, type Position } from "../queue/queue.js";
import type { Run } from "./run.js";

/** At most one run, read ahead. */
export class ReadAhead {
  readonly #clock: Pick<Clock, "soon">;
  readonly #read: (from: Position, upTo: number) => Promise<Run>;
  /** The run that may have a next one, and up to where that may be read: a durable mark. */
  #expected: { readonly run: Run; readonly mark: number } | null = null;
  #reading: Promise<void> | null = null;
  #run: Run | null = null;

  constructor(clock: Pick<Clock, "soon">, read: (from: Position, upTo: number) => Promise<Run>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** A run was made below this mark; null where the next one may be another than the log says. */
  expect(run: Run, mark: number | null): void {
    this.#expected = mark !== null && run.to.sequence < mark ? { run, mark } : null;
    this.#run = null;
  }

  /** The run is being committed: what follows it is read, where enough waits and the commit is not done at once. */
  beginSoon({ to }: Run): void {
    const expected = this.#expected;
    if (expected === null || !samePosition(expected.run.to, to)) return;
    this.#clock.soon(() => {
      if (this.#expected === expected) this.#begin(to, expected.mark);
    });
  }

  /** Nothing is begun any more. Resolves when nothing is being read. */
  async settled(): Promise<void> {
    this.#expected = null;
    await this.#reading;
    this.#reading = null;
  }

  #begin(to: Position, mark: number): void {
    this.#expected = null;
    // A failure is nobody's: the run is read again when its turn comes.
    this.#reading = this.#read(to, mark).then(
      (run) => {
        if (run.to.sequence < mark) this.#run = run;
      },
      () => {},
    );
  }

  /** The run that was read from here, once; null where none was. */
  take(from: Position): Run | null {
    const run = this.#run;
    this.#run = null;
    return run !== null && samePosition(run.from, from) ? run : null;
  }
}
