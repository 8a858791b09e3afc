/**
 * Cold reads, beside the writer and never through its connection. A synchronous driver would make every client wait
 * for one client's disk, so its reads run on a thread of their own; all other stores are read on the caller's.
 */
import type { Bytes } from "../bytes.js";
import type { RecordValue } from "../change.js";
import { errorOfPlain } from "../errors.js";
import type { Clock, Host, Thread } from "../host/host.js";
import { GatheredReads } from "./gathered-reads.js";
import { loadStore } from "./load-store.js";
import type { FromReader, ReaderError, ToReader } from "./reader-messages.js";
import { StoreError, type Page, type Reached, type Store, type StoreDescriptor, type StoreReader } from "./store.js";

/** The reader of a store. Nothing is loaded or started before the first read. */
export function openReader(store: Store | StoreDescriptor, host: Host): StoreReader {
  if (!("module" in store)) return new SharedReader(store);
  return store.reads === "thread" ? new ThreadReader(store, host) : new CallerReader(store, host.clock);
}

/** Reads a store that somebody else has made, and will close. */
class SharedReader implements StoreReader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  read(records: readonly Bytes[], reached?: Reached): Promise<readonly (RecordValue | null)[]> {
    return this.#store.read(records, reached);
  }

  scan(after: Bytes | null, limit: number, nowMs: number, table: string | null = null): Promise<Page> {
    return this.#store.scan(after, limit, nowMs, table);
  }

  async close(): Promise<void> {}
}

/** Reads a store of its own on the caller's thread. */
class CallerReader implements StoreReader {
  readonly #descriptor: StoreDescriptor;
  readonly #gathering: GatheredReads;
  #store: Promise<Store> | null = null;

  constructor(descriptor: StoreDescriptor, clock: Clock) {
    this.#descriptor = descriptor;
    this.#gathering = new GatheredReads(clock, async (...asked) => (await this.#load()).read(...asked));
  }

  read(records: readonly Bytes[], reached: Reached = null): Promise<readonly (RecordValue | null)[]> {
    return this.#gathering.read(records, reached);
  }

  async scan(after: Bytes | null, limit: number, nowMs: number, table: string | null = null): Promise<Page> {
    return (await this.#load()).scan(after, limit, nowMs, table);
  }

  lookAfresh(): void {
    void this.close();
  }

  async close(): Promise<void> {
    const store = this.#store;
    this.#store = null;
    await (await store?.catch(() => null))?.close();
  }

  #load(): Promise<Store> {
    this.#store ??= loadStore(this.#descriptor).catch((error: unknown) => {
      this.#store = null;
      throw error;
    });
    return this.#store;
  }
}

/** How long a reading thread may take to close its connection, behind the reads that are under way. */
const closeMs = 1000;

/** A question that waits for its answer. */
interface Asked {
  readonly resolve: (answer: FromReader) => void;
  readonly reject: (error: Error) => void;
}

/** Reads a store of its own on a thread of its own. A thread that dies is started again by the next question. */
class ThreadReader implements StoreReader {
  readonly #descriptor: StoreDescriptor;
  readonly #host: Host;
  readonly #asked = new Map<number, Asked>();
  readonly #gathering: GatheredReads;
  #thread: Thread<ToReader, FromReader> | null = null;
  #id = 0;
  #closed = false;

  constructor(descriptor: StoreDescriptor, host: Host) {
    this.#descriptor = descriptor;
    this.#host = host;
    this.#gathering = new GatheredReads(host.clock, (...asked) => this.#readNow(...asked));
  }

  read(records: readonly Bytes[], reached: Reached = null): Promise<readonly (RecordValue | null)[]> {
    return this.#gathering.read(records, reached);
  }

  async scan(after: Bytes | null, limit: number, nowMs: number, table: string | null = null): Promise<Page> {
    const answer = await this.#ask((id) => ({ type: "scan", id, after, limit, nowMs, table }));
    if (answer.type !== "page") throw strangeAnswer(answer);
    return answer.page;
  }

  lookAfresh(): void {
    // What it says of its end nobody needs: the next question tells.
    if (this.#thread !== null && !this.#closed)
      this.#post(this.#thread, (id) => ({ type: "close", id })).catch(() => {});
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const thread = this.#thread;
    if (thread === null) return;
    // It holds no claim and nothing unwritten: a connection that is not closed in time ends with its thread.
    await new Promise<void>((resolve) => {
      const timer = this.#host.clock.after(closeMs, resolve, true);
      this.#post(thread, (id) => ({ type: "close", id }))
        .then(
          () => {},
          () => {},
        )
        .finally(() => {
          timer.cancel();
          resolve();
        });
    });
    this.#thread = null;
    await thread.terminate();
    this.#lost(thread, "the reader is closed");
  }

  async #readNow(records: readonly Bytes[], reached: Reached): Promise<readonly (RecordValue | null)[]> {
    const answer = await this.#ask((id) => ({ type: "read", id, records, reached }));
    if (answer.type !== "values") throw strangeAnswer(answer);
    return answer.values;
  }

  async #ask(question: (id: number) => ToReader): Promise<FromReader> {
    if (this.#closed) throw new StoreError("retryable", "the reader is closed");
    this.#thread ??= this.#start();
    return this.#post(this.#thread, question);
  }

  #post(thread: Thread<ToReader, FromReader>, question: (id: number) => ToReader): Promise<FromReader> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      thread.post(question(id));
    });
  }

  #start(): Thread<ToReader, FromReader> {
    const url = new URL("./reader-thread.js", import.meta.url).href;
    const thread = this.#host.threads.start<ToReader, FromReader>(url, this.#descriptor);
    thread.receive((answer) => this.#answered(answer));
    thread.ended((error) => this.#lost(thread, `the reading thread has ended: ${error?.message ?? "unasked"}`));
    return thread;
  }

  #answered(answer: FromReader): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (answer.type === "failed") asked?.reject(errorOfReader(answer.error));
    else asked?.resolve(answer);
  }

  /** Nobody will answer any more: whoever waits may try again, with a new thread. */
  #lost(thread: Thread<ToReader, FromReader>, why: string): void {
    if (this.#thread !== null && this.#thread !== thread) return;
    this.#thread = null;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(new StoreError("retryable", why));
  }
}

function errorOfReader(error: ReaderError): Error {
  return "kind" in error ? new StoreError(error.kind, error.message) : errorOfPlain(error);
}

function strangeAnswer(answer: FromReader): Error {
  return new Error(`broken invariant: the reading thread answered with ${answer.type}`);
}
