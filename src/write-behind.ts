/**
 * The heart: joins cache, queue, writer and store. This is the one place where the concrete parts meet; each of them
 * knows only its own station. Read `execute` first: it is the whole road of a write up to the answer.
 *
 * It is not the public library (library.ts) and speaks no protocol (server/).
 */
import { keyIsRecord, type Resolve } from "./address.js";
import type { Bytes } from "./bytes.js";
import { MemoryCache } from "./cache/memory-cache.js";
import type { WriteBehindError } from "./errors.js";
import { Emitter } from "./events.js";
import type {
  CloseReport,
  DeadLetters,
  Executed,
  FlushReport,
  Heart,
  Inspection,
  QueuePage,
  Reached,
  Status,
  StepReport,
  WaitOptions,
  Watch,
} from "./heart.js";
import type { Host, Timer } from "./host/host.js";
import { abortable, bodyOf, NotYet } from "./heart/attempt.js";
import { DeadLetterDesk } from "./heart/dead-letters.js";
import { closed, closedBeforeStored, journalFailed, paused } from "./heart/failures.js";
import { Flushes } from "./heart/flushes.js";
import { Inspector } from "./heart/inspector.js";
import { Loads } from "./heart/loads.js";
import type { EngineOptions } from "./options.js";
import { Marks } from "./heart/marks.js";
import { ownFolder, type OwnedFolder } from "./heart/owned-folder.js";
import { frameBytes } from "./queue/journal/frame.js";
import { Journal } from "./queue/journal/journal.js";
import { JournalReader } from "./queue/journal/reader.js";
import type { Durability, FrameBody } from "./queue/queue.js";
import { recover } from "./heart/recover.js";
import { describeStatus } from "./heart/status.js";
import { Drain, whereLeft, withinDeadline } from "./heart/stopping.js";
import type { Store, StoreDescriptor, StoreReader } from "./store/store.js";
import { openReader } from "./store/thread-reader.js";
import { Workspace, type Lookup, type Written } from "./workspace.js";
import { WriterSide } from "./heart/writer-side.js";
import { startWriter, type WriterHandle } from "./writer/writer-link.js";

/** How often ended records are looked for, and among how many at a time. */
const tickMs = 500;
const expiredPerTickMax = 2000;

/** Stopping may take so long, at the least, where a commit is in hand. */
const stopMsMin = 1000;

const nothing: readonly Written[] = [];

/** What a heart is made of. */
export interface HeartParts {
  readonly host: Host;
  readonly store: Store | StoreDescriptor;
  readonly options: EngineOptions;
  /** Aborted: opening ends, whatever it waits for, and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a heart: owns the folder, recovers the journal, starts the writer, and takes what is pending into the cache.
 * Waits for the store only where this queue has never been with one. Rejects FOLDER_IN_USE, JOURNAL_DAMAGED,
 * QUEUE_MISMATCH, TABLES_IN_USE and what the store finds wrong.
 */
export async function openHeart(parts: HeartParts): Promise<Heart> {
  const { host, options, store } = parts;
  const folder = await ownFolder(host, options.data, options.ownerWaitMs, parts.signal);
  try {
    const journalFolder = `${options.data}/journal`;
    const journal = await Journal.open(host, journalFolder, options);
    const engine = new Engine(parts, folder, journal, openReader(store, host));
    await engine.begin(journalFolder, parts.signal);
    return engine;
  } catch (error) {
    await folder.release();
    throw error;
  }
}

class Engine implements Heart {
  readonly events = new Emitter();
  readonly #host: Host;
  readonly #options: EngineOptions;
  readonly #store: Store | StoreDescriptor;
  readonly #folder: OwnedFolder;
  readonly #journal: Journal;
  readonly #cache: MemoryCache;
  readonly #reader: StoreReader;
  readonly #loads: Loads;
  readonly #side: WriterSide;
  readonly #resolve: Resolve = keyIsRecord;
  readonly #marks: Marks;
  readonly #flushes: Flushes;
  readonly deadLetters: DeadLetters;
  readonly #drain: Drain;
  readonly #failureCalls: ((error: WriteBehindError) => void)[] = [];
  #writer: WriterHandle | null = null;
  #inspector: Inspector | null = null;
  #failure: WriteBehindError | null = null;
  #closing: Promise<CloseReport> | null = null;
  #timer: Timer | null = null;
  #paused = false;
  #pauses = 0;
  #now = 0;
  readonly #lookup: Lookup = (record, reads) =>
    reads ? this.#cache.lookup(record, this.#now) : this.#cache.peek(record, this.#now);

  constructor(parts: HeartParts, folder: OwnedFolder, journal: Journal, reader: StoreReader) {
    this.#host = parts.host;
    this.#options = parts.options;
    this.#store = parts.store;
    this.#folder = folder;
    this.#journal = journal;
    this.#reader = reader;
    this.#cache = new MemoryCache({ bytesMax: parts.options.cacheBytes, absentMs: parts.options.absentMs });
    this.#loads = new Loads({
      reader,
      cache: this.#cache,
      over: (record, row) => this.#side.parked.over(record, row),
      clock: parts.host.clock,
      atOnceMax: parts.options.loadsMax,
      heldMs: parts.options.waitMs,
      now: () => this.#logTime(),
    });
    this.#side = new WriterSide(parts.host.clock, journal, this.#cache, this.events);
    this.#flushes = new Flushes(this.#side, (sequence, reached) => this.whenStored(sequence, reached));
    this.deadLetters = new DeadLetterDesk(this.#side.parked, () => this.#openWriter());
    this.#side.onHold = (until) => this.#loads.hold(until);
    this.#marks = new Marks(journal);
    this.#drain = new Drain(parts.host.clock, (done) => this.whenStored(journal.accepted, done));
    journal.onFailed = (error) => this.#fail(error);
  }

  /** Starts the writer and takes what is pending into the cache. Then clients may come. */
  async begin(journalFolder: string, signal?: AbortSignal): Promise<void> {
    try {
      this.#paused = await this.#folder.isPaused();
      const { logId } = this.#journal;
      const frames = () => JournalReader.open(this.#host.disk, journalFolder, logId);
      this.#writer = startWriter(
        this.#host,
        { store: this.#store, folder: journalFolder, frames, logId, paused: this.#paused, options: this.#options },
        this.#side,
      );
      const from = await abortable(this.#side.firstPosition(this.#journal), signal);
      const log = await frames();
      this.#inspector = new Inspector(log, this.#journal, this.#cache, this.#reader, this.#side.parked, this.#resolve);
      await recover(log, from, this.#journal.accepted, this.#cache, this.#side);
      this.#side.begin();
      this.#tick();
    } catch (error) {
      await this.#stopParts();
      throw error;
    }
  }

  get durability(): Durability {
    return this.#options.durability;
  }
  get kept(): number {
    return this.#journal.kept;
  }
  get accepted(): number {
    return this.#journal.accepted;
  }
  get stored(): number {
    return this.#side.stored;
  }

  execute<T>(work: (workspace: Workspace) => T, options: WaitOptions = {}): Executed<T> | Promise<Executed<T>> {
    this.#assertOpen();
    const done = this.#attempt(work, true);
    return done instanceof NotYet ? this.#again(work, true, done, options) : done;
  }

  view<T>(work: (workspace: Workspace) => T, options: WaitOptions = {}): Executed<T> | Promise<Executed<T>> {
    this.#assertOpen();
    const done = this.#attempt(work, false);
    return done instanceof NotYet ? this.#again(work, false, done, options) : done;
  }

  /** One try: all in one synchronous step, or nothing and what is missing. */
  #attempt<T>(work: (workspace: Workspace) => T, write: boolean): Executed<T> | NotYet {
    this.#now = this.#logTime();
    this.#cache.seen = 0;
    const workspace = new Workspace(this.#resolve, this.#lookup, this.#now);
    let value: T;
    try {
      value = work(workspace);
    } catch (error) {
      if (workspace.hasMissing) return new NotYet(workspace, 0);
      throw error;
    }
    if (workspace.hasMissing) return new NotYet(workspace, 0);
    const changes = write ? workspace.changes() : nothing;
    const body = bodyOf(changes, write && workspace.cleared);
    if (body === null) return { value, sequence: this.#cache.seen, frame: 0 };
    const bytes = frameBytes(body);
    if (!this.#journal.hasRoom(bytes)) return new NotYet(workspace, bytes);
    const frame = this.#take(body, changes);
    return { value, sequence: frame, frame };
  }

  /** Loads what was missing, or waits for room, and tries again from the beginning until it is done. */
  async #again<T>(
    work: (workspace: Workspace) => T,
    write: boolean,
    first: NotYet,
    options: WaitOptions,
  ): Promise<Executed<T>> {
    const pinned = new Set<Bytes>();
    // One deadline for all waits: where many write, others may take the room that this one was woken for.
    const deadline = this.#host.clock.monotonic() + this.#options.waitMs;
    try {
      for (let notYet = first; ;) {
        for (const record of notYet.workspace.records) {
          if (!pinned.has(record)) this.#cache.pin(record);
          pinned.add(record);
        }
        if (notYet.bytes === 0) await abortable(this.#loads.load(notYet.workspace.missing), options.signal);
        else await this.#whenRoom(notYet.bytes, deadline, options.signal);
        this.#assertOpen();
        const done = this.#attempt(work, write);
        if (!(done instanceof NotYet)) return done;
        notYet = done;
      }
    } finally {
      for (const record of pinned) this.#cache.unpin(record);
    }
  }

  /** The one place where a change enters: queue and cache, in one synchronous step. */
  #take(body: FrameBody, changes: readonly Written[]): number {
    const sequence = this.#journal.append(body, this.#now);
    if (body.kind === "clear") this.#cache.clear(sequence);
    for (const { record, change, value } of changes) this.#cache.write(record, change, sequence, value);
    this.#side.accepted(sequence, body.kind === "clear" ? 1 : changes.length);
    return sequence;
  }

  async #whenRoom(bytes: number, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.events.has("full")) this.events.emit("full", { pendingBytes: this.#journal.stats().pendingBytes });
    this.#writer?.hurry(this.#journal.accepted);
    const waitMs = Math.max(0, deadline - this.#host.clock.monotonic());
    await this.#journal.whenRoom(bytes, { waitMs, signal });
  }

  watch(key: Bytes): Watch {
    return this.#cache.watch(this.#resolve(key).record, this.#logTime());
  }

  whenKept(sequence: number, reached: Reached): void {
    this.#marks.whenKept(sequence, reached);
  }

  whenDurable(sequence: number, reached: Reached): void {
    this.#marks.whenDurable(sequence, reached);
  }

  whenStored(sequence: number, reached: Reached): () => void {
    const cancel = this.#side.whenStored(sequence, reached);
    if (sequence > this.#side.stored) this.#writer?.hurry(sequence);
    return cancel;
  }

  onFailed(call: (error: WriteBehindError) => void): void {
    if (this.#failure === null) this.#failureCalls.push(call);
    else call(this.#failure);
  }

  async flush(options: WaitOptions & { readonly keys?: readonly Bytes[] | undefined } = {}): Promise<FlushReport> {
    this.#assertOpen();
    const records = options.keys?.map((key) => this.#resolve(key).record) ?? null;
    return this.#flushes.flush(this.#journal.accepted, records, this.#paused, options.signal);
  }

  async pause(): Promise<void> {
    this.#assertOpen();
    this.#paused = true;
    this.#pauses++;
    const stands = this.#writer?.pause();
    this.#flushes.endAll(paused());
    await this.#folder.rememberPause(true);
    await stands;
  }

  async resume(): Promise<void> {
    this.#assertOpen();
    const pauses = this.#pauses;
    await this.#folder.rememberPause(false);
    // Who has paused it meanwhile has the last word.
    if (this.#pauses !== pauses) return;
    this.#paused = false;
    this.#writer?.resume();
  }

  async step(): Promise<StepReport> {
    this.#assertOpen();
    return { batch: (await this.#writer?.step()) ?? null };
  }

  status(): Status {
    return describeStatus({
      options: this.#options,
      journal: this.#journal,
      cache: this.#cache,
      side: this.#side,
      paused: this.#paused,
      closing: this.#closing !== null,
      failure: this.#failure,
      now: this.#logTime(),
    });
  }

  async inspect(key: Bytes): Promise<Inspection> {
    return (this.#inspector as Inspector).inspect(key, this.#side.stored, this.#logTime());
  }

  async pending(limit: number, after: string | null): Promise<QueuePage> {
    return (this.#inspector as Inspector).pending(limit, after, this.#side.stored);
  }

  close(options: { readonly deadlineMs?: number | undefined } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(options.deadlineMs ?? this.#options.closeMs);
    if (options.deadlineMs === 0) this.#drain.end();
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    const startedAt = this.#host.clock.monotonic();
    const willDrain = !this.#paused && this.#failure === null;
    if (willDrain && this.#journal.accepted > this.#side.stored) await this.#drain.begin(deadlineMs);
    try {
      await this.#stopParts(Math.max(stopMsMin, deadlineMs - (this.#host.clock.monotonic() - startedAt)));
    } finally {
      this.#marks.end(closed());
      this.#side.fail(closedBeforeStored());
    }
    const changes = this.#side.pendingChanges;
    const [{ durable }, { data }, failure] = [this.#journal, this.#options, this.#failure];
    const leftIn = await whereLeft(this.#host.disk, { changes, data, durable, failure });
    return { drained: changes === 0, pendingChanges: changes, leftIn, deadLetters: this.#side.parked.count };
  }

  /** Stops every part, whatever another one fails of: the folder must be free for the next owner. */
  async #stopParts(deadlineMs = stopMsMin): Promise<void> {
    this.#timer?.cancel();
    this.#loads.end(closed());
    await this.#writer?.stop(deadlineMs);
    const reader = withinDeadline(this.#host.clock, deadlineMs, this.#reader.close());
    const inspector = this.#inspector?.close() ?? Promise.resolve();
    const results = await Promise.allSettled([reader, inspector, this.#journal.close()]);
    await this.#folder.release();
    // That the journal has failed was said when it failed.
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined && this.#failure === null) throw failed.reason;
  }

  /** Log time never goes back, whatever the wall clock does. */
  #logTime(): number {
    return Math.max(this.#host.clock.now(), this.#journal.lastAt);
  }

  /** Frees the memory of ended records, a few at a time. */
  #tick(): void {
    this.#timer = this.#host.clock.after(tickMs, () => {
      this.#cache.expire(this.#logTime(), expiredPerTickMax);
      this.#tick();
    });
  }

  #openWriter(): WriterHandle {
    this.#assertOpen();
    return this.#writer as WriterHandle;
  }

  #assertOpen(): void {
    if (this.#failure !== null) throw journalFailed(this.#failure);
    if (this.#closing !== null) throw closed();
  }

  #fail(error: WriteBehindError): void {
    this.#failure = error;
    this.#marks.fail(error);
    // Nothing is written to the database that may not be durable, so what waits for it waits in vain.
    this.#side.fail(journalFailed(error));
    for (const call of this.#failureCalls) call(error);
  }
}
