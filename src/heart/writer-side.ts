/**
 * What the heart keeps about its writer: how far the store is, what waits, how it goes. The writer's reports come in
 * here (it may live on another thread) and become marks, counters and events.
 */
import { jsonOfBytes, type Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { WriterTally } from "../counters.js";
import { errorOfPlain, type PlainError, type WriteBehindError } from "../errors.js";
import type { BatchReport, Emitter } from "../events.js";
import type { Reached } from "../heart.js";
import type { Clock } from "../host/host.js";
import type { Journal } from "../queue/journal/journal.js";
import { positionText, type Position, type Waiting } from "../queue/queue.js";
import type { ReachedMark, TableSchema } from "../store/store.js";
import { ChangeCount } from "./change-count.js";
import { isOfJournal, withHint } from "./failures.js";
import { Parked } from "./parked.js";
import { Waits } from "./waits.js";
import { Watchdog } from "./watchdog.js";
import type { NewLetter, ParkedOverlay, ParkedReport, UnparkedReport } from "../writer/messages.js";
import type { WriterHandle, WriterReports } from "../writer/writer-link.js";

/** Records that become clean in one turn of the event loop. */
const acknowledgedAtOnceMax = 2000;

/** A database that has said nothing for so long at the start counts as one that cannot be reached. */
export const silentMs = 5000;

/** How the store is, as status shows it. */
export interface StoreHealth {
  readonly state: "up" | "down" | "broken";
  /** Wall clock, milliseconds since 1970. */
  readonly since: number;
  readonly error: PlainError | null;
  readonly nextTryAt: number | null;
}

/** Counters since the start. */
export interface WriterCounters {
  batches: number;
  rows: number;
  coalesced: number;
  lastCommitMs: number | null;
  retries: number;
}

/** The heart's half of the writer. */
export class WriterSide implements WriterReports {
  readonly counters: WriterCounters = { batches: 0, rows: 0, coalesced: 0, lastCommitMs: null, retries: 0 };
  readonly tally = new WriterTally();
  kind = "unknown";
  place = "";
  health: StoreHealth;
  /** Why the writer cannot read the journal; null where it can. The database is not at fault then. */
  unreadable: PlainError | null = null;
  readonly parked: Parked;
  readonly #changes = new ChangeCount();
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #cache: MemoryCache;
  readonly #events: Emitter;
  readonly #waitsStored = new Waits();
  #position: Position | null = null;
  #generation: number | undefined = undefined;
  /** What the store had when it was furthest: where it has to come again after it went back. */
  #furthest = 0;
  /** Why nothing will be stored any more by this instance. */
  #ended: WriteBehindError | null = null;
  #ask: { readonly sequence: number; readonly answer: (waiting: Waiting) => void } | null = null;
  #begun = false;
  /** The log was read without knowing where the store is, and the cache still holds what came of that. */
  #blind = false;
  #away = false;
  readonly #watchdog: Watchdog;
  #sighted: () => void = () => {};
  /** Ends the hold of a store that the writer is to look at; null where it is not. */
  #looked: (() => void) | null = null;
  /** Called with the tables of the routes, as the store has found them. */
  onTables: (tables: readonly TableSchema[]) => void = () => {};
  /**
   * Called when rows must not be read for now, with a promise of the end of it: the store went back to an older
   * position and has to come where it was, or it has not told yet what is parked.
   */
  onHold: (until: Promise<void>) => void = () => {};
  #firstOutcome: ((error: WriteBehindError | null) => void) | null = null;

  constructor(clock: Clock, journal: Journal, cache: MemoryCache, events: Emitter, delayMs: number) {
    this.#clock = clock;
    this.#watchdog = new Watchdog(clock, delayMs);
    this.#journal = journal;
    this.#cache = cache;
    this.parked = new Parked(cache.bytesMax);
    this.#events = events;
    this.health = { state: "down", since: clock.now(), error: null, nextTryAt: null };
  }

  /** The highest sequence that is in the database; before the store has told it, the log's base. */
  get stored(): number {
    return this.#position?.sequence ?? this.#journal.base.sequence;
  }

  /** Changes that are not in the database. Where the store has not told yet how far it is: at the most so many. */
  get pendingChanges(): number {
    return this.#changes.of(this.#journal.accepted - Math.max(this.stored, this.#journal.oldest() - 1));
  }

  /** What the database has reached, as far as is known; null before the first commit. */
  get reached(): ReachedMark | null {
    const position = this.#position;
    if (position === null || position.sequence === this.#journal.base.sequence) return null;
    return { ...position, generation: this.#generation };
  }

  get positionText(): string | null {
    return this.#position === null ? null : positionText(this.#position);
  }

  /**
   * After which sequence the log must be read to know what is pending: where the store is, or, when the store cannot be
   * reached, the oldest frame kept (newest wins, so reading too much is harmless). A queue without frames waits. Throws
   * what is wrong with a store that answers, or with the place of one that this queue has never seen.
   */
  async firstPosition(journal: Journal): Promise<number> {
    let silent = false;
    const timer = this.#clock.after(silentMs, () => {
      silent = true;
      this.#firstOutcome?.(null);
    });
    while (this.#position === null) {
      const error = await new Promise<WriteBehindError | null>((resolve) => (this.#firstOutcome = resolve));
      const canServe = journal.accepted > journal.base.sequence;
      if (error !== null && this.#mustBeMended && !(this.#away && canServe)) throw error;
      if ((error !== null || silent) && canServe) break;
    }
    timer.cancel();
    this.#blind = this.#position === null;
    // What is parked only the writer can tell; a row without it may be older than what was read before (promise 2).
    if (this.#blind) this.onHold(new Promise((resolve) => (this.#sighted = resolve)));
    return this.#position?.sequence ?? journal.oldest() - 1;
  }

  /** A recovered frame. The store may have opened meanwhile, and may already have it. */
  recovered(sequence: number, changes: number): void {
    if (this.#position !== null && sequence <= this.#position.sequence) return;
    this.#changes.accepted(sequence, changes);
  }

  /** Recovery is over: the writer may have what waits. */
  begin(): void {
    this.#begun = true;
    // What was committed while the log was read must not stay pending in the cache.
    this.#cache.acknowledge(this.stored);
    if (this.#position !== null) this.#journal.acknowledge(this.#position);
    this.#endBlindness();
    this.#watchdog.pending(this.#journal.accepted > this.stored);
    this.#answer();
  }

  /** A frame was taken. */
  accepted(sequence: number, changes: number): void {
    this.#changes.accepted(sequence, changes);
    this.#watchdog.pending(true);
    if (this.#ask !== null) this.#answer();
    if (this.#events.has("accepted")) this.#events.emit("accepted", { sequence, changes });
  }

  whenStored(sequence: number, reached: Reached): () => void {
    if (sequence > this.stored && this.#ended === null) {
      const wait = this.#waitsStored.add(sequence, reached);
      return () => this.#waitsStored.cancel(wait);
    }
    reached(sequence > this.stored ? this.#ended : null);
    return () => {};
  }

  /** Up to where the store must have come to have these records as they are now; 0 where it has them. */
  sequenceOf(records: Iterable<Bytes>): number {
    // What a store that went back has lost is not remembered by record.
    let sequence = this.#furthest > this.stored ? this.#furthest : 0;
    for (const record of records) sequence = Math.max(sequence, this.#cache.sequenceOf(record));
    return sequence;
  }

  /** Nothing will be stored any more by this instance. */
  fail(error: WriteBehindError): void {
    this.#ended ??= error;
    this.#waitsStored.fail(error);
  }

  /** A read has seen that the store is not where it was. Says whether the writer may heal that by itself. */
  lookAgain(writer: WriterHandle | null): boolean {
    writer?.lookAtStore();
    if (this.#mustBeMended) return false;
    // By opening it the writer claims it anew, and then a row looks true before what is parked of it is known here.
    if (this.#looked === null) this.onHold(new Promise((resolve) => (this.#looked = resolve)));
    return true;
  }

  /** The writer was told to go on. */
  resumed(): void {
    this.#watchdog.resumed();
  }

  /** Says it once where the writer stands still although there is work, and once where it goes on. */
  watch(paused: boolean): void {
    const found = this.#watchdog.look({ paused, store: this.#storeForWatchdog });
    if (found === null) return;
    if ("stalled" in found) this.#events.emit("stalled", { reason: found.stalled });
    else this.#events.emit("warning", { text: "the writer goes on" });
  }

  /** Why the writer stands still, as far as that was said; null where it does not. */
  stalled(paused: boolean): string | null {
    return this.#watchdog.stalled({ paused, store: this.#storeForWatchdog });
  }

  /** Whether nothing is written until a person acts. */
  get #mustBeMended(): boolean {
    return this.health.state === "broken" || this.unreadable !== null;
  }

  get #storeForWatchdog(): "open" | "unopened" | "broken" {
    if (this.#mustBeMended) return "broken";
    return this.#position === null ? "unopened" : "open";
  }

  // Reports of the writer.

  tables(tables: readonly TableSchema[]): void {
    this.onTables(tables);
  }

  waiting(sequence: number, answer: (waiting: Waiting) => void): void {
    this.#watchdog.nothingTaken();
    this.#ask = { sequence, answer };
    this.#answer();
  }

  durableMark(): Promise<number> {
    // What every run begins with.
    this.#watchdog.runBegins();
    return this.#journal.syncNow();
  }

  opened(position: Position, kind: string, place: string, parked: ParkedOverlay): void {
    this.#watchdog.heard();
    this.kind = kind;
    this.place = place;
    this.health = { state: "up", since: this.#clock.now(), error: null, nextTryAt: null };
    if (position.sequence < this.stored) this.#wentBack(position);
    else this.#missed(position, parked);
    for (const record of this.parked.opened(parked)) this.#cache.invalidate(record);
    this.#moveTo(position);
    this.#endBlindness();
    this.#looked?.();
    this.#looked = null;
    this.#firstOutcome?.(null);
  }

  generation(generation: number): void {
    this.#generation = generation;
  }

  committed(position: Position, report: BatchReport, parked: ParkedReport | null): void {
    const { counters } = this;
    this.#watchdog.heard();
    counters.batches++;
    counters.rows += report.records;
    // What was parked has needed no row, but is not saved either.
    counters.coalesced += Math.max(0, report.changes - report.records - (parked?.frames.length ?? 0));
    counters.lastCommitMs = report.commitMs;
    this.tally.committed(report.commitMs);
    // Before the records become clean: from then on they may be forgotten, and loaded again.
    if (parked !== null) this.parked.parked(parked);
    this.#moveTo(position);
    this.#events.emit("batch", report);
    if (parked !== null && parked.letter !== null) this.#tell(parked.letter);
    if (position.sequence === this.#journal.accepted) this.#events.emit("drained", { sequence: position.sequence });
  }

  #tell({ id, position, records, reason }: NewLetter): void {
    const event = { id, position: positionText(position), records: records.map(jsonOfBytes), reason };
    this.#events.emit("deadLetter", event);
  }

  unparked(report: UnparkedReport): void {
    this.parked.unparked(report);
    // A row read before must not come in any more, and the cache may hold what was given up.
    for (const record of report.records) this.#cache.invalidate(record);
    this.#events.emit("deadLetterEnded", { ids: report.ids, how: report.how });
  }

  retry(error: PlainError, attempt: number, delayMs: number): void {
    this.#watchdog.heard(delayMs);
    this.counters.retries++;
    this.tally.failed(error, false);
    this.unreadable = null;
    const wasUp = this.health.state === "up";
    const since = wasUp ? this.#clock.now() : this.health.since;
    this.health = { state: "down", since, error, nextTryAt: this.#clock.now() + delayMs };
    if (wasUp) this.#events.emit("storeDown", { error });
    this.#events.emit("retry", { error, attempt, delayMs });
    this.#firstOutcome?.(errorOfPlain(error));
  }

  up(downMs: number): void {
    this.#watchdog.heard();
    const wasUnreadable = this.unreadable !== null;
    this.unreadable = null;
    if (wasUnreadable) return this.warning("the writer can read the journal again, and goes on");
    this.#storeUp(downMs);
  }

  #storeUp(downMs: number): void {
    this.health = { state: "up", since: this.#clock.now(), error: null, nextTryAt: null };
    this.#events.emit("storeUp", { downMs });
  }

  broken(error: PlainError, _opening: boolean, away: boolean): void {
    this.#away = away;
    this.#watchdog.heard();
    this.tally.failed(error, true);
    if (isOfJournal(error)) {
      this.unreadable = error;
      // The writer reads the journal for a store that it has just opened.
      if (this.health.state !== "up") this.#storeUp(Math.max(0, this.#clock.now() - this.health.since));
    } else {
      this.unreadable = null;
      this.health = { state: "broken", since: this.#clock.now(), error, nextTryAt: null };
    }
    this.#events.emit("stalled", { reason: this.unreadable === null ? error.message : withHint(error) });
    this.#firstOutcome?.(errorOfPlain(error));
  }

  warning(text: string): void {
    this.#events.emit("warning", { text });
  }

  #moveTo(position: Position): void {
    this.#position = position;
    this.#changes.stored(position.sequence);
    this.#watchdog.pending(this.#journal.accepted > position.sequence);
    this.#acknowledgeSome(position.sequence);
    // Until recovery is over nothing may be trimmed: it may be reading from before this position.
    if (this.#begun) this.#journal.acknowledge(position);
    this.#waitsStored.reach(position.sequence);
  }

  /** In pieces, so that no client waits for all the records of a large run; one is clean a little late, never early. */
  #acknowledgeSome(sequence: number): void {
    const done = this.#cache.acknowledge(sequence, acknowledgedAtOnceMax);
    this.#journal.recordsFreed();
    if (!done) this.#clock.soon(() => this.#acknowledgeSome(sequence));
  }

  /** The writer died between a commit and its report: what that has parked is in the overlay, but not which frames. */
  #missed({ sequence }: Position, { letters }: ParkedOverlay): void {
    const known = this.#position?.sequence ?? sequence;
    if (sequence > known && letters + this.parked.count > 0) this.parked.frames.addUnknown(known + 1, sequence);
  }

  /** Frames that were read without knowing where the store is may hold what was discarded since: the database knows. */
  #endBlindness(): void {
    if (!this.#blind || !this.#begun || this.#position === null) return;
    this.#blind = false;
    this.#sighted();
    this.#cache.acknowledge(this.#position.sequence);
    this.#cache.forgetClean();
  }

  /** A failover or a restored backup: the frames since then are pending once more, and count for one change each. */
  #wentBack(position: Position): void {
    this.#furthest = Math.max(this.#furthest, this.stored);
    this.#cache.forgetClean();
    this.parked.frames.cut(position.sequence);
    this.#position = position;
    this.onHold(new Promise((resolve) => this.#waitsStored.add(this.#furthest, () => resolve())));
  }

  #answer(): void {
    if (!this.#begun || this.#ask === null || this.#journal.accepted <= this.#ask.sequence) return;
    const { sequence, answer } = this.#ask;
    this.#ask = null;
    answer(this.#journal.waitingAfter(sequence));
  }
}
