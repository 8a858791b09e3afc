/** What the writer's failures in a row amount to: when it tries again, and what its owner is told. */
import { WriteBehindError, type PlainError } from "../errors.js";
import type { Clock, Random } from "../host/host.js";
import { isStoreAway, storeErrorKind } from "../store/store.js";
import { describeFailure } from "./failures.js";
import type { WriterOptions, WriterReport } from "./messages.js";
import { hurriedRetryMaxMs, verdict } from "./retry.js";

/** Failures in a row. */
interface Trouble {
  readonly since: number;
  readonly attempt: number;
  readonly broken: boolean;
  /** Whether it was told. A first `moved` is not: nothing need be wrong. */
  readonly told: boolean;
  /** Whether the try that failed was one to open the store: then an opened store ends the trouble. */
  readonly opening: boolean;
}

/** What a try has failed of. */
export interface Failure {
  readonly failure: PlainError;
  /** The store must be opened anew before the next try. */
  readonly reopen: boolean;
  /** Whether anybody need hear of it. */
  readonly told: boolean;
}

/** What it is made with. */
export interface TroublesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly options: WriterOptions;
  readonly report: (report: WriterReport) => void;
}

/** The troubles of one writer. */
export class Troubles {
  readonly #parts: TroublesParts;
  #trouble: Trouble | null = null;
  /** No try before this moment on the monotonic clock; null where there is nothing to wait for. */
  notBefore: number | null = null;
  everOpen = false;

  constructor(parts: TroublesParts) {
    this.#parts = parts;
  }

  /** Whether the last try has failed. */
  get any(): boolean {
    return this.#trouble !== null;
  }

  get broken(): boolean {
    return this.#trouble?.broken === true;
  }

  /** Somebody waits for the database: the next try comes within a second. More hurrying does not make it sooner. */
  hurry(): void {
    if (this.#trouble?.broken === false && this.notBefore !== null) {
      this.notBefore = Math.min(this.notBefore, this.#now() + hurriedRetryMaxMs);
    }
  }

  /** The next try is due now. */
  endPause(): void {
    if (this.notBefore !== null) this.notBefore = this.#now();
  }

  /** The next try is another one than those that failed. */
  startAnew(): void {
    if (this.#trouble !== null) this.#trouble = { ...this.#trouble, attempt: 0 };
  }

  /** A try has failed. */
  failed(error: unknown, opening: boolean, hurried: boolean, place: string): Failure {
    const { random, options, report } = this.#parts;
    const attempt = (this.#trouble?.attempt ?? 0) + 1;
    const kind = isQueueAway(error) ? "retryable" : storeErrorKind(error);
    const { broken, reopen, delayMs } = verdict(kind, attempt, random.number(), hurried, options);
    const told = this.#trouble?.told === true || kind !== "moved" || attempt > 1;
    const failure = describeFailure(error, opening ? "opening" : "writing to", place);
    this.#trouble = { since: this.#trouble?.since ?? this.#now(), attempt, broken, told, opening };
    this.notBefore = this.#now() + delayMs;
    if (told) {
      const first = !this.everOpen;
      if (broken) report({ type: "broken", error: failure, opening: first, away: isStoreAway(error) });
      else report({ type: "retry", error: failure, attempt, delayMs, opening: first });
    }
    return { failure, reopen: reopen || opening, told };
  }

  /** The store is open. */
  opened(): void {
    this.everOpen = true;
    if (this.#trouble?.opening === true) this.recovered();
  }

  /** The store works. */
  recovered(): void {
    const trouble = this.#trouble;
    this.#trouble = null;
    this.notBefore = null;
    if (trouble?.told === true) this.#parts.report({ type: "up", downMs: this.#now() - trouble.since });
  }

  #now(): number {
    return this.#parts.clock.monotonic();
  }
}

/** The queue is somewhere else, and cannot be reached now: that may pass. */
function isQueueAway(error: unknown): boolean {
  return error instanceof WriteBehindError && (error.code === "CACHE_DOWN" || error.code === "UNKNOWN");
}
