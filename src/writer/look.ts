/** What the writer knows of what waits in the queue. One question at a time; an answer to an older one is not heard. */
import type { Clock } from "../host/host.js";
import type { Waiting, WriteQueue } from "../queue/queue.js";
import type { Seen } from "./pace.js";

/** The writer's looks into the queue. */
export class Looks {
  readonly #queue: WriteQueue;
  readonly #clock: Clock;
  readonly #wake: () => void;
  #seen: Seen | null = null;
  /** The sequence that the queue was asked about; null where no answer is awaited. */
  #asked: number | null = null;
  /** Since when something waits after that sequence, on the monotonic clock; null where that is not known. */
  #since: number | null = null;
  #failure: { readonly error: unknown } | null = null;

  /** `wake` is called with every answer. */
  constructor(queue: WriteQueue, clock: Clock, wake: () => void) {
    this.#queue = queue;
    this.#clock = clock;
    this.#wake = wake;
  }

  /** What waited at the last look; null where that is not known, or not true any more. */
  get seen(): Seen | null {
    return this.#seen;
  }

  /** Whether the queue has been asked and has not answered: it does so once something waits. */
  get asking(): boolean {
    return this.#asked !== null;
  }

  /** Asks what waits after a sequence. */
  look(sequence: number): void {
    this.#seen = null;
    this.#asked = sequence;
    void this.#ask(sequence);
  }

  /** What was seen holds no more: the position has moved. */
  forget(): void {
    this.#seen = null;
    this.#asked = null;
    this.#since = null;
  }

  /** Throws what the last question was answered with, where that was an error. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }

  async #ask(sequence: number): Promise<void> {
    try {
      const waiting = await this.#queue.waiting(sequence);
      if (this.#answered(sequence)) this.#saw(waiting);
    } catch (error) {
      if (this.#answered(sequence)) this.#failure = { error };
    }
  }

  /** The queue tells ages by a wall clock, which may jump back: what waits has never become younger. */
  #saw({ oldestAgeMs, bytes }: Waiting): void {
    const at = this.#clock.monotonic();
    this.#since = Math.min(this.#since ?? at, at - oldestAgeMs);
    this.#seen = { at, oldestAgeMs: at - this.#since, bytes };
  }

  /** Whether this is the answer to the question that is open. */
  #answered(sequence: number): boolean {
    if (this.#asked !== sequence) return false;
    this.#asked = null;
    this.#wake();
    return true;
  }
}
