/**
 * Station 3: the writer. One loop that brings what the queue holds into the store: open, wait, take a run, commit,
 * again. It decides nothing by itself: what goes into a run (run.ts), when to act (pace.ts), what a failure means
 * (retry.ts), when to beat and what to sweep (beat.ts) are pure functions. It does not know on which thread it runs
 * (writer-link.ts), nor what queue and store are made of. Its states are in state.ts.
 */
import { errorOfPlain } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Clock, Random } from "../host/host.js";
import { samePosition, type Position, type WriteQueue } from "../queue/queue.js";
import { isStoreAway, storeErrorKind, type Store, type StoreOpened } from "../store/store.js";
import { Beats, sweepBound, type ClockReading } from "./beat.js";
import { describeFailure, overtaken, stopped, wentBack } from "./failures.js";
import { readsFrom, samePlace, type Known } from "./known.js";
import { Looks } from "./look.js";
import type { WriterOptions, WriterReport } from "./messages.js";
import { emptyLookMs, enoughBytes, pace, restMs, type PaceLimits } from "./pace.js";
import { hurriedRetryMaxMs, verdict } from "./retry.js";
import { reportOf, RunMaker, type Run } from "./run.js";
import { assert, assertTransition, type WriterState } from "./state.js";
import { Steps } from "./steps.js";
import { Wake } from "./wake.js";

/** What a writer is made of. */
export interface WriterParts {
  readonly store: Store;
  readonly queue: WriteQueue;
  readonly logId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: WriterOptions;
  /** Whether it starts paused. */
  readonly paused: boolean;
  /** Called with everything that happened, in order. Must not throw. */
  readonly report: (report: WriterReport) => void;
}

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

/** The background process between a queue and a store. It starts when it is made and lives until `stop`. */
export class Writer {
  /** Resolves when the writer has stopped; rejects where a fault of its own ended it. */
  readonly ended: Promise<void>;
  readonly #parts: WriterParts;
  readonly #paceLimits: PaceLimits;
  readonly #wake: Wake;
  readonly #looks: Looks;
  readonly #beats = new Beats();
  readonly #start: ClockReading;
  #state: WriterState = "resting";
  #paused: boolean;
  #stopping = false;
  #everOpen = false;
  /** The claim of the open store; null while it must be opened (anew). */
  #generation: number | null = null;
  #known: Known | null = null;
  /** A run whose commit has failed or is under way. It stays the same until it is known what became of it. */
  #inHand: Run | null = null;
  #trouble: Trouble | null = null;
  #notBefore: number | null = null;
  #restUntil: number | null = null;
  #hurryUpTo = 0;
  #sweepStopped = false;
  readonly #steps = new Steps();
  readonly #pauses: (() => void)[] = [];

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#paused = parts.paused;
    this.#paceLimits = {
      delayMs: parts.options.delayMs,
      enoughBytes: enoughBytes(parts.options.batchBytes, parts.options.queueBytes),
    };
    this.#wake = new Wake(parts.clock);
    this.#looks = new Looks(parts.queue, parts.clock, () => this.#wake.wake());
    this.#start = this.#clocks();
    this.ended = this.#live();
  }

  /**
   * Does not wait for company until the position has reached this sequence. While the store is down the next try comes
   * within a second; more hurrying does not make it sooner.
   */
  hurry(upTo: number): void {
    this.#hurryUpTo = Math.max(this.#hurryUpTo, upTo);
    if (this.#trouble?.broken === false && this.#notBefore !== null) {
      this.#notBefore = Math.min(this.#notBefore, this.#now() + hurriedRetryMaxMs);
    }
    this.#wake.wake();
  }

  /** Commits now, be it nothing: so it sees whether the store is still where it was. */
  lookAtStore(): void {
    this.#beats.hasten(this.#now());
    this.#wake.wake();
  }

  /** Takes no new run, and tries no failed one again. Resolves when the run that is being committed has ended. */
  pause(): Promise<void> {
    this.#paused = true;
    if (this.#state !== "running") return Promise.resolve();
    return new Promise((resolve) => this.#pauses.push(resolve));
  }

  /** Goes on, at once also where the next try was far away. */
  resume(): void {
    this.#paused = false;
    if (this.#notBefore !== null) this.#notBefore = this.#now();
    this.#wake.wake();
  }

  /**
   * One run now, paused or not. Resolves with null where nothing is pending; rejects when the run fails (it stays in
   * hand, and the queue keeps everything).
   */
  step(): Promise<BatchReport | null> {
    if (this.#stopping) return Promise.reject(stopped());
    this.#wake.wake();
    return this.#steps.add();
  }

  /** Finishes the run in hand, closes the store. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.wake();
    return this.ended;
  }

  async #live(): Promise<void> {
    await Promise.resolve();
    while (!this.#stopping) {
      try {
        if (this.#generation === null) await this.#open();
        const act = await this.#wait();
        // Asked again: whoever has paused it since that was decided was told that it stands still.
        if (act === "run" && (!this.#paused || this.#steps.waiting)) await this.#run();
        if (act === "beat") await this.#beat();
      } catch (error) {
        this.#fail(error);
      }
    }
    await this.#close();
  }

  // Open: where is the store, and does it belong to this queue?

  async #open(): Promise<void> {
    await this.#rest();
    if (this.#stopping) return;
    const { store, queue, logId } = this.#parts;
    this.#setState("opening");
    const opened = await store.open({ logId });
    const position = opened.position ?? (await queue.base());
    await queue.check(position);
    if (opened.position === null) await readsFrom(queue, position, store.place);
    this.#settle(opened, position);
    this.#generation = opened.generation;
    this.#everOpen = true;
    if (this.#trouble?.opening === true) this.#recovered();
    this.#setState("ready");
  }

  /** After a failure, before a store is opened again. A step ends it: a person is there. */
  async #rest(): Promise<void> {
    while (!this.#stopping && !this.#steps.waiting && this.#notBefore !== null) {
      const restMs = this.#notBefore - this.#now();
      if (restMs <= 0) return;
      await this.#wake.sleep(restMs);
    }
  }

  /** Compares where the store is with where it should be, and takes up the work from there. */
  #settle(opened: StoreOpened, position: Position): void {
    const known = this.#known;
    const found: Known = { position, expected: opened.position };
    if (known !== null && samePlace(known, found)) return;
    if (
      known !== null &&
      this.#inHand !== null &&
      opened.position !== null &&
      samePosition(position, this.#inHand.to)
    ) {
      // Our COMMIT was done and its answer was lost. Promise 5: the run must not be written again.
      this.#reached(this.#inHand, 0);
      return;
    }
    this.#inHand = null;
    this.#known = null;
    if (known !== null && position.sequence > known.position.sequence) throw overtaken(known.position, position);
    // A restored backup, a failover: the queue still holds what the store has lost, and it is written again.
    if (known !== null) this.#parts.report({ type: "warning", text: wentBack(known.position, position) });
    this.#known = found;
    this.#looks.forget();
    this.#beats.opened(this.#now());
    const { kind, place } = this.#parts.store;
    this.#parts.report({ type: "opened", position, kind, place });
  }

  // Wait: until there is something to do and it is time.

  async #wait(): Promise<"run" | "beat" | "stop"> {
    for (;;) {
      if (this.#stopping) return "stop";
      this.#looks.throwFailure();
      const next = pace(
        {
          now: this.#now(),
          paused: this.#paused,
          stepping: this.#steps.waiting,
          hurried: this.#hurried(),
          restUntil: this.#restUntil,
          notBefore: this.#notBefore,
          inHand: this.#inHand !== null,
          seen: this.#looks.seen,
          asking: this.#looks.asking,
          beatAt: this.#beats.at,
        },
        this.#paceLimits,
      );
      if (next.act === "run" || next.act === "beat") return next.act;
      if (next.act === "look") this.#looks.look(this.#position().sequence);
      else await this.#wake.sleep(next.ms);
    }
  }

  // Run: mark, read, coalesce, commit, acknowledge, report.

  async #run(): Promise<void> {
    this.#setState("running");
    this.#steps.begin();
    this.#inHand ??= await this.#take();
    const report = this.#inHand === null ? null : await this.#commit(this.#inHand);
    this.#setState("ready");
    this.#steps.succeed(report);
  }

  /** Makes a run of what follows the committed position, up to the durable mark; null where nothing does. */
  async #take(): Promise<Run | null> {
    const { queue, options } = this.#parts;
    const from = this.#position();
    // A folder that was wiped or exchanged under a running writer must be found before its frames are written.
    await queue.check(from);
    const mark = await queue.durableMark();
    if (mark <= from.sequence) {
      this.#looks.forget();
      this.#notBefore = this.#now() + emptyLookMs;
      return null;
    }
    const maker = new RunMaker(from, { bytes: options.batchBytes, records: options.batchRecords });
    for await (const piece of queue.read(from.sequence, mark)) {
      if (!piece.every((frame) => maker.take(frame))) break;
    }
    const run = maker.finish();
    assert(run !== null && run.to.sequence <= mark, `no frames between ${from.sequence} and the durable mark ${mark}`);
    return run;
  }

  async #commit(run: Run): Promise<BatchReport> {
    const startedAt = this.#now();
    const { to, clear, rows } = run;
    const sweepUpTo = this.#sweepBound(run.at);
    await this.#parts.store.commit({ ...this.#claim(), to, clear, rows, sweepUpTo });
    return this.#reached(run, this.#now() - startedAt);
  }

  /** A run is in the store. */
  #reached(run: Run, commitMs: number): BatchReport {
    this.#known = { position: run.to, expected: run.to };
    this.#inHand = null;
    this.#restUntil = this.#now() + restMs(commitMs, this.#parts.options.delayMs);
    this.#looks.forget();
    this.#beats.ran(run.at, this.#now());
    this.#recovered();
    const report = reportOf(run, commitMs);
    this.#parts.queue.acknowledge(run.to);
    this.#parts.report({ type: "committed", position: run.to, report });
    return report;
  }

  // Beat: keep the claim fresh and sweep, while there is nothing to write or it must wait.

  async #beat(): Promise<void> {
    this.#setState("running");
    const to = this.#position();
    const { logTime } = this.#beats;
    const sweepUpTo = this.#paused || logTime === null ? null : this.#sweepBound(logTime);
    await this.#parts.store.commit({ ...this.#claim(), to, clear: false, rows: new Map(), sweepUpTo });
    this.#known = { position: to, expected: to };
    this.#beats.beaten(this.#now(), this.#paused);
    if (this.#inHand === null) this.#recovered();
    this.#setState("ready");
  }

  /** Up to where may be swept. That a clock has jumped is said once. */
  #sweepBound(logTime: number): number | null {
    const bound = sweepBound(logTime, this.#start, this.#clocks());
    if (bound === null && !this.#sweepStopped) {
      const text = "a clock has jumped: the log is more than a day ahead of it, so expired rows are not deleted";
      this.#parts.report({ type: "warning", text });
    }
    this.#sweepStopped = bound === null;
    return bound;
  }

  // Failure and recovery.

  #fail(error: unknown): void {
    const attempt = (this.#trouble?.attempt ?? 0) + 1;
    const kind = storeErrorKind(error);
    const next = verdict(kind, attempt, this.#parts.random.number(), this.#hurried(), this.#parts.options);
    const opening = this.#state === "opening";
    const told = this.#trouble?.told === true || kind !== "moved" || attempt > 1;
    const failure = describeFailure(error, opening ? "opening" : "writing to", this.#parts.store.place);
    this.#trouble = { since: this.#trouble?.since ?? this.#now(), attempt, broken: next.broken, told, opening };
    this.#notBefore = this.#now() + next.delayMs;
    this.#looks.forget();
    if (next.reopen || opening) this.#generation = null;
    this.#setState("resting");
    if (told) {
      const first = !this.#everOpen;
      if (next.broken) this.#parts.report({ type: "broken", error: failure, opening: first, away: isStoreAway(error) });
      else this.#parts.report({ type: "retry", error: failure, attempt, delayMs: next.delayMs, opening: first });
    }
    this.#steps.fail(errorOfPlain(failure));
  }

  #recovered(): void {
    const trouble = this.#trouble;
    this.#trouble = null;
    this.#notBefore = null;
    if (trouble?.told === true) this.#parts.report({ type: "up", downMs: this.#now() - trouble.since });
  }

  async #close(): Promise<void> {
    this.#setState("stopped");
    this.#steps.failAll(stopped());
    try {
      await this.#parts.store.close();
    } catch {
      this.#parts.report({ type: "warning", text: `the store ${this.#parts.store.place} could not be closed` });
    }
  }

  /** The one place where the state changes. */
  #setState(state: WriterState): void {
    assertTransition(this.#state, state, {
      open: this.#generation !== null && this.#known !== null,
      failed: this.#trouble !== null && this.#notBefore !== null,
      stopping: this.#stopping,
    });
    this.#state = state;
    if (state !== "running") for (const resolve of this.#pauses.splice(0)) resolve();
  }

  #claim(): { expected: Position | null; generation: number } {
    assert(this.#known !== null && this.#generation !== null, "no claim");
    return { expected: this.#known.expected, generation: this.#generation };
  }

  #position(): Position {
    assert(this.#known !== null, "no position");
    return this.#known.position;
  }

  #hurried(): boolean {
    return this.#hurryUpTo > (this.#known?.position.sequence ?? 0);
  }

  #clocks(): ClockReading {
    return { wall: this.#parts.clock.now(), monotonic: this.#now() };
  }

  #now(): number {
    return this.#parts.clock.monotonic();
  }
}
