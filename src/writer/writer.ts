/**
 * Station 3: the writer. One loop that brings what the queue holds into the store: open, wait, take a run, commit,
 * again. It decides nothing by itself: what goes into a run (run.ts), when to act (pace.ts), what a failure means
 * (retry.ts), how large a run may be while a bad frame is looked for (halving.ts), when to beat and what to sweep
 * (beat.ts) are pure functions. Runs are taken and given up in runs.ts, parked groups tried in suspects.ts. It does not
 * know on which thread it runs (writer-link.ts), nor what queue and store are made of. Its states are in state.ts.
 */
import { errorOfPlain } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Position } from "../queue/queue.js";
import { blamesBatch, generationAfter, type Batch, type Parking, type StoreOpened } from "../store/store.js";
import { Beats, Sweeps, type ClockReading } from "./beat.js";
import { notOpenYet, overtaken, stopped, wentBack } from "./failures.js";
import { readsFrom, samePlace, type Known } from "./known.js";
import { Looks } from "./look.js";
import type { DeadLetterPage, LetterIds, LetterOutcome, ParkedOverlay } from "./messages.js";
import { emptyLookMs, enoughBytes, pace, restMs, type Pace, type PaceLimits } from "./pace.js";
import { Parked, type ParkingRun } from "./parked.js";
import type { WriterParts } from "./parts.js";
import { reportOf } from "./run.js";
import { Runs, type CommitHere } from "./runs.js";
import { assert, assertTransition, type WriterState } from "./state.js";
import { Steps } from "./steps.js";
import { Suspects, type LettersOrder } from "./suspects.js";
import { Troubles } from "./trouble.js";
import { Wake } from "./wake.js";

/** The background process between a queue and a store. It starts when it is made and lives until `stop`. */
export class Writer {
  /** Resolves when the writer has stopped; rejects where a fault of its own ended it. */
  readonly ended: Promise<void>;
  readonly #parts: WriterParts;
  readonly #paceLimits: PaceLimits;
  readonly #wake: Wake;
  readonly #looks: Looks;
  readonly #troubles: Troubles;
  readonly #beats = new Beats();
  readonly #sweeps: Sweeps;
  #state: WriterState = "resting";
  #paused: boolean;
  #stopping = false;
  /** The claim of the open store; null while it must be opened (anew). */
  #generation: number | null = null;
  #known: Known | null = null;
  #restUntil: number | null = null;
  readonly #parked = new Parked();
  readonly #runs: Runs;
  readonly #suspects: Suspects;
  #triedLast = false;
  /** Somebody may have changed the tables: the store is opened anew before anything else. */
  #lookAfresh = false;
  #hurryUpTo = 0;
  readonly #steps = new Steps();
  readonly #pauses: (() => void)[] = [];

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#paused = parts.paused;
    const { delayMs, batchBytes, queueBytes } = parts.options;
    this.#paceLimits = { delayMs, enoughBytes: enoughBytes(batchBytes, queueBytes) };
    this.#wake = new Wake(parts.clock);
    this.#looks = new Looks(parts.queue, parts.clock, () => this.#wake.wake());
    this.#troubles = new Troubles(parts);
    const commitHere: CommitHere = (rows, parking, frames) => this.#commitHere(rows, parking, null, frames);
    this.#runs = new Runs({
      ...parts,
      parked: this.#parked,
      troubles: this.#troubles,
      commit: (run) => this.#commit(run),
      commitHere,
      stopping: () => this.#stopping,
      halted: () => this.#stopping || (this.#paused && !this.#steps.running),
    });
    this.#suspects = new Suspects({ ...parts, parked: this.#parked, now: () => this.#now(), commit: commitHere });
    const clocks = (): ClockReading => ({ wall: parts.clock.now(), monotonic: this.#now() });
    this.#sweeps = new Sweeps(clocks, (text) => parts.report({ type: "warning", text }));
    this.ended = this.#live();
  }

  /**
   * Does not wait for company until the position has reached this sequence. While the store is down the next try comes
   * within a second; more hurrying does not make it sooner.
   */
  hurry(upTo: number): void {
    this.#hurryUpTo = Math.max(this.#hurryUpTo, upTo);
    this.#troubles.hurry();
    this.#wake.wake();
  }

  /** Commits now, be it nothing: so it sees whether the store is still where it was. */
  lookAtStore(): void {
    this.#beats.hasten(this.#now());
    this.#wake.wake();
  }

  /** Everything that is parked, as it was reported. */
  get parked(): ParkedOverlay {
    return this.#parked.overlay();
  }

  /** Takes no new run, and tries no failed one again. Resolves when the run that is being committed has ended. */
  pause(): Promise<void> {
    this.#paused = true;
    if (this.#state !== "running") return Promise.resolve();
    return new Promise((resolve) => this.#pauses.push(resolve));
  }

  /** Goes on, at once also where the next try was far away, and with a fresh look at the store. */
  resume(): void {
    this.#lookAfresh = this.#paused;
    this.#paused = false;
    this.#troubles.endPause();
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

  /** Dead letters after this id (null: from the first). */
  async list(limit: number, after: string | null): Promise<DeadLetterPage> {
    if (!this.#troubles.everOpen) throw notOpenYet();
    return this.#suspects.list(limit, after);
  }

  /** Tries letters again now or gives them up, paused or not. Rejects when the store fails. */
  settleLetters(what: LettersOrder, ids: LetterIds): Promise<readonly LetterOutcome[]> {
    if (this.#stopping) return Promise.reject(stopped());
    this.#wake.wake();
    return this.#suspects.order(what, ids);
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
      let act: Pace["act"] | null = null;
      try {
        if (this.#lookAfresh) this.#generation = null;
        if (this.#generation === null) await this.#open();
        act = await this.#wait();
        await this.#do(act);
      } catch (error) {
        this.#fail(error, act);
      }
    }
    await this.#close();
  }

  async #do(act: Pace["act"] | null): Promise<void> {
    // Asked again: whoever has paused it since that was decided was told that it stands still.
    if (act === "run" && (!this.#paused || this.#steps.waiting)) await this.#run();
    if (act === "try" && !this.#paused) await this.#try(() => this.#suspects.tryNext(), false);
    if (act === "order") await this.#obey();
    if (act === "beat") await this.#beat();
    this.#triedLast = act === "try";
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
    this.#lookAfresh = false;
    if (opened.tables !== undefined) this.#parts.report({ type: "tables", tables: opened.tables });
    this.#settle(opened, position);
    this.#claimed(opened.generation);
    this.#runs.canPark = opened.parked !== undefined;
    this.#troubles.opened();
    this.#setState("ready");
  }

  /** After a failure, before a store is opened again. A step or an order ends it: a person is there. */
  async #rest(): Promise<void> {
    while (!this.#stopping && !this.#steps.waiting && !this.#suspects.ordered) {
      const restMs = (this.#troubles.notBefore ?? 0) - this.#now();
      if (restMs <= 0) return;
      await this.#wake.sleep(restMs);
    }
  }

  /** Compares where the store is with where it should be, and takes up the work from there. */
  #settle(opened: StoreOpened, position: Position): void {
    const known = this.#known;
    const found: Known = { position, expected: opened.position };
    const groups = opened.parked ?? [];
    const done = known === null ? null : this.#runs.doneAt(position, groups);
    if (known !== null && samePlace(known, found)) {
      this.#known = found;
      this.#runs.reopened();
      if (this.#suspects.agreesWith(groups)) return;
      this.#runs.giveUp();
    } else if (done !== null) {
      // Our COMMIT was done and its answer was lost. Promise 5: the run must not be written again.
      this.#reached(done, 0);
      if (this.#suspects.agreesWith(groups)) return;
    } else {
      this.#runs.forget();
      this.#known = null;
      if (known !== null && position.sequence > known.position.sequence) throw overtaken(known.position, position);
      // A restored backup, a failover: the queue still holds what the store has lost, and it is written again.
      if (known !== null) this.#parts.report({ type: "warning", text: wentBack(known.position, position) });
      this.#known = found;
    }
    this.#suspects.load(groups);
    this.#looks.forget();
    this.#beats.opened(this.#now());
    const { kind, place } = this.#parts.store;
    this.#parts.report({ type: "opened", position, kind, place, parked: this.parked });
  }

  // Wait: until there is something to do and it is time.

  async #wait(): Promise<Pace["act"] | null> {
    for (;;) {
      if (this.#stopping || this.#lookAfresh) return null;
      this.#looks.throwFailure();
      const next = pace(
        {
          now: this.#now(),
          paused: this.#paused,
          stepping: this.#steps.waiting,
          ordered: this.#suspects.ordered,
          hurried: this.#hurried(),
          restUntil: this.#restUntil,
          notBefore: this.#troubles.notBefore,
          inHand: this.#runs.busy,
          seen: this.#looks.seen,
          asking: this.#looks.asking,
          beatAt: this.#beats.at,
          tryAt: this.#suspects.dueAt,
          triedLast: this.#triedLast,
        },
        this.#paceLimits,
      );
      if (next.act === "look") this.#looks.look(this.#position().sequence);
      else if (next.act === "sleep") await this.#wake.sleep(next.ms);
      else return next.act;
    }
  }

  // Run: mark, read, coalesce, commit, acknowledge, report.

  async #run(): Promise<void> {
    this.#setState("running");
    this.#steps.begin();
    const report = await this.#runs.commitNext(this.#position());
    if (report === null) {
      this.#looks.forget();
      this.#troubles.notBefore = this.#now() + emptyLookMs;
    }
    this.#setState("ready");
    // Who stops it in the midst of looking for a bad frame is not told that nothing is pending.
    if (report !== null || !this.#stopping) this.#steps.succeed(report);
  }

  async #commit(run: ParkingRun): Promise<BatchReport> {
    const startedAt = this.#now();
    const { to, clear, rows, frames, at } = run;
    const [parking, sweepUpTo] = [this.#suspects.withTries(run), this.#sweeps.bound(at)];
    await this.#parts.store.commit({ ...this.#claim(), to, clear, rows, frames, sweepUpTo, parking });
    return this.#reached(run, this.#now() - startedAt);
  }

  /** A run is in the store. */
  #reached(run: ParkingRun, commitMs: number): BatchReport {
    this.#known = { position: run.to, expected: run.to };
    this.#runs.reached(run);
    this.#restUntil = this.#now() + restMs(commitMs, this.#parts.options.delayMs);
    this.#looks.forget();
    this.#beats.ran(run.at, this.#now());
    this.#troubles.recovered();
    const report = reportOf(run, commitMs);
    this.#parts.queue.acknowledge(run.to);
    this.#parts.report({ type: "committed", position: run.to, report, parked: this.#suspects.reached(run) });
    return report;
  }

  // Between runs: parked groups, and beats.

  /** Work on parked groups. Where it is not known what became of it the store is opened anew, and tells. */
  async #try(work: () => Promise<void>, ordered: boolean): Promise<void> {
    this.#setState("running");
    try {
      await work();
      // Broken by too many letters: whether an order has mended that the next run tells.
      if (!ordered || !this.#troubles.broken) this.#troubles.recovered();
      this.#setState("ready");
    } catch (error) {
      // That one group takes too long is no failure of the store. Whoever has ordered it must hear of it.
      if (!blamesBatch(error) || ordered) throw error;
      this.#generation = null;
    }
  }

  /** What was ordered of dead letters. A run in hand may be done: the store, opened anew, tells, and it is given up. */
  async #obey(): Promise<void> {
    if (this.#runs.busy) {
      this.#generation = null;
      await this.#open();
      this.#runs.giveUp();
    }
    if (this.#generation === null) return;
    await this.#try(() => this.#suspects.obey(() => this.#stopping), true);
    // There may be room for a letter now, or a mended schema.
    if (this.#troubles.broken) this.#troubles.endPause();
  }

  /** Keeps the claim fresh and sweeps, while there is nothing to write or it must wait. */
  async #beat(): Promise<void> {
    this.#setState("running");
    const logTime = this.#paused ? null : this.#beats.logTime;
    await this.#commitHere(new Map(), null, logTime === null ? null : this.#sweeps.bound(logTime));
    this.#beats.beaten(this.#now(), this.#paused);
    if (!this.#runs.busy) this.#troubles.recovered();
    this.#setState("ready");
  }

  /** A commit that does not move the position. */
  async #commitHere(rows: Batch["rows"], parking: Parking | null, sweepUpTo: number | null, frames = 0): Promise<void> {
    const batch: Batch = { ...this.#claim(), to: this.#position(), clear: false, rows, frames, sweepUpTo, parking };
    await this.#parts.store.commit(batch);
    this.#known = { position: batch.to, expected: batch.to };
    this.#claimed(generationAfter(batch));
  }

  // Failure and recovery.

  #fail(error: unknown, act: Pace["act"] | null): void {
    const opening = this.#state === "opening";
    const { failure, reopen, told } = this.#troubles.failed(error, opening, this.#hurried(), this.#parts.store.place);
    this.#looks.forget();
    if (reopen || this.#suspects.unsure) this.#generation = null;
    this.#setState("resting");
    this.#steps.fail(errorOfPlain(failure));
    if (told && (opening || act === "order")) this.#suspects.fail(errorOfPlain(failure));
  }

  async #close(): Promise<void> {
    this.#setState("stopped");
    this.#steps.failAll(stopped());
    this.#suspects.failAll(stopped());
    const { store, report } = this.#parts;
    const text = `the store ${store.place} could not be closed`;
    await store.close().catch(() => report({ type: "warning", text }));
  }

  /** The one place where the state changes. */
  #setState(state: WriterState): void {
    assertTransition(this.#state, state, {
      open: this.#generation !== null && this.#known !== null,
      failed: this.#troubles.any && this.#troubles.notBefore !== null,
      stopping: this.#stopping,
    });
    this.#state = state;
    if (state !== "running") for (const resolve of this.#pauses.splice(0)) resolve();
  }

  #claimed(generation: number): void {
    if (generation !== this.#generation) this.#parts.report({ type: "generation", generation });
    this.#generation = generation;
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

  #now(): number {
    return this.#parts.clock.monotonic();
  }
}
