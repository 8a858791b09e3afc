/**
 * Does work on records that other processes change too: runs it in one synchronous step on what was read, and writes its
 * changes as one frame if nothing that it read has changed since; else it reads again and begins anew. Work that reads
 * nothing is written at once. It is the counterpart of heart/execution.ts, where one process has all to itself.
 */
import type { Address } from "../../address.js";
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import { WriteBehindError } from "../../errors.js";
import type { Emitter } from "../../events.js";
import { Conflict, type Executed, type Watch, type WorkOptions } from "../../heart.js";
import { abortable } from "../../heart/attempt.js";
import { checkSizes } from "../../heart/door.js";
import type { Clock } from "../../host/host.js";
import { checkRows } from "../../routes/row-door.js";
import type { StoreLimits } from "../../store/store.js";
import { Workspace, type Written } from "../../workspace.js";
import { ownPrefix } from "../keys.js";
import type { Keeper, Mark, Outcome } from "../keeper.js";
import { partitionOf } from "../partition.js";
import type { Cold, ToLoad } from "./cold.js";
import type { FleetTime } from "./fleet-time.js";
import { FleetWatch, marksOf } from "./fleet-watch.js";
import type { MadeFrames } from "./made-frames.js";
import type { Reads } from "./reads.js";
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
  readonly time: FleetTime;
  readonly waitMs: number;
  readonly limits: StoreLimits | null;
  readonly partitions: number;
  readonly resolve: (key: Bytes) => Address;
  readonly reads: Reads;
  readonly writes: Writes;
  readonly cold: Cold;
  readonly frames: MadeFrames;
  readonly events: Emitter;
  /** Throws where the instance takes no more work. */
  readonly assertOpen: () => void;
}

/** Something read: its value, and where its partition was then. */
export interface ReadRecord {
  readonly value: RecordValue | null;
  readonly mark: Mark;
}

/** What one piece of work has read so far. */
interface View {
  readonly records: Map<Bytes, ReadRecord>;
  /** Whether all of it was read at one moment. */
  oneMoment: boolean;
  now: number;
}

/** What a try came to. */
type Tried<T> =
  | { readonly done: Executed<T> }
  | { readonly missing: readonly Bytes[] }
  | { readonly again: "conflict" | "full"; readonly records: readonly Bytes[] };

/** Does the work of one process. */
export class FleetExecution {
  readonly #parts: FleetExecutionParts;
  readonly #turns = new Turns();
  hits = 0;

  constructor(parts: FleetExecutionParts) {
    this.#parts = parts;
  }

  /** Does work. `write` false: changes that it makes are thrown away, and what it reads begins the watches. */
  async run<T>(work: (workspace: Workspace) => T, write: boolean, options: WorkOptions): Promise<Executed<T>> {
    const { watches } = options;
    const expected = write && watches !== undefined ? marksOf(watches) : noMarks;
    const view: View = { records: new Map(), oneMoment: true, now: this.#parts.time.now() };
    const first = await this.#try(work, write, view, expected);
    if ("done" in first) return first.done;
    const done = await abortable(this.#again(work, write, view, expected, first), options.signal);
    if (!write && watches !== undefined) begin(watches, view);
    return done;
  }

  async #again<T>(
    work: (workspace: Workspace) => T,
    write: boolean,
    view: View,
    expected: ReadonlyMap<Bytes, Mark>,
    first: Exclude<Tried<T>, { readonly done: unknown }>,
  ): Promise<Executed<T>> {
    const { clock, waitMs, assertOpen } = this.#parts;
    const deadline = clock.monotonic() + waitMs;
    let turn: (() => void) | null = null;
    try {
      for (let [tried, tries] = [first, 0]; tries < triesMax; tries++) {
        if ("missing" in tried) {
          // Whoever changes a record that it has read takes turns with the others of this process.
          if (write && turn === null) turn = await this.#turns.take(tried.missing);
          await this.#read(view, [...view.records.keys(), ...tried.missing]);
        } else {
          if (tried.again === "full") await this.#whenRoom(deadline);
          else if (expected.size > 0) throw new Conflict();
          await this.#read(view, [...view.records.keys()]);
        }
        assertOpen();
        const next = await this.#try(work, write, view, expected);
        if ("done" in next) return next.done;
        tried = next;
      }
      throw tooMany();
    } finally {
      turn?.();
    }
  }

  /** One try: runs the work on what was read, and writes what it made. */
  async #try<T>(
    work: (workspace: Workspace) => T,
    write: boolean,
    view: View,
    expected: ReadonlyMap<Bytes, Mark>,
  ): Promise<Tried<T>> {
    const { resolve, limits } = this.#parts;
    const workspace = new Workspace(resolve, (record) => view.records.get(record)?.value, view.now);
    let value: T;
    try {
      value = work(workspace);
    } catch (error) {
      if (workspace.hasMissing) return { missing: workspace.missing };
      throw error;
    }
    if (workspace.hasMissing) return { missing: workspace.missing };
    const changes = write ? workspace.changes() : nothing;
    if (write && workspace.cleared) throw cannotClear();
    if (changes.length === 0) return this.#finishRead(value, view, expected);
    if (limits !== null) checkSizes(changes, limits);
    checkRows(changes);
    return this.#write(value, changes, workspace, view, expected);
  }

  /** What was read at one moment was true then; what was read piece by piece must still be. */
  async #finishRead<T>(value: T, { records, oneMoment }: View, expected: ReadonlyMap<Bytes, Mark>): Promise<Tried<T>> {
    if ((oneMoment || records.size < 2) && expected.size === 0) return { done: { value, sequence: 0, frame: 0 } };
    const marks = new Map([...expected, ...[...records].map(([record, { mark }]) => [record, mark] as const)]);
    const groups = new Map<number, Map<Bytes, Mark>>();
    for (const [record, mark] of marks) {
      const partition = partitionOf(record, this.#parts.partitions);
      groups.set(partition, (groups.get(partition) ?? new Map<Bytes, Mark>()).set(record, mark));
    }
    for (const [partition, group] of groups) {
      if (!(await this.#parts.keeper.unchanged(partition, group))) return { again: "conflict", records: [] };
    }
    return { done: { value, sequence: 0, frame: 0 } };
  }

  async #write<T>(
    value: T,
    changes: readonly Written[],
    workspace: Workspace,
    view: View,
    expected: ReadonlyMap<Bytes, Mark>,
  ): Promise<Tried<T>> {
    const { partitions, writes, frames, events } = this.#parts;
    const [first] = changes as readonly [Written];
    const partition = partitionOf(first.record, partitions);
    const from = new Map<Bytes, Mark>(expected);
    for (const record of workspace.records) {
      const read = view.records.get(record);
      if (read !== undefined) from.set(record, read.mark);
    }
    if (changes.length > 1 || from.size > 0)
      checkOnePartition([...changes.map(({ record }) => record), ...from.keys()], partitions);
    for (const { record } of changes) if (record.startsWith(ownPrefix)) throw ownKey();
    const outcome: Outcome = await writes.add(partition, { changes, from });
    if (outcome.became === "conflict") return { again: "conflict", records: [] };
    if (outcome.became === "full") {
      if (events.has("full")) events.emit("full", { pendingBytes: 0, diskFull: false });
      return { again: "full", records: [] };
    }
    const frame = frames.add(partition, outcome.sequence);
    if (events.has("accepted")) events.emit("accepted", { sequence: frame, changes: changes.length });
    return { done: { value, sequence: frame, frame } };
  }

  /** Reads records, all of them at one moment but for those that must be loaded from the database. */
  async #read(view: View, records: readonly Bytes[]): Promise<void> {
    const { reads, cold, partitions, time } = this.#parts;
    const asked = records.map((record) => ({ record, partition: partitionOf(record, partitions) }));
    const { now, records: found, lease } = await reads.read(asked);
    time.saw(now);
    view.now = now;
    view.oneMoment = true;
    const toLoad: ToLoad[] = [];
    for (const { record } of asked) {
      const { known, partition } = found.get(record) as NonNullable<ReturnType<typeof found.get>>;
      const mark = { sequence: partition.sequence, thrown: partition.thrown };
      if (known.state === "foreign") throw foreign(record);
      if (known.state === "unknown") toLoad.push({ record, known, partition, lease });
      else view.records.set(record, { value: known.state === "value" ? known.value : null, mark });
    }
    this.hits += asked.length - toLoad.length;
    if (toLoad.length === 0) return;
    view.oneMoment = records.length === 1;
    for (const [record, value] of await cold.load(toLoad)) {
      const { partition } = found.get(record) as NonNullable<ReturnType<typeof found.get>>;
      view.records.set(record, { value, mark: { sequence: partition.sequence, thrown: partition.thrown } });
    }
  }

  /** Nothing hangs: at the deadline the write is refused (promise 8). */
  async #whenRoom(deadline: number): Promise<void> {
    const { clock, keeper } = this.#parts;
    if (clock.monotonic() >= deadline) throw noRoom(keeper.place);
    await new Promise<void>((resolve) => clock.after(roomRetryMs, resolve, true));
  }
}

/** A watch begins with the first read of its record. */
function begin(watches: readonly Watch[], { records }: View): void {
  for (const watch of watches) {
    if (watch instanceof FleetWatch) watch.mark ??= records.get(watch.record)?.mark ?? null;
  }
}

const noMarks: ReadonlyMap<Bytes, Mark> = new Map();
const nothing: readonly Written[] = [];

function checkOnePartition(records: readonly Bytes[], partitions: number): void {
  const [first, ...others] = records.map((record) => partitionOf(record, partitions));
  if (others.every((partition) => partition === first)) return;
  throw new WriteBehindError("CROSSSLOT", "the records of one command or transaction are in several partitions", {
    hint: "put the part that they share into braces, as in {user:1}:name: records with the same tag are in one partition",
  });
}

function cannotClear(): WriteBehindError {
  return new WriteBehindError("CONFIG", "FLUSHALL and FLUSHDB are not there for a cache that many processes share", {
    hint: "stop all processes, then empty the database's tables and the Redis by hand",
  });
}

function ownKey(): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `a key cannot begin with ${ownPrefix}: such keys hold the write queue`, {
    hint: "use another key",
  });
}

function foreign(record: Bytes): WriteBehindError {
  return new WriteBehindError("WRONG_TYPE", `${JSON.stringify(record)} holds a type that is none of ours`, {
    hint: "another client of this Redis has written it: give it another key",
  });
}

function noRoom(place: string): WriteBehindError {
  return new WriteBehindError("QUEUE_FULL", `the write queue in the Redis at ${place} is full; nothing was written`, {
    hint: "see `write-behind status` for why the database does not keep up; or raise queueBytes, queueRecords, queueAgeMs",
  });
}

function tooMany(): WriteBehindError {
  return new WriteBehindError("UNKNOWN", `other processes changed the records ${triesMax} times; nothing was written`, {
    hint: "spread the writes over more records",
  });
}
