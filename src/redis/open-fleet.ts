/** Opens a process of a fleet: its keeper, its road to the database, its worker. */
import type { Heart } from "../heart.js";
import { withRoutes } from "../heart/addressing.js";
import type { SharedHeartParts } from "../shared-cache.js";
import { openReader } from "../store/thread-reader.js";
import { Emitter } from "../events.js";
import type { Store, StoreDescriptor } from "../store/store.js";
import { abortable } from "../heart/attempt.js";
import { firstOutcome } from "./first-outcome.js";
import { connect } from "./connect.js";
import { loadStoreModule } from "../store/load-store.js";
import { openAddressing, type LookAtTables } from "./front/fleet-addressing.js";
import { FleetHeart } from "./front/fleet-heart.js";
import { identity } from "../host/identity.js";
import type { Fleet } from "./keeper.js";
import type { EngineOptions } from "../options.js";
import type { WorkerOptions } from "./worker/report.js";
import { startWorker } from "./worker/start-worker.js";
import type { WorkerHandle, WorkerTold } from "./worker/worker-messages.js";

/** How long a worker whose process could not be opened may take to stop, in milliseconds. */
const stopMs = 1000;

/** Opens it. Rejects CACHE_DOWN, CONFIG, QUEUE_MISMATCH, and what the store finds wrong. */
export async function openFleetHeart(url: string, parts: SharedHeartParts): Promise<Heart> {
  const { host, options } = parts;
  const store = withRoutes(parts.store, options.routes);
  const { keeper, fleet, keeps, roomBytes, close } = await connect(url, host, options, true);
  const events = new Emitter();
  let worker: WorkerHandle | null = null;
  try {
    const all = Array.from({ length: fleet.partitions }, (_, partition) => partition);
    const { states } = await keeper.states(all);
    const addressing = await openAddressing(keeper, tablesOf(store), options, states);
    if (options.worker) {
      const begun = firstOutcome(host.clock);
      worker = startOwnWorker(url, parts, store, fleet, events, begun.hear);
      const neverStored = states.every(({ head }) => head.sequence === 0);
      await abortable(begun.outcome(neverStored), parts.signal);
    }
    return await FleetHeart.open({
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

/** A worker in this process. What an operator must hear of it is told as an event. */
function startOwnWorker(
  url: string,
  { host, options }: SharedHeartParts,
  store: Store | StoreDescriptor,
  { partitions }: Fleet,
  events: Emitter,
  hear: (told: WorkerTold) => void,
): WorkerHandle {
  const { routes, unrouted } = options;
  const routing = { routes, unrouted };
  const setup = { cache: url, partitions, options: workerOptions(options), identity: identity(), routing };
  return startWorker(host, setup, store, (told) => {
    hear(told);
    if (told.type === "warning") events.emit("warning", { text: told.text });
    if (told.type === "failed") events.emit("stalled", { reason: `the worker of this process: ${told.error.message}` });
  });
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
