/**
 * Does work: runs it in one synchronous step on what is in memory, or loads what is missing and begins anew. Its
 * changes become one frame, which queue and cache take in the same step. When that is kept and answered others see to.
 */
import type { MemoryCache } from "../cache/memory-cache.js";
import type { Counters } from "../counters.js";
import type { Emitter } from "../events.js";
import type { Executed, WaitOptions } from "../heart.js";
import type { Clock, Random } from "../host/host.js";
import { frameBytes } from "../queue/journal/frame.js";
import type { Journal } from "../queue/journal/journal.js";
import type { FrameBody } from "../queue/queue.js";
import { checkRows, mayDiffer, tablesStay } from "../routes/row-door.js";
import type { StoreLimits } from "../store/store.js";
import { Workspace, type Lookup, type Written } from "../workspace.js";
import type { Addressing } from "./addressing.js";
import { abortable, bodyOf, NotYet, Pins } from "./attempt.js";
import { keepInCache } from "./cache-only.js";
import { checkSizes } from "./door.js";
import type { Loads } from "./loads.js";
import { checkResidents } from "./residence.js";
import type { WriterSide } from "./writer-side.js";

const nothing: readonly Written[] = [];

/** What it works with. */
export interface ExecutionParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly waitMs: number;
  /** What the store takes; null: anything. */
  readonly limits: StoreLimits | null;
  readonly addressing: Addressing;
  readonly journal: Journal;
  readonly cache: MemoryCache;
  readonly loads: Loads;
  readonly side: WriterSide;
  readonly events: Emitter;
  readonly counters: Counters;
  /** All records stay in memory. */
  readonly resident: boolean;
  /** Log time. */
  readonly now: () => number;
  /** Throws where the instance takes no more work. */
  readonly assertOpen: () => void;
  /** The writer is to make room. */
  readonly hurry: () => void;
}

/** Does the work of one instance. */
export class Execution {
  readonly #parts: ExecutionParts;
  readonly #cache: MemoryCache;
  #now = 0;
  readonly #random: () => number;
  /** Whether the work that is being tried was tried before: a read is one hit or one miss, not both. */
  #repeats = false;
  readonly #lookup: Lookup = (record, reads) =>
    reads && !this.#repeats ? this.#cache.lookup(record, this.#now) : this.#cache.peek(record, this.#now);

  constructor(parts: ExecutionParts) {
    this.#parts = parts;
    this.#cache = parts.cache;
    this.#random = () => parts.random.number();
  }

  /** Does work. `write` false: changes that it makes are thrown away. */
  run<T>(work: (workspace: Workspace) => T, write: boolean, options: WaitOptions): Executed<T> | Promise<Executed<T>> {
    try {
      this.#parts.assertOpen();
      const done = this.#attempt(work, write);
      return done instanceof NotYet ? this.#again(work, write, done, options) : done;
    } catch (error) {
      if (write) this.#parts.counters.reject(error);
      throw error;
    }
  }

  /** One try: all in one synchronous step, or nothing and what is missing. */
  #attempt<T>(work: (workspace: Workspace) => T, write: boolean, repeats = false): Executed<T> | NotYet {
    const { addressing, journal, limits, side } = this.#parts;
    this.#repeats = repeats;
    this.#now = this.#parts.now();
    this.#cache.seen = 0;
    const workspace = new Workspace(addressing.resolve, this.#lookup, this.#now, this.#random);
    let value: T;
    try {
      value = work(workspace);
    } catch (error) {
      if (workspace.hasMissing) return new NotYet(workspace, 0);
      throw error;
    }
    if (workspace.hasMissing) return new NotYet(workspace, 0);
    const changes = write ? workspace.changes() : nothing;
    if (limits !== null) checkSizes(changes, limits);
    side.parked.checkRoom(changes);
    if (this.#parts.resident) checkResidents(this.#cache, changes);
    checkRows(changes);
    if (workspace.cleared && addressing.mapsTables) throw tablesStay();
    const body = bodyOf(changes, write && workspace.cleared);
    const bytes = body === null ? 0 : frameBytes(body);
    if (body !== null && !journal.hasRoom(bytes, body.kind)) return new NotYet(workspace, bytes);
    if (write) keepInCache(this.#cache, workspace.cacheOnly(), this.#now);
    if (body === null) return { value, sequence: this.#cache.seen, frame: 0 };
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
    const deadline = this.#parts.clock.monotonic() + this.#parts.waitMs;
    try {
      for (let notYet = first; ;) {
        pins.add(notYet.workspace.records);
        if (notYet.bytes === 0) await abortable(this.#parts.loads.load(notYet.workspace.missing), options.signal);
        else await this.#whenRoom(notYet.bytes, deadline, options.signal);
        this.#parts.assertOpen();
        const done = this.#attempt(work, write, true);
        if (!(done instanceof NotYet)) return done;
        notYet = done;
      }
    } catch (error) {
      if (write) this.#parts.counters.reject(error);
      throw error;
    } finally {
      pins.release();
    }
  }

  /** The one place where a change enters: queue and cache, in one synchronous step. */
  #take(body: FrameBody, changes: readonly Written[], bytes: number): number {
    const sequence = this.#parts.journal.append(body, this.#now, bytes);
    if (body.kind === "clear") this.#cleared(sequence);
    for (const { record, change, table } of changes) {
      this.#cache.write(record, change, sequence);
      // The database may make more of it than it was given: it is read again once it is there.
      if (table !== null && mayDiffer(table, change)) this.#cache.invalidate(record);
    }
    const count = body.kind === "clear" ? 1 : changes.length;
    this.#parts.counters.accepted++;
    this.#parts.counters.acceptedChanges += count;
    this.#parts.side.accepted(sequence, count);
    return sequence;
  }

  /** What was pending costs no memory any more: who waits for that is asked again now (promise 8). */
  #cleared(sequence: number): void {
    this.#cache.clear(sequence);
    this.#parts.journal.recordsFreed();
  }

  async #whenRoom(bytes: number, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    const { events } = this.#parts;
    if (events.has("full")) events.emit("full", this.#parts.journal.fullness);
    this.#parts.hurry();
    const waitMs = Math.max(0, deadline - this.#parts.clock.monotonic());
    await this.#parts.journal.whenRoom(bytes, { waitMs, signal });
  }
}
