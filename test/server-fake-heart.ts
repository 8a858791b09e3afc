/** A heart in memory whose marks (kept, durable, stored), loads and errors the test moves by hand. */
import { keyIsRecord } from "../src/address.js";
import type { Bytes } from "../src/bytes.js";
import { apply, isLive, type RecordValue } from "../src/change.js";
import type { WriteBehindError } from "../src/errors.js";
import { Emitter } from "../src/events.js";
import type { Executed, Heart, KeysPage, KeysPlace, Reached, Status } from "../src/heart.js";
import { Workspace } from "../src/workspace.js";

interface Wait {
  readonly sequence: number;
  readonly reached: Reached;
}

/** Calls back when a mark has come so far. */
class Mark {
  value = 0;
  #waits: Wait[] = [];

  when(sequence: number, reached: Reached): () => void {
    if (sequence <= this.value) {
      reached(null);
      return () => undefined;
    }
    const wait = { sequence, reached };
    this.#waits.push(wait);
    this.#waits.sort((a, b) => a.sequence - b.sequence);
    return () => {
      this.#waits = this.#waits.filter((other) => other !== wait);
    };
  }

  get waiting(): number {
    return this.#waits.length;
  }

  reach(value: number): void {
    this.value = Math.max(this.value, value);
    const due = this.#waits.filter((wait) => wait.sequence <= this.value);
    this.#waits = this.#waits.filter((wait) => wait.sequence > this.value);
    for (const wait of due) wait.reached(null);
  }

  fail(error: WriteBehindError): void {
    const waits = this.#waits;
    this.#waits = [];
    for (const wait of waits) wait.reached(error);
  }
}

/** The heart. `auto`: changes are kept in the next turn of the event loop, without the test's help. */
export class FakeHeart implements Partial<Heart> {
  readonly events = new Emitter();
  readonly durability = "disk";
  readonly records = new Map<Bytes, RecordValue>();
  readonly keptMark = new Mark();
  readonly durableMark = new Mark();
  readonly storedMark = new Mark();
  accepted = 0;
  /** Frames that the database has parked. */
  readonly parked = new Set<number>();
  readonly deadLetters = {
    anyIn: (first: number, last: number) => [...this.parked].some((frame) => first <= frame && frame <= last),
  } as Heart["deadLetters"];
  auto = true;
  /** Records that are not in memory, and what brings them. */
  readonly cold = new Map<Bytes, Promise<unknown>>();
  /** Thrown instead of taking a change. */
  refusal: WriteBehindError | null = null;
  now: () => number = Date.now;
  executions = 0;
  /** How many of them were asked for as reads. */
  views = 0;
  readonly #lastChange = new Map<Bytes, number>();

  get heart(): Heart {
    return this as unknown as Heart;
  }

  get kept(): number {
    return this.keptMark.value;
  }

  get stored(): number {
    return this.storedMark.value;
  }

  execute<T>(work: (workspace: Workspace) => T): Executed<T> | Promise<Executed<T>> {
    this.executions++;
    const workspace = new Workspace(
      keyIsRecord,
      (record) => (this.cold.has(record) ? undefined : (this.records.get(record) ?? null)),
      this.now(),
      Math.random,
    );
    const value = work(workspace);
    const { missing } = workspace;
    if (missing.length > 0) {
      const loads = missing.map(async (record) => {
        await this.cold.get(record);
        this.cold.delete(record);
      });
      return Promise.all(loads).then(() => this.execute(work));
    }
    return { value, ...this.#take(workspace) };
  }

  /** Reads are executed as writes are: what they would change is nothing. */
  view<T>(work: (workspace: Workspace) => T): Executed<T> | Promise<Executed<T>> {
    this.views++;
    return this.execute(work);
  }

  async keys(after: KeysPlace | null, limit: number): Promise<KeysPage> {
    const keys = [...this.records].filter(([, value]) => isLive(value, this.now())).map(([key]) => key);
    const [at, end] = [after?.held ?? 0, (after?.held ?? 0) + limit];
    return { keys: keys.slice(at, end), next: end < keys.length ? { held: end } : null };
  }

  async randomKey(): Promise<Bytes | null> {
    return (await this.keys(null, 1)).keys[0] ?? null;
  }

  #take(workspace: Workspace): { sequence: number; frame: number } {
    const changes = workspace.changes();
    let frame = 0;
    if (changes.length > 0 || workspace.cleared) {
      if (this.refusal !== null) throw this.refusal;
      frame = ++this.accepted;
      if (workspace.cleared) this.records.clear();
      for (const { record, change } of changes) {
        const value = apply(this.records.get(record) ?? null, change);
        if (value === null) this.records.delete(record);
        else this.records.set(record, value);
        this.#lastChange.set(record, frame);
      }
      if (this.auto) setImmediate(() => this.keep(this.accepted));
    }
    let sequence = frame;
    for (const record of workspace.records) sequence = Math.max(sequence, this.#lastChange.get(record) ?? 0);
    return { sequence, frame };
  }

  whenKept(sequence: number, reached: Reached): void {
    this.keptMark.when(sequence, reached);
  }

  whenDurable(sequence: number, reached: Reached): void {
    this.durableMark.when(sequence, reached);
  }

  whenStored(sequence: number, reached: Reached): () => void {
    return this.storedMark.when(sequence, reached);
  }

  /** Everything up to here is kept, and on disk. */
  keep(sequence: number): void {
    this.keptMark.reach(sequence);
    this.durableMark.reach(sequence);
  }

  status(): Status {
    return {
      state: "running",
      reason: null,
      cache: { records: this.records.size, bytes: 0, bytesMax: 1, hits: 0, misses: 0, evictions: 0 },
      queue: {
        pendingChanges: this.accepted - this.stored,
        pendingRecords: 0,
        pendingBytes: 0,
        bytesMax: 1,
        recordsMax: 1,
        oldestAgeMs: 0,
        durability: "disk",
        accepted: String(this.accepted),
        durable: String(this.kept),
        stored: null,
        exactUpTo: null,
      },
      writer: { batches: 0, rows: 0, coalesced: 0, lastCommitMs: null, retries: 0 },
      store: { kind: "memory", state: "up", since: 0, error: null, nextTryAt: null },
      deadLetters: { count: 0, bytes: 0, waitingBehind: 0, behindBytes: 0, bytesMax: 1 },
    };
  }
}
