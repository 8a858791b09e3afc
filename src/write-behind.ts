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
import type { Host } from "./host/host.js";
import { abortable, bodyOf, NotYet, Pins } from "./heart/attempt.js";
import { Closing } from "./heart/closing.js";
import { DeadLetterDesk } from "./heart/dead-letters.js";
import { checkSizes } from "./heart/door.js";
import { cannotOpen, closed, Failing, journalFailed, paused } from "./heart/failures.js";
import { Flushes } from "./heart/flushes.js";
import { Inspector } from "./heart/inspector.js";
import { Loads } from "./heart/loads.js";
import { LogTime } from "./heart/log-time.js";
import type { EngineOptions } from "./options.js";
import { Marks } from "./heart/marks.js";
import { ownFolder, type OwnedFolder } from "./heart/owned-folder.js";
import { frameBytes } from "./queue/journal/frame.js";
import { Journal } from "./queue/journal/journal.js";
import { JournalReader } from "./queue/journal/reader.js";
import type { Durability, FrameBody } from "./queue/queue.js";
import { Pausing } from "./heart/pausing.js";
import { ReadBack } from "./heart/read-back.js";
import { recover } from "./heart/recover.js";
import { describeStatus } from "./heart/status.js";
import { Ticks } from "./heart/ticks.js";
import type { Store, StoreDescriptor, StoreReader } from "./store/store.js";
import { openReader } from "./store/thread-reader.js";
import { Workspace, type Lookup, type Written } from "./workspace.js";
import { WriterSide } from "./heart/writer-side.js";
import { startWriter, type WriterHandle } from "./writer/writer-link.js";

/** So many records are looked at in one tick for those that have ended: to free memory, they read as absent anyway. */
const expiredPerTickMax = 2000;

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
  let folder: OwnedFolder | null = null;
  try {
    folder = await ownFolder(host, options.data, options.ownerWaitMs, parts.signal);
    const journalFolder = `${options.data}/journal`;
    const journal = await Journal.open(host, journalFolder, options);
    const engine = new Engine(parts, folder, journal, openReader(store, host));
    await engine.begin(journalFolder, parts.signal);
    return engine;
  } catch (error) {
    await folder?.release();
    throw cannotOpen(error, options.data);
  }
}

class Engine implements Heart {
  readonly events = new Emitter();
  readonly #host: Host;
  readonly #options: EngineOptions;
  readonly #store: Store | StoreDescriptor;
  readonly #pausing: Pausing;
  readonly #journal: Journal;
  readonly #time: LogTime;
  readonly #cache: MemoryCache;
  readonly #reader: StoreReader;
  readonly #loads: Loads;
  readonly #side: WriterSide;
  readonly #resolve: Resolve = keyIsRecord;
  readonly #marks: Marks;
  readonly #ticks: Ticks;
  readonly #flushes: Flushes;
  readonly deadLetters: DeadLetters;
  readonly #closing: Closing;
  readonly #failing = new Failing();
  #writer: WriterHandle | null = null;
  #inspector: Inspector | null = null;
  #back: ReadBack | null = null;
  #now = 0;
  /** Whether the work that is being tried was tried before: a read is one hit or one miss, not both. */
  #repeats = false;
  readonly #lookup: Lookup = (record, reads) =>
    reads && !this.#repeats ? this.#cache.lookup(record, this.#now) : this.#cache.peek(record, this.#now);

  constructor(parts: HeartParts, folder: OwnedFolder, journal: Journal, reader: StoreReader) {
    this.#host = parts.host;
    this.#options = parts.options;
    this.#store = parts.store;
    this.#pausing = new Pausing(folder);
    this.#journal = journal;
    this.#time = new LogTime(parts.host.clock, journal);
    this.#reader = reader;
    this.#cache = new MemoryCache({
      bytesMax: parts.options.cacheBytes,
      absentMs: parts.options.absentMs,
      readable: () => journal.written,
    });
    this.#loads = new Loads({
      reader,
      cache: this.#cache,
      over: (record, row) => this.#side.parked.over(record, row),
      readBack: (record, inLog, row) => (this.#back as ReadBack).value(record, inLog, row),
      clock: parts.host.clock,
      atOnceMax: parts.options.loadsMax,
      heldMs: parts.options.waitMs,
      now: () => this.#time.now(),
      reached: () => this.#side.reached,
      onMoved: () => this.#side.lookAgain(this.#writer),
    });
    this.#side = new WriterSide(parts.host.clock, journal, this.#cache, this.events, parts.options.delayMs);
    this.#side.kind = parts.store.kind ?? this.#side.kind;
    this.#flushes = new Flushes(this.#side, (sequence, reached) => this.whenStored(sequence, reached));
    this.deadLetters = new DeadLetterDesk(this.#side.parked, () => {
      this.#assertOpen();
      return this.#writer as WriterHandle;
    });
    this.#side.onHold = (until) => this.#loads.hold(until);
    this.#marks = new Marks(journal);
    this.#ticks = new Ticks(parts.host.clock, () => {
      this.#cache.expire(this.#time.now(), expiredPerTickMax);
      this.#side.watch(this.#pausing.on);
    });
    this.#closing = new Closing({
      host: parts.host,
      options: parts.options,
      folder,
      pausing: this.#pausing,
      journal,
      reader,
      loads: this.#loads,
      side: this.#side,
      marks: this.#marks,
      ticks: this.#ticks,
      failing: this.#failing,
      whenStored: (sequence, done) => this.whenStored(sequence, done),
      started: () => ({ writer: this.#writer, logs: [this.#inspector, this.#back] }),
    });
    journal.pendingRecords = () => this.#cache.pendingRecords;
    journal.onFailed = (error) => this.#fail(error);
  }

  /** Starts the writer and takes what is pending into the cache. Then clients may come. */
  async begin(journalFolder: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#pausing.recall();
      const { logId } = this.#journal;
      const frames = () => JournalReader.open(this.#host.disk, journalFolder, logId);
      this.#writer = startWriter(
        this.#host,
        { store: this.#store, folder: journalFolder, frames, logId, paused: this.#pausing.on, options: this.#options },
        this.#side,
      );
      const from = await abortable(this.#side.firstPosition(this.#journal), signal);
      this.#back = new ReadBack(this.#journal, await frames());
      const log = await frames();
      this.#inspector = new Inspector({
        log,
        journal: this.#journal,
        cache: this.#cache,
        reader: this.#reader,
        parked: this.#side.parked,
        // Before the database has told how far it is, what is trimmed counts as stored.
        stored: () => Math.max(this.#side.stored, this.#journal.oldest() - 1),
        resolve: this.#resolve,
      });
      await recover(log.read(from, this.#journal.accepted), this.#cache, this.#side);
      this.#side.begin();
      this.#ticks.begin();
    } catch (error) {
      await this.#closing.stopParts();
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
  #attempt<T>(work: (workspace: Workspace) => T, write: boolean, repeats = false): Executed<T> | NotYet {
    this.#repeats = repeats;
    this.#now = this.#time.now();
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
    if (this.#store.limits !== undefined) checkSizes(changes, this.#store.limits);
    this.#side.parked.checkRoom(changes);
    const body = bodyOf(changes, write && workspace.cleared);
    if (body === null) return { value, sequence: this.#cache.seen, frame: 0 };
    const bytes = frameBytes(body);
    if (!this.#journal.hasRoom(bytes, body.kind)) return new NotYet(workspace, bytes);
    const frame = this.#take(body, changes, bytes);
    return { value, sequence: frame, frame };
  }

  /** Loads what was missing, or waits for room, and tries again from the beginning until it is done. */
  async #again<T>(
    work: (workspace: Workspace) => T,
    write: boolean,
    first: NotYet,
    options: WaitOptions,
  ): Promise<Executed<T>> {
    const pins = new Pins(this.#cache);
    // One deadline for all waits: where many write, others may take the room that this one was woken for.
    const deadline = this.#host.clock.monotonic() + this.#options.waitMs;
    try {
      for (let notYet = first; ;) {
        pins.add(notYet.workspace.records);
        if (notYet.bytes === 0) await abortable(this.#loads.load(notYet.workspace.missing), options.signal);
        else await this.#whenRoom(notYet.bytes, deadline, options.signal);
        this.#assertOpen();
        const done = this.#attempt(work, write, true);
        if (!(done instanceof NotYet)) return done;
        notYet = done;
      }
    } finally {
      pins.release();
    }
  }

  /** The one place where a change enters: queue and cache, in one synchronous step. */
  #take(body: FrameBody, changes: readonly Written[], bytes: number): number {
    const sequence = this.#journal.append(body, this.#now, bytes);
    if (body.kind === "clear") this.#cleared(sequence);
    for (const { record, change } of changes) this.#cache.write(record, change, sequence);
    this.#side.accepted(sequence, body.kind === "clear" ? 1 : changes.length);
    return sequence;
  }

  /** What was pending costs no memory any more: who waits for that is asked again now (promise 8). */
  #cleared(sequence: number): void {
    this.#cache.clear(sequence);
    this.#journal.recordsFreed();
  }

  async #whenRoom(bytes: number, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.events.has("full")) this.events.emit("full", this.#journal.fullness);
    this.#writer?.hurry(this.#journal.accepted);
    const waitMs = Math.max(0, deadline - this.#host.clock.monotonic());
    await this.#journal.whenRoom(bytes, { waitMs, signal });
  }

  watch(key: Bytes): Watch {
    return this.#cache.watch(this.#resolve(key).record, this.#time.now());
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
    this.#failing.onFailed(call);
  }

  async flush(options: WaitOptions & { readonly keys?: readonly Bytes[] | undefined } = {}): Promise<FlushReport> {
    this.#assertOpen();
    const records = options.keys?.map((key) => this.#resolve(key).record) ?? null;
    return this.#flushes.flush(this.#journal.accepted, records, this.#pausing.on, options.signal);
  }

  async pause(): Promise<void> {
    this.#assertOpen();
    await this.#pausing.begin(() => {
      const stands = this.#writer?.pause();
      this.#flushes.endAll(paused());
      return stands;
    });
  }

  async resume(): Promise<void> {
    this.#assertOpen();
    await this.#pausing.end(() => {
      this.#side.resumed();
      this.#writer?.resume();
    });
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
      paused: this.#pausing.on,
      closing: this.#closing.begun,
      failure: this.#failing.error,
    });
  }

  async inspect(key: Bytes): Promise<Inspection> {
    return (this.#inspector as Inspector).inspect(key, this.#time.now());
  }

  async pending(limit: number, after: string | null): Promise<QueuePage> {
    return (this.#inspector as Inspector).pending(limit, after);
  }

  close(options: { readonly deadlineMs?: number | undefined } = {}): Promise<CloseReport> {
    return this.#closing.close(options.deadlineMs);
  }

  #assertOpen(): void {
    if (this.#failing.error !== null) throw journalFailed(this.#failing.error);
    if (this.#closing.begun) throw closed();
  }

  #fail(error: WriteBehindError): void {
    this.#failing.error = error;
    this.#marks.fail(error);
    // Nothing is written to the database that may not be durable, so what waits for it waits in vain.
    this.#side.fail(journalFailed(error));
    this.#failing.tell(error);
  }
}
