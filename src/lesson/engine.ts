/** An engine for one run of the lesson: in a folder of its own, with its writer standing still or not. */
import { jsonOfBytes, type Bytes } from "../bytes.js";
import { commandRunner, type JsonReply } from "../dashboard/command.js";
import type { Heart, Reached } from "../heart.js";
import { jsonOfValue } from "../heart/json.js";
import type { Host } from "../host/host.js";
import { resolveEngineOptions } from "../options-resolve.js";
import { rest } from "../rest.js";
import type { CacheDescriptor } from "../shared-cache.js";
import { loadStore } from "../store/load-store.js";
import type { Batch, Store, StoreClaim, StoreDescriptor, StoreReader } from "../store/store.js";
import { openHeart } from "../write-behind.js";
import type { LessonState } from "./lesson.js";

/** What a lesson is run with. */
export interface LessonParts {
  readonly host: Host;
  /** A new folder, empty, for each run. */
  newFolder(): Promise<string>;
  /** The database in this folder: what the engine writes to. */
  storeIn(folder: string): Store | StoreDescriptor;
  /** Where cache and queue are, if not in this process: empty for each folder. */
  cacheIn?(folder: string): CacheDescriptor;
  /** How long a run waits for what a broken engine may never do, in milliseconds. Then it shows what there is. */
  readonly patienceMs: number;
  /** The same database, read through a connection that the engine knows nothing of. */
  readerIn(folder: string): StoreReader;
}

/** What a run can do with its engine. */
export interface LessonEngine {
  readonly heart: Heart;
  readonly host: Host;
  run(args: readonly Bytes[]): Promise<JsonReply>;
  /** Waits for something that a broken engine may never do. */
  patiently(wanted: Promise<void>): Promise<void>;
  /** Everything written so far is on disk. */
  durable(): Promise<void>;
  /** Everything written so far is in the database. */
  stored(): Promise<void>;
  /** Cache, queue and database now, as far as these records go. */
  look(keys: readonly Bytes[]): Promise<LessonState>;
}

/** How the engine's store is made to misbehave: called before each commit, counted from 1. */
export type BeforeCommit = (attempt: number) => Promise<void>;

/** Small files, and no long pause before a new try: a lesson is short. */
const lessonOptions = { segmentBytes: "1mb", diskReserve: "0", retryMinMs: 1, retryMaxMs: 5 };

/** Opens an engine, uses it, closes it. Without `beforeCommit` its writer is paused; with it, it runs by itself. */
export async function withEngine<T>(
  parts: LessonParts,
  beforeCommit: BeforeCommit | null,
  use: (engine: LessonEngine) => Promise<T>,
): Promise<T> {
  const folder = await parts.newFolder();
  const given = parts.storeIn(folder);
  const store = beforeCommit === null ? given : new HinderedStore(await plainStore(given), beforeCommit);
  const options = resolveEngineOptions({ ...lessonOptions, data: `${folder}/data` });
  const heart = await openHeart({ host: parts.host, store, options, cache: parts.cacheIn?.(folder) });
  const reader = parts.readerIn(folder);
  try {
    if (beforeCommit === null) await heart.pause();
    return await use(engineOf(parts, heart, reader));
  } finally {
    await heart.close({ deadlineMs: Math.min(1000, parts.patienceMs) });
    await reader.close();
  }
}

function engineOf({ host, patienceMs }: LessonParts, heart: Heart, reader: StoreReader): LessonEngine {
  const run = commandRunner(heart, true);
  const patiently = (wanted: Promise<void>): Promise<void> => Promise.race([wanted, rest(host.clock, patienceMs)]);
  const until = (wait: (sequence: number, reached: Reached) => unknown): Promise<void> =>
    patiently(new Promise((resolve) => wait(heart.accepted, () => resolve())));
  return {
    heart,
    host,
    patiently,
    run: async (args) => (await run(args)) as JsonReply,
    durable: () => until((sequence, reached) => heart.whenDurable(sequence, reached)),
    stored: () => until((sequence, reached) => heart.whenStored(sequence, reached)),
    look: (keys) => look(heart, reader, keys),
  };
}

async function plainStore(store: Store | StoreDescriptor): Promise<Store> {
  return "module" in store ? loadStore(store) : store;
}

async function look(heart: Heart, reader: StoreReader, keys: readonly Bytes[]): Promise<LessonState> {
  const inspections = await Promise.all(keys.map((key) => heart.inspect(key)));
  const { items } = await heart.pending(1000, null);
  const rows = keys.length === 0 ? [] : await reader.read(keys);
  return {
    cache: inspections
      .filter(({ cache }) => cache.state !== "unknown")
      .map(({ key, cache }) => ({ key, value: cache.value })),
    queue: items.map(({ key, kind, value, unset }) => ({ key, kind, value, unset })),
    database: keys.map((key, index) => ({ key: jsonOfBytes(key), value: jsonOfValue(rows[index] ?? null) })),
  };
}

/** A store that is asked to fail or to be slow. */
class HinderedStore implements Store {
  readonly kind: string;
  readonly place: string;
  readonly limits: Store["limits"];
  readonly #store: Store;
  readonly #beforeCommit: BeforeCommit;
  #attempts = 0;

  constructor(store: Store, beforeCommit: BeforeCommit) {
    this.#store = store;
    this.#beforeCommit = beforeCommit;
    this.kind = store.kind;
    this.place = store.place;
    this.limits = store.limits;
  }

  open(claim: StoreClaim): ReturnType<Store["open"]> {
    return this.#store.open(claim);
  }

  async commit(batch: Batch): Promise<void> {
    // A batch without rows is the idle writer keeping its claim: no write of a client.
    if (batch.rows.size > 0) await this.#beforeCommit((this.#attempts += 1));
    await this.#store.commit(batch);
  }

  read(...args: Parameters<Store["read"]>): ReturnType<Store["read"]> {
    return this.#store.read(...args);
  }

  scan(...args: Parameters<Store["scan"]>): ReturnType<Store["scan"]> {
    return this.#store.scan(...args);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
