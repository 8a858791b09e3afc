/**
 * The heart: joins cache, queue, writer and store. This is the one place where the concrete parts meet; each of them
 * knows only its own station. Read `execute` first: it is the whole road of a write up to the answer.
 *
 * It is not the public library (library.ts) and speaks no protocol (server/).
 */
import type { Bytes } from "./bytes.js";
import { MemoryCache } from "./cache/memory-cache.js";
import type { Counters } from "./counters.js";
import type { WriteBehindError } from "./errors.js";
import { Emitter } from "./events.js";
import type {
  CloseReport,
  DeadLetters,
  Executed,
  FlushReport,
  Heart,
  Inspection,
  KeysPage,
  KeysPlace,
  QueuePage,
  Reached,
  Recent,
  Status,
  StepReport,
  WaitOptions,
  Watch,
  WorkOptions,
} from "./heart.js";
import type { Host } from "./host/host.js";
import { Addressing, foundTables, withRoutes } from "./heart/addressing.js";
import { abortable, ifUnchanged } from "./heart/attempt.js";
import { Closing } from "./heart/closing.js";
import { countersOf } from "./heart/counting.js";
import { DeadLetterDesk } from "./heart/dead-letters.js";
import { Execution } from "./heart/execution.js";
import { cannotOpen, closed, Failing, journalFailed, noReplicas, paused } from "./heart/failures.js";
import { Flushes } from "./heart/flushes.js";
import { Inspector } from "./heart/inspector.js";
import type { KeyWalk } from "./heart/key-walk.js";
import { Loads } from "./heart/loads.js";
import { LogTime } from "./heart/log-time.js";
import type { EngineOptions } from "./options.js";
import { Marks } from "./heart/marks.js";
import { ownFolder, type OwnedFolder } from "./heart/owned-folder.js";
import { Journal } from "./queue/journal/journal.js";
import { JournalReader } from "./queue/journal/reader.js";
import type { Durability } from "./queue/queue.js";
import { ownKeys } from "./heart/own-keys.js";
import { Pausing } from "./heart/pausing.js";
import { ReadBack } from "./heart/read-back.js";
import { readAll } from "./heart/residence.js";
import { recover } from "./heart/recover.js";
import { RoutesFile } from "./heart/routes-file.js";
import { describeStatus } from "./heart/status.js";
import { Ticks } from "./heart/ticks.js";
import type { Plan } from "./routes/plan.js";
import type { CacheDescriptor, CacheModule, SharedHeartParts } from "./shared-cache.js";
import type { Store, StoreDescriptor, StoreReader } from "./store/store.js";
import { openReader } from "./store/thread-reader.js";
import type { Workspace } from "./workspace.js";
import { warmTables } from "./heart/warming.js";
import { WriterSide } from "./heart/writer-side.js";
import { startWriter, type WriterHandle } from "./writer/writer-link.js";

/** So many records are looked at in one tick for those that have ended: to free memory, they read as absent anyway. */
const expiredPerTickMax = 2000;

/** What a heart is made of. `cache`: where cache and queue are shared by many processes; else both are this one's. */
export interface HeartParts extends SharedHeartParts {
  readonly cache?: CacheDescriptor | undefined;
}

/**
 * Opens a heart: owns the folder, recovers the journal, starts the writer, and takes what is pending into the cache.
 * Waits for the store only where this queue has never been with one. Rejects FOLDER_IN_USE, JOURNAL_DAMAGED,
 * QUEUE_MISMATCH, TABLES_IN_USE and what the store finds wrong.
 */
export async function openHeart(parts: HeartParts): Promise<Heart> {
  const { host, options, cache } = parts;
  if (cache !== undefined) return ((await import(cache.module)) as CacheModule).openHeart(cache, parts);
  if (options.durability === "replicas") throw noReplicas();
  const store = withRoutes(parts.store, options.routes);
  let folder: OwnedFolder | null = null;
  try {
    folder = await ownFolder(host, options.data, options.ownerWaitMs, parts.signal);
    const journalFolder = `${options.data}/journal`;
    const events = parts.events ?? new Emitter();
    const journal = await Journal.open(host, journalFolder, options, (done, total) =>
      events.emit("recovering", { step: "journal", done, total }),
    );
    const { data, routes, unrouted } = options;
    const addressing = await Addressing.recall({ memory: new RoutesFile(host.disk, data), routes, unrouted });
    const engine = new Engine({ ...parts, store, events }, folder, journal, addressing);
    await engine.begin(journalFolder, parts.signal);
    return engine;
  } catch (error) {
    await folder?.release();
    throw cannotOpen(error, options.data);
  }
}

/** What an engine is made of. */
type EngineParts = HeartParts & { readonly events: Emitter };

class Engine implements Heart {
  readonly events: Emitter;
  readonly counters: Counters;
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
  readonly #addressing: Addressing;
  readonly #marks: Marks;
  readonly #ticks: Ticks;
  readonly #flushes: Flushes;
  readonly deadLetters: DeadLetters;
  readonly #execution: Execution;
  readonly #keys: KeyWalk;
  readonly #closing: Closing;
  readonly #failing = new Failing();
  #writer: WriterHandle | null = null;
  #inspector: Inspector | null = null;
  #back: ReadBack | null = null;

  constructor(parts: EngineParts, folder: OwnedFolder, journal: Journal, addressing: Addressing) {
    this.events = parts.events;
    this.#host = parts.host;
    this.#options = parts.options;
    this.#store = parts.store;
    this.#pausing = new Pausing(folder);
    this.#journal = journal;
    this.#time = new LogTime(parts.host.clock, journal);
    this.#reader = openReader(parts.store, parts.host);
    this.#addressing = addressing;
    this.#cache = new MemoryCache({
      bytesMax: parts.options.cacheBytes,
      absentMs: parts.options.absentMs,
      freshMs: (record) => addressing.freshMs(record),
      resident: parts.options.resident,
      readable: () => journal.written,
    });
    this.#loads = new Loads({
      reader: this.#reader,
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
    this.counters = countersOf(this.#side, journal, parts.options);
    this.#flushes = new Flushes(this.#side, (sequence, reached) => this.whenStored(sequence, reached));
    this.deadLetters = new DeadLetterDesk(this.#side.parked, () => {
      this.#assertOpen();
      return this.#writer as WriterHandle;
    });
    this.#side.onHold = (until) => this.#loads.hold(until);
    this.#side.onTables = (tables) => void foundTables(addressing, tables, this.#reader, this.#cache, this.events);
    this.#marks = new Marks(journal);
    this.#ticks = new Ticks(parts.host.clock, () => {
      this.#cache.expire(this.#time.now(), expiredPerTickMax);
      this.#side.watch(this.#pausing.on);
    });
    this.#execution = this.#makeExecution(parts);
    this.#keys = ownKeys({
      cache: this.#cache,
      parked: this.#side.parked,
      loads: this.#loads,
      addressing,
      view: (work) => this.view(work),
      host: parts.host,
      now: () => this.#time.now(),
    });
    this.#closing = this.#makeClosing(parts, folder);
    journal.pendingRecords = () => this.#cache.pendingRecords;
    journal.onFailed = (error) => this.#failing.fail(error, this.#marks, this.#side);
  }

  #makeExecution(parts: HeartParts): Execution {
    return new Execution({
      clock: parts.host.clock,
      random: parts.host.random,
      waitMs: parts.options.waitMs,
      limits: parts.store.limits ?? null,
      addressing: this.#addressing,
      journal: this.#journal,
      cache: this.#cache,
      loads: this.#loads,
      side: this.#side,
      events: this.events,
      counters: this.counters,
      resident: parts.options.resident,
      now: () => this.#time.now(),
      assertOpen: () => this.#assertOpen(),
      hurry: () => this.#writer?.hurry(this.#journal.accepted),
    });
  }

  #makeClosing(parts: HeartParts, folder: OwnedFolder): Closing {
    return new Closing({
      host: parts.host,
      options: parts.options,
      folder,
      pausing: this.#pausing,
      journal: this.#journal,
      reader: this.#reader,
      loads: this.#loads,
      side: this.#side,
      marks: this.#marks,
      ticks: this.#ticks,
      failing: this.#failing,
      whenStored: (sequence, done) => this.whenStored(sequence, done),
      started: () => ({ writer: this.#writer, logs: [this.#inspector, this.#back] }),
    });
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
      const { accepted } = this.#journal;
      const { stored, parked, positionText } = this.#side;
      await this.#addressing.begin(accepted - stored, parked.count, positionText !== null);
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
        addressing: this.#addressing,
      });
      const total = accepted - from;
      await recover(log.read(from, accepted), this.#cache, this.#side, this.#addressing, (done) =>
        this.events.emit("recovering", { step: "pending", done, total }),
      );
      this.#side.begin();
      this.#ticks.begin();
      const reading = {
        plan: this.#addressing.plan,
        parked: this.#side.parked,
        reader: this.#reader,
        loads: this.#loads,
        cache: this.#cache,
        clock: this.#host.clock,
        events: this.events,
        now: () => this.#time.now(),
        ended: () => this.#closing.begun,
      };
      if (this.#options.resident) await readAll(reading, signal);
      else void warmTables(reading);
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

  execute<T>(work: (workspace: Workspace) => T, options: WorkOptions = {}): Executed<T> | Promise<Executed<T>> {
    const { watches } = options;
    return this.#execution.run(watches === undefined ? work : ifUnchanged(work, watches), true, options);
  }

  view<T>(work: (workspace: Workspace) => T, options: WorkOptions = {}): Executed<T> | Promise<Executed<T>> {
    return this.#execution.run(work, false, options);
  }

  async keys(after: KeysPlace | null, limit: number): Promise<KeysPage> {
    this.#assertOpen();
    return this.#keys.page(after, limit);
  }

  async randomKey(): Promise<Bytes | null> {
    this.#assertOpen();
    return this.#keys.any();
  }

  get plan(): Plan | null {
    return this.#addressing.plan;
  }

  watch(key: Bytes): Watch {
    return this.#cache.watch(this.#addressing.resolve(key).record, this.#time.now());
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
    const records = options.keys?.map((key) => this.#addressing.resolve(key).record) ?? null;
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

  recent(key: Bytes): Promise<Recent> {
    return (this.#inspector as Inspector).recent(key);
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
}
