/**
 * Does work on records that other processes change too: runs it in one synchronous step on what was read, and writes
 * its changes as one frame if nothing that it read has changed since; else it reads again and begins anew. Work that
 * reads nothing is written at once. It is the counterpart of heart/execution.ts, where one process has all to itself.
 */
import type { Address } from "../../address.js";
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import type { Counters } from "../../counters.js";
import type { Emitter } from "../../events.js";
import { Conflict, type Executed, type Watch, type WorkOptions } from "../../heart.js";
import { abortable, ifUnchanged } from "../../heart/attempt.js";
import { checkSizes } from "../../heart/door.js";
import type { Clock, Random } from "../../host/host.js";
import { rest } from "../../rest.js";
import { checkRows } from "../../routes/row-door.js";
import type { StoreLimits } from "../../store/store.js";
import { Workspace, type Written } from "../../workspace.js";
import { brokenPartition } from "../keeper-errors.js";
import { ownPrefix } from "../keys.js";
import type { Asked, FrameToWrite, Keeper, Mark, Outcome } from "../keeper.js";
import { partitionOf } from "../partition.js";
import type { Cold, ToLoad } from "./cold.js";
import { cannotClear, foreignType, noRoom, ownKey, severalPartitions, tooManyTries } from "./failures.js";
import type { FleetTime } from "./fleet-time.js";
import { FleetWatch, marksOf } from "./fleet-watch.js";
import type { ReadResult, Reads, SeenRecord } from "./reads.js";
import type { StoredWatch } from "./stored-watch.js";
import { Turns } from "./turns.js";
import type { Writes } from "./writes.js";

/** Tries of one piece of work before it gives up: its records change faster than they can be read and written. */
const triesMax = 1000;

/** Between two looks whether there is room again, in milliseconds. */
const roomRetryMs = 20;

/** What it works with. */
export interface FleetExecutionParts {
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly random: Random;
  readonly time: FleetTime;
  readonly waitMs: number;
  readonly limits: StoreLimits | null;
  readonly partitions: number;
  readonly resolve: (key: Bytes) => Address;
  readonly reads: Reads;
  readonly writes: Writes;
  readonly cold: Cold;
  readonly stored: Pick<StoredWatch, "made">;
  readonly events: Emitter;
  readonly counters: Counters;
  /** Throws where the instance takes no more work. */
  readonly assertOpen: () => void;
}

/** Something read: its value, and where its partition was then. */
interface ReadRecord {
  readonly value: RecordValue | null;
  readonly mark: Mark;
}

/**
 * One piece of work, and what it has read so far. What is made for each write and lives until it is answered is made by
 * classes: V8 gives literals that a burst has kept alive to the old generation (docs/decisions/0020).
 */
class Task<T> {
  readonly work: (workspace: Workspace) => T;
  readonly write: boolean;
  readonly expected: ReadonlyMap<Bytes, Mark>;
  records: Map<Bytes, ReadRecord> | null = null;
  /** Whether all of it was read at one moment. */
  oneMoment = true;
  now: number;

  constructor(work: (workspace: Workspace) => T, write: boolean, expected: ReadonlyMap<Bytes, Mark>, now: number) {
    this.work = work;
    this.write = write;
    this.expected = expected;
    this.now = now;
  }
}

/** What a synchronous try came to. */
type Tried<T> = { readonly missing: readonly Bytes[] } | Worked<T>;

class Worked<T> {
  readonly value: T;
  readonly changes: readonly Written[];
  readonly touched: readonly Bytes[];

  constructor(value: T, changes: readonly Written[], touched: readonly Bytes[]) {
    this.value = value;
    this.changes = changes;
    this.touched = touched;
  }
}

class Frame implements FrameToWrite {
  readonly changes: readonly Written[];
  readonly from: ReadonlyMap<Bytes, Mark>;
  readonly at: number | undefined;

  constructor(changes: readonly Written[], from: ReadonlyMap<Bytes, Mark>, at: number | undefined) {
    this.changes = changes;
    this.from = from;
    this.at = at;
  }
}

/** What a whole try came to. */
type Ended<T> = Executed<T> | { readonly again: "conflict" | "full" };

/** Does the work of one process. */
export class FleetExecution {
  readonly #parts: FleetExecutionParts;
  readonly #turns = new Turns();
  readonly #random = (): number => this.#parts.random.number();
  hits = 0;

  constructor(parts: FleetExecutionParts) {
    this.#parts = parts;
  }

  /** Does work. `write` false: changes that it makes are thrown away, and what it reads begins the watches. */
  run<T>(work: (workspace: Workspace) => T, write: boolean, options: WorkOptions): Promise<Executed<T>> {
    const { watches } = options;
    const guards = write && watches !== undefined;
    const expected = guards ? marksOf(watches) : noMarks;
    const task = new Task(guards ? ifUnchanged(work, watches) : work, write, expected, this.#parts.time.now());
    let tried: Tried<T>;
    try {
      this.#parts.assertOpen();
      tried = this.#try(task);
    } catch (error) {
      return Promise.reject(this.#refused(task, error));
    }
    // The road of a plain write: one promise, and nothing is read.
    if ("value" in tried && tried.changes.length > 0 && expected.size === 0) {
      return this.#writeFirst(task, tried, options);
    }
    if ("missing" in tried && !write && watches === undefined) {
      return abortable(this.#readFirst(task, tried.missing), options.signal);
    }
    return abortable(this.#again(task, tried, watches), options.signal);
  }

  #writeFirst<T>(task: Task<T>, tried: Worked<T>, options: WorkOptions): Promise<Executed<T>> {
    return new Promise((resolve, reject) => {
      const settled = (outcome: Outcome): void => {
        if (outcome.became === "kept") resolve(this.#kept(tried, outcome.sequence));
        else abortable(this.#again(task, tried, undefined, outcome), options.signal).then(resolve, reject);
      };
      const failed = (error: unknown): void => reject(this.#refused(task, error));
      try {
        this.#write(task, tried, settled, failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  /** The road of a plain read: one promise, too, where all is known. */
  #readFirst<T>(task: Task<T>, missing: readonly Bytes[]): Promise<Executed<T>> {
    return new Promise((resolve, reject) => {
      const seen = (result: ReadResult): void => {
        this.#parts.assertOpen();
        const toLoad = this.#saw(task, missing, result);
        const tried = toLoad.length === 0 ? this.#try(task) : null;
        if (tried !== null && "value" in tried) return resolve({ value: tried.value, sequence: 0, frame: 0 });
        const loaded = this.#load(task, toLoad).then(() => this.#again(task, this.#try(task), undefined));
        return void loaded.then(resolve, reject);
      };
      this.#parts.reads.read(this.#asked(missing), { seen, failed: reject });
    });
  }

  /** Reads what is missing, waits for room, begins anew, until it is done. */
  async #again<T>(
    task: Task<T>,
    first: Tried<T>,
    watches: readonly Watch[] | undefined,
    outcome: Outcome | null = null,
  ): Promise<Executed<T>> {
    const { clock, waitMs, assertOpen } = this.#parts;
    const deadline = clock.monotonic() + waitMs;
    let turn: (() => void) | null = null;
    try {
      let ended = outcome === null ? null : this.#endedBy(first as Worked<T>, outcome);
      for (let [tried, tries] = [first, 0]; tries < triesMax; tries++) {
        if ("missing" in tried) {
          // Whoever changes a record that it has read takes turns with the others of this process.
          if (task.write && turn === null) turn = await this.#turns.take(tried.missing);
          await this.#read(task, tried.missing);
        } else {
          ended ??= await this.#finish(task, tried);
          if (!("again" in ended)) {
            if (!task.write && watches !== undefined) begin(watches, task);
            return ended;
          }
          if (ended.again === "full") await this.#whenRoom(deadline);
          else if (!(await this.#hold(task.expected))) throw new Conflict();
          await this.#read(task, []);
        }
        ended = null;
        assertOpen();
        tried = this.#try(task);
      }
      throw tooManyTries(triesMax);
    } catch (error) {
      throw this.#refused(task, error);
    } finally {
      turn?.();
    }
  }

  #refused(task: Pick<Task<unknown>, "write">, error: unknown): unknown {
    if (task.write) this.#parts.counters.reject(error);
    return error;
  }

  /** Runs the work on what was read. */
  #try<T>(task: Task<T>): Tried<T> {
    const { resolve, limits } = this.#parts;
    const { records } = task;
    const lookup = records === null ? nothingKnown : (record: Bytes) => records.get(record)?.value;
    const workspace = new Workspace(resolve, lookup, task.now, this.#random);
    let value: T;
    try {
      value = task.work(workspace);
    } catch (error) {
      if (workspace.hasMissing) return { missing: workspace.missing };
      throw error;
    }
    if (workspace.hasMissing) return { missing: workspace.missing };
    if (!task.write) return new Worked(value, nothing, noRecords);
    if (workspace.cleared) throw cannotClear();
    const changes = workspace.changes();
    if (limits !== null) checkSizes(changes, limits);
    checkRows(changes);
    for (const { record } of changes) if (record.startsWith(ownPrefix)) throw ownKey();
    return new Worked(value, changes, records === null ? noRecords : workspace.records);
  }

  async #finish<T>(task: Task<T>, tried: Worked<T>): Promise<Ended<T>> {
    if (tried.changes.length === 0) {
      const holds = await this.#stillHolds(task);
      return holds ? { value: tried.value, sequence: 0, frame: 0 } : { again: "conflict" };
    }
    const outcome = await new Promise<Outcome>((settled, failed) => this.#write(task, tried, settled, failed));
    return this.#endedBy(tried, outcome);
  }

  #endedBy<T>(tried: Worked<T>, outcome: Outcome): Ended<T> {
    if (outcome.became === "kept") return this.#kept(tried, outcome.sequence);
    const { events } = this.#parts;
    if (outcome.became === "full" && events.has("full")) events.emit("full", { pendingBytes: 0, diskFull: false });
    return { again: outcome.became };
  }

  #kept<T>({ value, changes }: Worked<T>, sequence: number): Executed<T> {
    const { counters, events, stored, partitions } = this.#parts;
    counters.accepted++;
    counters.acceptedChanges += changes.length;
    const frame = stored.made(partitionOf((changes[0] as Written).record, partitions), sequence);
    if (events.has("accepted")) events.emit("accepted", { sequence: frame, changes: changes.length });
    return { value, sequence: frame, frame };
  }

  /** What was read at one moment was true then; what was read piece by piece must still be. */
  #stillHolds<T>({ records, oneMoment, expected }: Task<T>): Promise<boolean> | true {
    if ((oneMoment || records === null || records.size < 2) && expected.size === 0) return true;
    const marks = new Map<Bytes, Mark>();
    for (const [record, { mark }] of records ?? []) marks.set(record, mark);
    for (const [record, mark] of expected) marks.set(record, mark);
    return this.#hold(marks);
  }

  /** Whether nothing of this has changed. */
  async #hold(marks: ReadonlyMap<Bytes, Mark>): Promise<boolean> {
    const groups = new Map<number, Map<Bytes, Mark>>();
    for (const [record, mark] of marks) {
      const partition = partitionOf(record, this.#parts.partitions);
      groups.set(partition, (groups.get(partition) ?? new Map<Bytes, Mark>()).set(record, mark));
    }
    for (const [partition, group] of groups) {
      if (!(await this.#parts.keeper.unchanged(partition, group))) return false;
    }
    return true;
  }

  /** Throws CROSSSLOT where what was read and what is written are not in one partition. */
  #write<T>(
    { records, expected, now }: Task<T>,
    { changes, touched }: Worked<T>,
    settled: (outcome: Outcome) => void,
    failed: (error: unknown) => void,
  ): void {
    const { partitions, writes, time } = this.#parts;
    const partition = partitionOf((changes[0] as Written).record, partitions);
    let from = expected;
    if (records !== null) {
      const marks = new Map(expected);
      for (const record of touched) {
        const read = records.get(record);
        // What a transaction read first decides, not what its last look at the same record saw.
        if (read !== undefined && !expected.has(record)) marks.set(record, read.mark);
      }
      from = marks;
    }
    if (changes.length > 1 || from.size > 0) this.#checkOne(partition, changes, from);
    const at = isTimeless(changes, from) || !time.isKnown ? undefined : now;
    writes.add(partition, new Frame(changes, from, at), settled, failed);
  }

  #checkOne(partition: number, changes: readonly Written[], from: ReadonlyMap<Bytes, Mark>): void {
    const isElsewhere = (record: Bytes): boolean => partitionOf(record, this.#parts.partitions) !== partition;
    if (changes.some(({ record }) => isElsewhere(record)) || [...from.keys()].some(isElsewhere)) {
      throw severalPartitions();
    }
  }

  /**
   * Reads what is missing and, anew, what was read before: at one moment but for what the database must be asked for.
   */
  async #read<T>(task: Task<T>, missing: readonly Bytes[]): Promise<void> {
    const wanted = task.records === null ? missing : [...task.records.keys(), ...missing];
    const result = await new Promise<ReadResult>((seen, failed) => {
      this.#parts.reads.read(this.#asked(wanted), { seen, failed });
    });
    await this.#load(task, this.#saw(task, wanted, result));
  }

  #asked(wanted: readonly Bytes[]): readonly Asked[] {
    return wanted.map((record) => ({ record, partition: partitionOf(record, this.#parts.partitions) }));
  }

  /** Takes what was read in the place of what was read before. Says what the database must be asked for. */
  #saw<T>(task: Task<T>, wanted: readonly Bytes[], { now, records: found, lease }: ReadResult): readonly ToLoad[] {
    this.#parts.time.saw(now);
    // What this process has seen to have ended is not alive again where the keeper's clock goes back.
    task.now = this.#parts.time.now();
    const read = new Map<Bytes, ReadRecord>();
    const toLoad: ToLoad[] = [];
    for (const record of wanted) {
      const { known, partition } = found.get(record) as SeenRecord;
      if (partition.broken !== null) throw brokenPartition(partition.broken);
      if (known.state === "foreign") throw foreignType(record);
      if (known.state === "unknown") toLoad.push({ record, known, partition, lease });
      else read.set(record, { value: known.state === "value" ? known.value : null, mark: partition });
    }
    this.hits += read.size;
    task.oneMoment = toLoad.length === 0;
    task.records = read;
    return toLoad;
  }

  async #load<T>(task: Task<T>, toLoad: readonly ToLoad[]): Promise<void> {
    if (toLoad.length === 0) return;
    const values = await this.#parts.cold.load(toLoad);
    for (const { record, partition } of toLoad) {
      task.records?.set(record, { value: values.get(record) ?? null, mark: partition });
    }
  }

  /** Nothing hangs: at the deadline the write is refused (promise 8). */
  async #whenRoom(deadline: number): Promise<void> {
    const { clock, keeper } = this.#parts;
    if (clock.monotonic() >= deadline) throw noRoom(keeper.place);
    await rest(clock, roomRetryMs, true);
  }
}

/** A watch begins with the first read of its record. */
function begin(watches: readonly Watch[], { records, now }: Task<unknown>): void {
  for (const watch of watches) {
    const read = watch instanceof FleetWatch ? records?.get(watch.record) : undefined;
    if (read !== undefined) (watch as FleetWatch).begin(read.mark, read.value, now);
  }
}

/** Whether a frame is the same at whatever time: it was made from nothing, and ends nothing. */
function isTimeless(changes: readonly Written[], from: ReadonlyMap<Bytes, Mark>): boolean {
  return (
    from.size === 0 && changes.every(({ change }) => change.kind === "remove" || (change.expiresAt ?? null) === null)
  );
}

const nothingKnown = (): undefined => undefined;
const noMarks: ReadonlyMap<Bytes, Mark> = new Map();
const nothing: readonly Written[] = [];
const noRecords: readonly Bytes[] = [];
