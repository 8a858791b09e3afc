/**
 * The writer's runs: taking one, and what becomes of it when it is refused. It reads the queue and knows what is
 * parked; it commits through the writer, which owns position and claim.
 */
import type { Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import type { BatchReport } from "../events.js";
import type { Clock } from "../host/host.js";
import { samePosition, type FrameOnDisk, type Position, type Region, type WriteQueue } from "../queue/queue.js";
import { blamesBatch, missesRow, StoreError, storeErrorKind, type ParkedGroup, type Parking } from "../store/store.js";
import { notOneChange, tooLargeLetters, tooManyLetters } from "./failures.js";
import { grown, halved, whole } from "./halving.js";
import type { WriterOptions } from "./messages.js";
import { Aside, type Parked, type ParkingRun } from "./parked.js";
import { blamesMax } from "./retry.js";
import { ReadAhead } from "./read-ahead.js";
import { RegionDrain } from "./region.js";
import { RunMaker, type PutAside, type Run } from "./run.js";
import { assert } from "./state.js";
import type { Troubles } from "./trouble.js";

/** One transaction at the position where the store is. `frames`: as in a batch; left out, it cannot be cut. */
export type CommitHere = (rows: ReadonlyMap<Bytes, Change>, parking: Parking | null, frames?: number) => Promise<void>;

/** What runs are made with. */
export interface RunsParts {
  readonly queue: WriteQueue;
  readonly options: WriterOptions;
  readonly parked: Parked;
  readonly clock: Clock;
  readonly troubles: Pick<Troubles, "any" | "startAnew" | "recovered">;
  readonly commit: (run: ParkingRun) => Promise<BatchReport>;
  readonly commitHere: CommitHere;
  readonly stopping: () => boolean;
  /** It stops, or is to stand still. */
  readonly halted: () => boolean;
  /** As in WriterParts. */
  readonly others?: (() => Promise<void>) | undefined;
}

/** The runs of one writer. */
export class Runs {
  readonly #parts: RunsParts;
  /** A run whose commit has failed or is under way. It stays the same until it is known what became of it. */
  #inHand: ParkingRun | null = null;
  /**
   * The region that the store is brought over, and how far that is; the region stays as it is until the store is
   * there.
   */
  #region: Region | null = null;
  #drain: RegionDrain | null = null;
  /** Runs that were given up for smaller ones although their commit may still be done: its answer was lost once. */
  #unsure: ParkingRun[] = [];
  /** The store was opened anew since the last try. */
  #reopened = false;
  #halving = whole;
  readonly #ahead: ReadAhead;
  /** The frame that has been tried again after other partitions had gone on. */
  #waitedFor = 0;
  /** Failures of the run in hand, in a row, that may have been its own fault. */
  #blames = 0;
  /** Whether the store keeps dead letters. */
  canPark = true;

  constructor(parts: RunsParts) {
    this.#parts = parts;
    this.#ahead = new ReadAhead(parts.clock, (from, upTo) => this.#read(from, upTo, null));
  }

  /** Whether something was begun that goes first. */
  get busy(): boolean {
    return this.#inHand !== null || this.#drain !== null;
  }

  /**
   * Commits the run in hand, or else a new one of what follows `from`; where it is refused, the half of it, or of
   * that the half …, down to one frame, which is parked (promise 7). Of a region all is committed. Null where nothing
   * is to be done, or it was halted.
   */
  async commitNext(from: Position): Promise<BatchReport | null> {
    const { commit, stopping } = this.#parts;
    await this.#checkInHand();
    do {
      const run = (this.#inHand ??= await this.#next(from));
      if (run === null) return null;
      try {
        this.#reopened = false;
        const committing = commit(run);
        this.#ahead.beginSoon(run);
        return await committing;
      } catch (error) {
        // A database that is down may stay so for long: meanwhile the region may grow. What it is then is drained anew.
        this.#closeRegion();
        const reason = await this.#refusal(error);
        if (!(await this.#waitedForOthers(run, error))) await this.#refused(run, reason);
      } finally {
        await this.#ahead.settled();
      }
    } while (!stopping());
    return null;
  }

  /** A run is in the store. */
  reached({ from, to }: Run): void {
    this.#blames = 0;
    this.#halving = grown(this.#halving, from.sequence, to.sequence);
    this.giveUp();
  }

  /** The run that has brought the store to this position, where these groups are parked; null where none has. */
  doneAt(position: Position, groups: readonly ParkedGroup[]): ParkingRun | null {
    const runs = this.#inHand === null ? this.#unsure : [this.#inHand, ...this.#unsure];
    const sequences = new Set(groups.map(({ id }) => id));
    // The same frame as a row, and as a letter: the store tells which of the two was done.
    const has = ({ parking }: ParkingRun): boolean =>
      parking === null || parking.letter === null || sequences.has(parking.letter.position.sequence);
    return runs.find((run) => samePosition(run.to, position) && has(run)) ?? null;
  }

  /** No run is in hand: what was not committed is taken anew. */
  giveUp(): void {
    this.#inHand = null;
    this.#unsure = [];
    this.#closeRegion();
  }

  /**
   * The store was opened anew. Between the commits of a region its position does not tell whether it still has those
   * before (promise 5): so it begins again.
   */
  reopened(): void {
    if (this.#inHand?.drained !== undefined) this.#inHand = null;
    this.#reopened = true;
    this.#closeRegion();
  }

  /**
   * Where the log has lost the run in hand, another one takes its place, once it is certain that it was not done: the
   * store is opened anew, and is where it was.
   */
  async #checkInHand(): Promise<void> {
    const run = this.#inHand;
    if (run === null || run.drained !== undefined || (await this.#holds(run))) return;
    if (!this.#reopened) throw new StoreError("moved", "the log has lost what was being written");
    this.giveUp();
  }

  async #holds({ to }: Run): Promise<boolean> {
    const { queue } = this.#parts;
    return queue.holds === undefined || queue.holds(to);
  }

  /** The store is somewhere else: what was known of bad frames is not true there. */
  forget(): void {
    this.giveUp();
    this.#halving = whole;
  }

  /**
   * Why the run was refused, for what it is. Throws what is no refusal. A failure that may be the batch's fault is one
   * where it happens again and again although the store answers in between.
   */
  async #refusal(error: unknown): Promise<string> {
    const blames = this.#blames + 1;
    this.#blames = 0;
    if (!blamesBatch(error) && storeErrorKind(error) !== "refused") throw error;
    if (blamesBatch(error)) {
      await this.#parts.commitHere(new Map(), null);
      if (blames < blamesMax) {
        this.#blames = blames;
        throw error;
      }
    }
    return (error as Error).message;
  }

  /** The one frame that refers to a row which is not there is tried again, once, when other partitions have gone on. */
  async #waitedForOthers({ from, to }: Run, error: unknown): Promise<boolean> {
    const { others } = this.#parts;
    const isOne = to.sequence - from.sequence === 1;
    if (others === undefined || !isOne || !missesRow(error) || this.#waitedFor === to.sequence) return false;
    this.#waitedFor = to.sequence;
    await others();
    return true;
  }

  /** Half of the run comes next, or, where it is one frame, a run that parks it. */
  async #refused(run: ParkingRun, reason: string): Promise<void> {
    const { troubles } = this.#parts;
    const { from, to } = run;
    if (run.drained !== undefined) throw notOneChange(reason);
    const isOne = to.sequence - from.sequence === 1;
    const next = isOne && !(await this.#isInRegion(from)) ? await this.#parkingRun(run, reason) : null;
    if (next === null) this.#halving = halved(from.sequence, to.sequence);
    // It failed before of something else: its commit may still be done.
    if (troubles.any) this.#unsure.push(run);
    troubles.startAnew();
    this.#inHand = next;
  }

  /** What follows a position: a run of frames, or what is left to commit of a region. */
  async #next(from: Position): Promise<ParkingRun | null> {
    const { queue } = this.#parts;
    if (this.#drain !== null) return this.#drained(this.#drain);
    // A folder that was wiped or exchanged under a running writer must be found before its frames are written.
    await queue.check(from);
    this.#region = queue.region === undefined ? null : await queue.region(from);
    if (this.#region === null) return this.#make(from);
    this.#drain = new RegionDrain({ ...this.#parts, region: this.#region, from, ...this.#forRegion() });
    return this.#drained(this.#drain);
  }

  #forRegion(): Pick<ConstructorParameters<typeof RegionDrain>[0], "canPark" | "refusal" | "commit"> {
    const { commitHere, troubles } = this.#parts;
    return {
      canPark: this.canPark,
      refusal: (error) => this.#refusal(error),
      commit: async (rows) => {
        // Something is parked, if nothing: so the generation tells a store that went back to before this commit.
        await commitHere(rows, { drop: [], put: [] }, rows.size);
        this.#blames = 0;
        troubles.recovered();
      },
    };
  }

  /** The commit that ends a region, when all before it are done; null where it was halted. */
  async #drained(drain: RegionDrain): Promise<ParkingRun | null> {
    try {
      const last = await drain.drain();
      if (last !== null) this.#drain = null;
      return last;
    } catch (error) {
      if (!blamesBatch(error)) this.#closeRegion();
      throw error;
    }
  }

  #closeRegion(): void {
    this.#drain = null;
    this.#region?.close();
    this.#region = null;
  }

  /** Whether what follows a position has become a region since it was read. */
  async #isInRegion(from: Position): Promise<boolean> {
    const { queue } = this.#parts;
    const region = queue.region === undefined ? null : await queue.region(from);
    region?.close();
    return region !== null;
  }

  async #make(from: Position): Promise<ParkingRun | null> {
    const { queue, parked } = this.#parts;
    const mark = await queue.durableMark();
    if (mark <= from.sequence) return null;
    const upTo = Math.min(mark, from.sequence + (this.#halving.framesMax ?? Infinity));
    const aside = parked.size === 0 ? null : new Aside(parked);
    const ahead = aside === null && upTo === mark ? await this.#readAhead(from) : null;
    const run = ahead ?? (await this.#read(from, upTo, aside));
    assert(run.to.sequence <= mark, `frame ${run.to.sequence} is beyond the durable mark ${mark}`);
    this.#ahead.expect(run, aside === null && upTo === mark ? mark : null);
    return { ...run, parking: aside?.finish() ?? null };
  }

  /** The run that was read ahead, where that is what the log still says. */
  async #readAhead(from: Position): Promise<Run | null> {
    const run = this.#ahead.take(from);
    return run !== null && (await this.#holds(run)) ? run : null;
  }

  async #read(from: Position, upTo: number, aside: PutAside | null): Promise<Run> {
    const { queue, options } = this.#parts;
    const maker = new RunMaker(from, { bytes: options.batchBytes, records: options.batchRecords }, aside);
    for await (const piece of queue.read(from.sequence, upTo)) {
      if (!piece.every((frame) => maker.take(frame))) break;
    }
    const run = maker.finish();
    assert(run !== null, `no frames between ${from.sequence} and ${upTo}`);
    return run;
  }

  /**
   * The run without its rows: its one frame becomes a letter in the transaction that moves the position over it. Null
   * where the queue went back, and has another frame there now.
   */
  async #parkingRun(run: ParkingRun, reason: string): Promise<ParkingRun | null> {
    const { queue, parked, options, clock } = this.#parts;
    const { letters, letterBytes } = parked.totals;
    if (run.clear || run.rows.size === 0) throw notOneChange(reason);
    if (!this.canPark) throw notOneChange(`${reason} (the store keeps no dead letters)`);
    if (letters >= options.deadLettersMax) throw tooManyLetters(letters, reason);
    if (letterBytes >= options.cacheBytes) throw tooLargeLetters(letters, letterBytes, options.cacheBytes, reason);
    await queue.check(run.from);
    const { frame } = await this.#frameAt(run.to);
    if (!samePosition(frame.position, run.to)) return null;
    const parking = parked.letterOf(frame, reason, Math.max(clock.now(), frame.at));
    return { ...run, rows: new Map(), parking };
  }

  async #frameAt({ sequence }: Position): Promise<FrameOnDisk> {
    for await (const piece of this.#parts.queue.read(sequence - 1, sequence)) {
      const [frame] = piece;
      if (frame !== undefined) return frame;
    }
    throw new Error(`broken invariant: frame ${sequence} was there and is not any more`);
  }
}
