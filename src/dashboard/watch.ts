/**
 * What the page draws over time: one sample of the status a second, the last 15 minutes of them, and the last runs.
 * Nothing here is on the road of a write: it reads counters, and hears of a run once it is committed.
 */
import type { BatchReport } from "../events.js";
import type { Heart, Status } from "../heart.js";
import type { Clock, Timer } from "../host/host.js";

/** Milliseconds between two samples; how many samples and runs are kept. */
export const sampleEveryMs = 1000;
const samplesMax = 900;
const runsMax = 5000;

/** The numbers of one moment. Counters grow from some start: differences of two samples say something, they do not. */
export interface Sample {
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
  /** Frames that this process has taken. */
  readonly writes: number;
  readonly hits: number;
  readonly misses: number;
  readonly batches: number;
  readonly rows: number;
  readonly coalesced: number;
  readonly retries: number;
  readonly pendingChanges: number;
  readonly pendingBytes: number;
  readonly oldestAgeMs: number;
  readonly lastCommitMs: number | null;
  readonly deadLetters: number;
}

/** A committed run, and when. */
export interface SeenRun extends BatchReport {
  readonly at: number;
}

/** What the samples are handed to, once a second. */
export type OnSample = (sample: Sample, status: Status) => void;

/** Watches one heart. */
export class Watcher {
  readonly #heart: Heart;
  readonly #clock: Clock;
  readonly #listeners = new Set<OnSample>();
  readonly #off: () => void;
  #samples: Sample[] = [];
  #runs: SeenRun[] = [];
  #timer: Timer | null = null;

  /** Begins to watch. */
  constructor(heart: Heart, clock: Clock) {
    this.#heart = heart;
    this.#clock = clock;
    this.#off = heart.events.on("batch", (run) => {
      this.#runs.push({ ...run, at: clock.now() });
      if (this.#runs.length > 2 * runsMax) this.#runs = this.#runs.slice(-runsMax);
    });
    this.#tick();
  }

  /** Samples of the last 15 minutes, oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples.slice(-samplesMax);
  }

  /** The last runs that were committed, oldest first. */
  get runs(): readonly SeenRun[] {
    return this.#runs.slice(-runsMax);
  }

  /** Hands on every sample from now on; the returned function ends it. */
  on(listener: OnSample): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Watches no more. */
  end(): void {
    this.#timer?.cancel();
    this.#off();
    this.#listeners.clear();
  }

  #tick(): void {
    const status = this.#heart.status();
    const sample = sampleOf(this.#clock.now(), this.#heart.accepted, status);
    this.#samples.push(sample);
    if (this.#samples.length > 2 * samplesMax) this.#samples = this.#samples.slice(-samplesMax);
    for (const listener of this.#listeners) listener(sample, status);
    this.#timer = this.#clock.after(sampleEveryMs, () => this.#tick());
  }
}

function sampleOf(at: number, writes: number, { cache, queue, writer, deadLetters }: Status): Sample {
  const { hits, misses } = cache;
  const { batches, rows, coalesced, retries, lastCommitMs } = writer;
  const { pendingChanges, pendingBytes, oldestAgeMs } = queue;
  return {
    at,
    writes,
    hits,
    misses,
    batches,
    rows,
    coalesced,
    retries,
    pendingChanges,
    pendingBytes,
    oldestAgeMs,
    lastCommitMs,
    deadLetters: deadLetters.count,
  };
}

/** Samples as a list for each number: shorter, and what a chart takes. */
export type History = { readonly [Name in keyof Sample]: readonly Sample[Name][] };

/** The history that samples are. */
export function historyOf(samples: readonly Sample[]): History {
  const column = <Name extends keyof Sample>(name: Name): Sample[Name][] => samples.map((sample) => sample[name]);
  return {
    at: column("at"),
    writes: column("writes"),
    hits: column("hits"),
    misses: column("misses"),
    batches: column("batches"),
    rows: column("rows"),
    coalesced: column("coalesced"),
    retries: column("retries"),
    pendingChanges: column("pendingChanges"),
    pendingBytes: column("pendingBytes"),
    oldestAgeMs: column("oldestAgeMs"),
    lastCommitMs: column("lastCommitMs"),
    deadLetters: column("deadLetters"),
  };
}
