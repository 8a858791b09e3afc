/** Who waits for the journal: until a frame is as durable as was asked, or on disk. */
import type { WriteBehindError } from "../errors.js";
import type { Reached } from "../heart.js";
import type { Journal } from "../queue/journal/journal.js";
import { unknown } from "./failures.js";
import { Waits } from "./waits.js";

/** The waits for one journal's marks. */
export class Marks {
  readonly #journal: Journal;
  readonly #kept = new Waits();
  readonly #durable = new Waits();
  #failure: WriteBehindError | null = null;

  constructor(journal: Journal) {
    this.#journal = journal;
    journal.onKept = (mark) => this.#kept.reach(mark);
    journal.onDurable = (mark) => this.#durable.reach(mark);
  }

  whenKept(sequence: number, reached: Reached): void {
    if (sequence <= this.#journal.kept) reached(null);
    else if (this.#failure !== null) reached(this.#failure);
    // Nobody overtakes: a wait for less than the last one costs nothing but the rest of the same group.
    else this.#kept.add(Math.max(sequence, this.#kept.last), reached);
  }

  whenDurable(sequence: number, reached: Reached): void {
    if (sequence <= this.#journal.durable) return reached(null);
    if (this.#failure !== null) return reached(this.#failure);
    this.#durable.add(sequence, reached);
    // A failed sync fails the journal, and the journal's failure answers every wait.
    this.#journal.syncNow().catch(() => {});
  }

  /** The journal has failed: nobody who waits can be told whether the frame is kept. */
  fail(cause: WriteBehindError): void {
    this.end(unknown(cause));
  }

  /** No mark will come any more. */
  end(error: WriteBehindError): void {
    this.#failure = error;
    this.#kept.fail(error);
    this.#durable.fail(error);
  }
}
