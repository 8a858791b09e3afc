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
import type { Store, StoreDescriptor, StoreReader } from "../store/store.js";
import { openHeart } from "../write-behind.js";
import { HinderedStore, type BeforeStore } from "./hindered-store.js";
import type { LessonEntry, LessonState } from "./lesson.js";

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
  const store = beforeCommit === null ? given : new HinderedStore(await plainStore(given), beforeCommits(beforeCommit));
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
  const seen = await lookInside(heart, keys, 1000);
  return { ...seen, database: await lookAtDatabase(reader, keys) };
}

/** What the engine itself holds: what its cache knows of these keys, and its oldest pending changes. */
export async function lookInside(
  heart: Heart,
  keys: readonly Bytes[],
  changesMax: number,
): Promise<Omit<LessonState, "database">> {
  const inspections = await Promise.all(keys.map((key) => heart.inspect(key)));
  const { items } = await heart.pending(changesMax, null);
  return {
    cache: inspections
      .filter(({ cache }) => cache.state !== "unknown")
      .map(({ key, cache }) => ({ key, value: cache.value })),
    queue: items.slice(0, changesMax).map(({ key, kind, value, unset }) => ({ key, kind, value, unset })),
  };
}

/** What the database holds of these keys. */
export async function lookAtDatabase(reader: StoreReader, keys: readonly Bytes[]): Promise<LessonEntry[]> {
  const rows = keys.length === 0 ? [] : await reader.read(keys);
  return keys.map((key, index) => ({ key: jsonOfBytes(key), value: jsonOfValue(rows[index] ?? null) }));
}

/** A batch without rows is the idle writer keeping its claim: no write of a client. */
function beforeCommits(beforeCommit: BeforeCommit): BeforeStore {
  let attempts = 0;
  return async (verb, rows) => {
    if (verb === "commit" && rows > 0) await beforeCommit((attempts += 1));
  };
}
