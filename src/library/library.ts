/** The library: what a program calls. Every write resolves when it is as durable as was asked. */
import { bufferOfBytes, textOfBytes, type Bytes } from "../bytes.js";
import type { EventName, Listener } from "../events.js";
import { HashHandle } from "./hash-handle.js";
import {
  kept,
  type CloseReport,
  type DeadLetterIds,
  type DeadLetterPage,
  type DeadLetterReport,
  type Executed,
  type FlushReport,
  type Heart,
  type Inspection,
  type Status,
  type StepReport,
  type WaitOptions,
} from "../heart.js";
import type { EventLog } from "../log/event-log.js";
import type { Collection } from "./collection.js";
import { CollectionHandle } from "./collection-handle.js";
import { JsonHandle } from "./json-handle.js";
import { QueuedReceipt, type Receipt, type SetOptions } from "./receipt.js";
import { RowWork } from "./row-work.js";
import { runTransaction, type Transaction } from "./transaction.js";
import {
  bytesOfKey,
  bytesOfValue,
  checkedTtl,
  incremented,
  integerStep,
  safeNumber,
  type Key,
  type Value,
} from "./values.js";
import type { Workspace } from "../workspace.js";

/** Which dead letters are listed. */
export interface DeadLettersOptions {
  readonly limit?: number | undefined;
  readonly after?: string | null | undefined;
}

/** An open write-behind. Make one with `writeBehind(…)`. */
export class WriteBehind {
  /** The verbs below this library: work on keys, marks, waits. For servers and adapters. */
  readonly heart: Heart;
  readonly #log: EventLog | null;

  constructor(heart: Heart, log: EventLog | null = null) {
    this.heart = heart;
    this.#log = log;
  }

  /** Sets a value, whatever was there. Needs the database only for one column of a row that may have ended. */
  set(key: Key, value: Value, options: SetOptions = {}): Promise<Receipt> {
    try {
      const keyBytes = bytesOfKey(key);
      const valueBytes = bytesOfValue(value);
      const ttlMs = checkedTtl(options.ttlMs);
      return this.write((workspace) => {
        workspace.setString(keyBytes, valueBytes, ttlMs === null ? null : workspace.now + ttlMs);
      }, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sets many values as one transaction: all of them reach the database together, or none. */
  async setMany(entries: Iterable<readonly [Key, Value]>, options: SetOptions = {}): Promise<Receipt> {
    const pairs = [...entries].map(([key, value]) => [bytesOfKey(key), bytesOfValue(value)] as const);
    const ttlMs = checkedTtl(options.ttlMs);
    return this.write((workspace) => {
      for (const [key, value] of pairs) workspace.setString(key, value, ttlMs === null ? null : workspace.now + ttlMs);
    }, options);
  }

  /** The newest value as text, or null. Rejects WRONG_TYPE on a hash, STORE_DOWN where it must be loaded and cannot. */
  get(key: Key, options?: WaitOptions): Promise<string | null> {
    return this.#value(key, textOfBytes, options);
  }

  /** The newest value as bytes, or null. */
  getBytes(key: Key, options?: WaitOptions): Promise<Uint8Array | null> {
    return this.#value(key, bufferOfBytes, options);
  }

  /** The newest values of many keys, read at one moment, in the order asked. */
  async getMany(keys: Iterable<Key>, options?: WaitOptions): Promise<(string | null)[]> {
    const asked = [...keys].map(bytesOfKey);
    const values = await this.read((workspace) => asked.map((key) => workspace.getString(key)), options);
    return values.map((bytes) => (bytes === null ? null : textOfBytes(bytes)));
  }

  /** Removes a record, whatever it holds, without the database; or one column of a row, which needs the row. */
  async delete(key: Key, options?: WaitOptions): Promise<Receipt> {
    const keyBytes = bytesOfKey(key);
    return this.write((workspace) => workspace.remove(keyBytes), options);
  }

  /** Adds to the integer at a key (absent: 0) and gives the sum. Rejects BAD_VALUE beyond 2^53, or where it is none. */
  async increment(key: Key, by: number = 1, options?: WaitOptions): Promise<number> {
    const keyBytes = bytesOfKey(key);
    const step = integerStep(by);
    return this.run((workspace) => {
      const sum = safeNumber(incremented(workspace.getString(keyBytes), step));
      workspace.updateString(keyBytes, String(sum) as Bytes);
      return sum;
    }, options);
  }

  /** Lets a record end after `ttlMs`, or never (null). Says whether there was such a record. */
  async expire(key: Key, ttlMs: number | null, options?: WaitOptions): Promise<boolean> {
    const keyBytes = bytesOfKey(key);
    const ttl = ttlMs === null ? null : checkedTtl(ttlMs);
    return this.run((workspace) => {
      if (workspace.get(keyBytes) === null) return false;
      workspace.setExpiry(keyBytes, ttl === null ? null : workspace.now + ttl);
      return true;
    }, options);
  }

  /** The hash at a key: a record of fields. */
  hash(key: Key): HashHandle {
    return new HashHandle(this, bytesOfKey(key));
  }

  /** A value of any JSON shape at a key. */
  json<T>(key: Key): JsonHandle<T> {
    return new JsonHandle<T>(this, bytesOfKey(key));
  }

  /**
   * The rows of a typed collection, which must be among the `routes` that this was opened with. Rejects CONFIG where it is
   * not.
   */
  collection<Pattern extends string, Row, New>(of: Collection<Pattern, Row, New>): CollectionHandle<Pattern, Row, New> {
    return new CollectionHandle(this, new RowWork(of, () => this.heart.plan));
  }

  /**
   * Runs `body` as one optimistic transaction: its reads are remembered, its writes held back, and at the end all writes
   * are applied as one frame if nothing that it read has changed; else it runs again. What `body` throws ends it with
   * nothing written. `body` may run more than once.
   */
  transaction<T>(body: (tx: Transaction) => Promise<T>, options?: WaitOptions): Promise<T> {
    return runTransaction(this.heart, body, options ?? {});
  }

  /** Waits until what is pending now (of these keys) is in the database. Rejects with the hint `resume` while paused. */
  flush(options: WaitOptions & { readonly keys?: Iterable<Key> | undefined } = {}): Promise<FlushReport> {
    const keys = options.keys === undefined ? undefined : [...options.keys].map(bytesOfKey);
    return this.heart.flush({ keys, signal: options.signal });
  }

  /** The writer stands still after the run in hand; outlives a restart. Reads and writes go on. */
  pause(): Promise<void> {
    return this.heart.pause();
  }

  /** The writer goes on. */
  resume(): Promise<void> {
    return this.heart.resume();
  }

  /** Writes one run to the database now, paused or not; `batch` null: nothing is pending. Rejects as the commit fails. */
  step(): Promise<StepReport> {
    return this.heart.step();
  }

  /** How it goes: cache, queue, writer and database, with counters since the start. Times are milliseconds. */
  status(): Status {
    return this.heart.status();
  }

  /** One record in cache, queue and database. */
  inspect(key: Key): Promise<Inspection> {
    return this.heart.inspect(bytesOfKey(key));
  }

  /**
   * Changes that the database has refused, oldest first, and what waits behind each: at most `limit` (default 100)
   * after the letter with the id `after`.
   */
  deadLetters({ limit = 100, after = null }: DeadLettersOptions = {}): Promise<DeadLetterPage> {
    return this.heart.deadLetters.list(limit, after);
  }

  /**
   * Tries dead letters again now, paused or not, each with its group in one transaction; says what became of each. They
   * are tried by themselves, too: this is for whoever has just mended the database. Rejects BAD_VALUE for an id that is
   * none, and then nothing was tried.
   */
  retryDeadLetters(ids: DeadLetterIds): Promise<DeadLetterReport> {
    return this.heart.deadLetters.retry(ids);
  }

  /**
   * Gives dead letters up, each with the others of its group; what waits behind them is written, or with `behind` given
   * up as well. From then on reads show what the database has. Rejects BAD_VALUE for an id that is none.
   */
  discardDeadLetters(ids: DeadLetterIds, options?: { readonly behind?: boolean }): Promise<DeadLetterReport> {
    return this.heart.deadLetters.discard(ids, options);
  }

  /** Listens to events of one name; the returned function stops that. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.heart.events.on(name, listener);
  }

  /** Takes no more writes, drains within the deadline (default `closeMs`), stops; the report says what is left. */
  async close(options?: { readonly deadlineMs?: number | undefined }): Promise<CloseReport> {
    this.#log?.drains(() => this.heart.accepted - this.heart.stored);
    const report = await this.heart.close(options);
    this.#log?.stopped(report);
    return report;
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Does work that writes, and resolves with its receipt when it is as durable as was asked. */
  write(work: (workspace: Workspace) => void, options?: WaitOptions): Promise<Receipt> {
    const done = this.heart.execute(work, options);
    if (done instanceof Promise) return done.then((executed) => this.#receipt(executed));
    return Promise.resolve(this.#receipt(done));
  }

  /** Does work that writes and gives a value, once it is as durable as was asked. */
  async run<T>(work: (workspace: Workspace) => T, options?: WaitOptions): Promise<T> {
    const done = this.heart.execute(work, options);
    const executed = done instanceof Promise ? await done : done;
    await kept(this.heart, executed.sequence);
    return executed.value;
  }

  /** Does work that reads, once what it read is as durable as was asked. */
  read<T>(work: (workspace: Workspace) => T, options?: WaitOptions): Promise<T> {
    try {
      const done = this.heart.view(work, options);
      if (done instanceof Promise) return done.then((executed) => this.#shown(executed));
      return Promise.resolve(this.#shown(done));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #shown<T>({ sequence, value }: Executed<T>): T | Promise<T> {
    return sequence <= this.heart.kept ? value : kept(this.heart, sequence).then(() => value);
  }

  #value<T>(key: Key, made: (bytes: Bytes) => T, options: WaitOptions | undefined): Promise<T | null> {
    try {
      const keyBytes = bytesOfKey(key);
      return this.read((workspace) => {
        const bytes = workspace.getString(keyBytes);
        return bytes === null ? null : made(bytes);
      }, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #receipt({ sequence, frame }: Executed<unknown>): Receipt | Promise<Receipt> {
    if (sequence <= this.heart.kept) return new QueuedReceipt(this.heart, frame);
    return new Promise((resolve, reject) => {
      this.heart.whenKept(sequence, (error) => {
        if (error === null) resolve(new QueuedReceipt(this.heart, frame));
        else reject(error);
      });
    });
  }
}
