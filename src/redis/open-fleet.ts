/** Opens a process of a fleet: one that serves, one that only writes, one that only looks and gives orders. */
import { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import { withRoutes } from "../heart/addressing.js";
import type { SharedHeartParts } from "../shared-cache.js";
import { openReader } from "../store/thread-reader.js";
import { Emitter } from "../events.js";
import { abortable } from "../heart/attempt.js";
import { identity } from "../host/identity.js";
import { loadStoreModule } from "../store/load-store.js";
import { StoreError, type LookedPosition, type Store, type StoreDescriptor, type StoreReader } from "../store/store.js";
import { foundOrBorn } from "./birth.js";
import { connect, type Connected } from "./connect.js";
import { firstOutcome } from "./first-outcome.js";
import { openAddressing, visitAddressing, type LookAtTables } from "./front/fleet-addressing.js";
import { backlogOf } from "./front/fleet-status.js";
import type { Backlog } from "../log/outages.js";
import { FleetHeart } from "./front/fleet-heart.js";
import type { Fleet, Keeper, PartitionState } from "./keeper.js";
import type { EngineOptions } from "../options.js";
import type { WorkerOptions } from "./worker/report.js";
import { startWorker } from "./worker/start-worker.js";
import type { WorkerHandle, WorkerTold } from "./worker/worker-messages.js";

/** How long a worker whose process could not be opened may take to stop, in milliseconds. */
const stopMs = 1000;

/**
 * Opens one that serves. Waits for the database only where there is no fleet yet. Rejects CACHE_DOWN, CONFIG,
 * QUEUE_MISMATCH, and what the store finds wrong.
 */
export async function openFleetHeart(url: string, parts: SharedHeartParts): Promise<Heart> {
  const { host, options } = parts;
  if (options.resident) throw notResident();
  const store = withRoutes(parts.store, options.routes);
  const connected = await connect(url, host, options, options.durability);
  const { keeper, keeps, roomBytes, close } = connected;
  const events = parts.events ?? new Emitter();
  let worker: WorkerHandle | null = null;
  try {
    const fleet = await foundOrBorn(keeper, { ...parts, look: positionsOf(store), partitions: options.partitions });
    const states = await statesOf(keeper, fleet);
    const addressing = await openAddressing(keeper, tablesOf(store), options, states);
    if (options.worker) {
      const begun = firstOutcome(host.clock);
      worker = startOwnWorker(url, parts, store, fleet, events, begun.hear);
      const neverStored = states.every(({ head }) => head.sequence === 0);
      await abortable(begun.outcome(neverStored), parts.signal);
    }
    const heart = await FleetHeart.open({
      host,
      keeper,
      fleet,
      keeps,
      options,
      roomBytes,
      reader: openReader(store, host),
      storeKind: store.kind ?? "unknown",
      limits: store.limits ?? null,
      addressing,
      worker,
      events,
      end: close,
    });
    connected.watch(({ message, hint }) => events.emit("warning", { text: `${message}; repair it: ${hint}` }));
    return heart;
  } catch (error) {
    await worker?.stop(stopMs);
    await close();
    throw error;
  }
}

/** Looks at the tables of routes; null where the store maps none. */
function tablesOf(store: Store | StoreDescriptor): LookAtTables | null {
  if (!("module" in store)) return null;
  return async (routes) => {
    const { lookAtTables } = await loadStoreModule(store.module);
    return lookAtTables === undefined ? null : lookAtTables(store.options, routes);
  };
}

/**
 * Looks at the positions in a database. One that cannot be looked at says what it has to say when a worker opens
 * it.
 */
function positionsOf(store: Store | StoreDescriptor): () => Promise<readonly LookedPosition[]> {
  return async () => {
    if (!("module" in store)) return [];
    const { lookAtPositions } = await loadStoreModule(store.module);
    return (await lookAtPositions?.(store.options)) ?? [];
  };
}

/** A worker in this process. What an operator must hear of it is told as an event. */
function startOwnWorker(
  url: string,
  { host, options }: SharedHeartParts,
  store: Store | StoreDescriptor,
  fleet: Fleet,
  events: Emitter,
  hear: (told: WorkerTold) => void,
): WorkerHandle {
  let failure: string | null = null;
  return startWorker(host, setupOf(url, options, fleet), store, (told) => {
    hear(told);
    if (told.type === "warning") events.emit("warning", { text: told.text });
    const said = failure;
    failure = told.type === "failed" ? told.error.message : told.type === "report" ? null : failure;
    // It is tried again and again; one word is enough.
    if (failure !== null && failure !== said)
      events.emit("stalled", { reason: `the worker of this process: ${failure}` });
  });
}

/** A process that only writes. */
export interface FleetWork extends Pick<Connected, "keeps" | "watch"> {
  readonly fleet: Fleet;
  /** What is pending in the fleet now. Rejects CACHE_DOWN. */
  readonly backlog: () => Promise<Backlog>;
  /** Hands over what the worker owns, and ends all of it. */
  stop(deadlineMs: number): Promise<FleetWorkStopped>;
}

/** What a process that only writes leaves behind. */
export interface FleetWorkStopped {
  /** Whether a call into the database's driver does not return. */
  readonly hangs: boolean;
  /** What is pending in the fleet, and how many workers go on with it; null where nobody could be asked. */
  readonly left: { readonly pendingChanges: number; readonly workers: number } | null;
}

/** What one that only writes is made of. */
export interface FleetWorkParts extends SharedHeartParts {
  /** Hears what the worker tells. */
  readonly tell: (told: WorkerTold) => void;
  /** Told each time that the database cannot be asked whether a fleet may be born. */
  readonly waits: (why: string) => void;
}

/** Opens one that only writes. Rejects as `openFleetHeart`, but asks for no durability: it answers nobody. */
export async function openFleetWork(url: string, parts: FleetWorkParts): Promise<FleetWork> {
  const { host, options, tell } = parts;
  const store = withRoutes(parts.store, options.routes);
  const { keeper, keeps, roomBytes, watch, close } = await connect(url, host, options, "safety");
  try {
    const fleet = await foundOrBorn(keeper, { ...parts, look: positionsOf(store), partitions: options.partitions });
    await openAddressing(keeper, tablesOf(store), options, await statesOf(keeper, fleet));
    const worker = startWorker(host, setupOf(url, options, fleet), store, tell);
    const stop = async (deadlineMs: number): Promise<FleetWorkStopped> => {
      const hasStopped = await worker.stop(deadlineMs);
      const left = await leftIn(keeper, fleet, options.leaseMs).catch(() => null);
      await close();
      return { hangs: !hasStopped, left };
    };
    const backlog = async (): Promise<Backlog> => {
      const { now, states } = await keeper.states(allOf(fleet));
      return backlogOf(states, now, { bytesMax: roomBytes, recordsMax: options.queueRecords });
    };
    return { fleet, keeps, watch, backlog, stop };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Opens one that only looks and gives orders, for as long as that takes. Null where there is no fleet. `store`: for
 * reads of the database; null reads none. Rejects CACHE_DOWN.
 */
export async function visitFleet(
  url: string,
  { host, store, options }: Pick<SharedHeartParts, "host" | "options"> & { readonly store: StoreDescriptor | null },
): Promise<Heart | null> {
  const { keeper, keeps, roomBytes, close } = await connect(url, host, options, null);
  try {
    const fleet = await keeper.fleet(null);
    if (fleet === null) {
      await close();
      return null;
    }
    const routed = store === null ? null : withRoutes(store, options.routes);
    return await FleetHeart.open({
      host,
      keeper,
      fleet,
      keeps,
      options,
      roomBytes,
      reader: routed === null ? noReader : openReader(routed, host),
      storeKind: store?.kind ?? "unknown",
      limits: null,
      addressing: await visitAddressing(keeper, options),
      worker: null,
      events: new Emitter(),
      end: close,
    });
  } catch (error) {
    await close();
    throw error;
  }
}

/** Who looks and has named no database. */
const noReader: StoreReader = {
  read: () => Promise.reject(new StoreError("broken", "no database was named: --store URL")),
  scan: () => Promise.reject(new StoreError("broken", "no database was named: --store URL")),
  close: () => Promise.resolve(),
};

async function leftIn(keeper: Keeper, fleet: Fleet, leaseMs: number): Promise<FleetWorkStopped["left"]> {
  const [states, { workers }] = await Promise.all([statesOf(keeper, fleet), keeper.look(leaseMs)]);
  return { pendingChanges: pendingIn(states), workers: workers.length };
}

function pendingIn(states: readonly PartitionState[]): number {
  return states.reduce((all, { head, stored }) => all + Math.max(0, head.sequence - stored.sequence), 0);
}

async function statesOf(keeper: Keeper, fleet: Fleet): Promise<readonly PartitionState[]> {
  return (await keeper.states(allOf(fleet))).states;
}

function allOf({ partitions }: Fleet): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}

function setupOf(url: string, options: EngineOptions, { id }: Fleet): Parameters<typeof startWorker>[1] {
  const { routes, unrouted } = options;
  const routing = { routes, unrouted };
  return { cache: url, fleet: id, options: workerOptions(options), identity: identity(), routing };
}

/** Only what a worker obeys crosses the thread. */
export function workerOptions(options: EngineOptions): WorkerOptions {
  const { delayMs, batchBytes, batchRecords, cacheBytes, queueBytes, retryMinMs, retryMaxMs, deadLettersMax } = options;
  const { retainBytes, retainMs, leaseMs, cacheTtlMs } = options;
  const ofWriter = {
    delayMs,
    batchBytes,
    batchRecords,
    cacheBytes,
    queueBytes,
    retryMinMs,
    retryMaxMs,
    deadLettersMax,
  };
  return { ...ofWriter, retainBytes, retainMs, leaseMs, cacheTtlMs };
}

function notResident(): WriteBehindError {
  return new WriteBehindError("CONFIG", "resident keeps all records in one process, and a cache in Redis is shared", {
    hint: "leave one of the two out",
  });
}
