/**
 * Which key leads where, for a process of a fleet: the routes are this process's, what they were before is noted beside
 * the fleet, the tables are looked at when it opens. Changes of one queue mean what one set of routes says: a process
 * that sees that others have begun with other routes takes no more work.
 */
import { WriteBehindError } from "../../errors.js";
import { Addressing } from "../../heart/addressing.js";
import { fingerprintOf, type RouteSpec, type Routing } from "../../routes/route.js";
import { isStoreAway, storeErrorKind, type TableSchema } from "../../store/store.js";
import type { Keeper, PartitionState } from "../keeper.js";
import { RoutesNote } from "./routes-note.js";

/** The addresses of one process. */
export interface FleetAddressing extends Pick<Addressing, "plan" | "resolve" | "freshMs"> {
  /** Why this process must take no more work; null: nothing is wrong. */
  lookAgain(): Promise<WriteBehindError | null>;
}

/** Looks at the tables of routes as they are; null where the store maps none. Throws a StoreError. */
export type LookAtTables = (routes: readonly RouteSpec[]) => Promise<readonly TableSchema[] | null>;

/** Opens them. Rejects ROUTE_MISMATCH, STORE_DOWN, CONFIG. */
export async function openAddressing(
  keeper: Keeper,
  look: LookAtTables | null,
  { routes, unrouted }: Routing,
  states: readonly PartitionState[],
): Promise<FleetAddressing> {
  if (routes.some(({ table }) => table === null)) throw noCacheOnly();
  const note = new RoutesNote(keeper);
  const addressing = await Addressing.recall({ memory: note, routes, unrouted });
  const told = addressing.mapsTables && (await findTables(addressing, look, routes));
  const pending = states.reduce((all, { head, stored }) => all + Math.max(0, head.sequence - stored.sequence), 0);
  const letters = states.reduce((all, state) => all + state.letters, 0);
  await addressing.begin(pending, letters, told);
  const lookAgain = async (): Promise<WriteBehindError | null> => {
    const found = await note.read();
    if (typeof found === "string" || found.fingerprint === addressing.fingerprint) return null;
    return otherRoutes(keeper.place);
  };
  return {
    get plan() {
      return addressing.plan;
    },
    resolve: (key) => addressing.resolve(key),
    freshMs: (record) => addressing.freshMs(record),
    lookAgain,
  };
}

/**
 * The addresses of one that only looks: by the tables that the fleet has noted. Without the fleet's routes no key
 * can be resolved; all else can be seen.
 */
export async function visitAddressing(keeper: Keeper, { routes, unrouted }: Routing): Promise<FleetAddressing> {
  const note = new RoutesNote(keeper);
  const addressing = await Addressing.recall({ memory: note, routes, unrouted });
  const found = await note.read();
  const now = typeof found === "string" ? fingerprintOf([], "store") : found.fingerprint;
  const fits = now === addressing.fingerprint;
  if (fits && typeof found !== "string") addressing.found(found.tables);
  return {
    get plan() {
      return addressing.plan;
    },
    resolve: (key) => {
      if (fits) return addressing.resolve(key);
      throw routesNeeded(keeper.place);
    },
    freshMs: (record) => addressing.freshMs(record),
    lookAgain: () => Promise.resolve(null),
  };
}

function routesNeeded(place: string): WriteBehindError {
  return new WriteBehindError("ROUTE_MISMATCH", `the fleet at ${place} has other routes: they say what a key is`, {
    hint: "name their file: --routes FILE, and `unrouted` as its processes have it",
  });
}

/** Whether the database has told what its tables are. One that is away is waited for by the workers, not here. */
async function findTables(
  addressing: Addressing,
  look: LookAtTables | null,
  routes: readonly RouteSpec[],
): Promise<boolean> {
  try {
    const tables = (await look?.(routes)) ?? null;
    if (tables === null) throw noTables();
    addressing.found(tables);
    return true;
  } catch (error) {
    if (storeErrorKind(error) === "retryable" || isStoreAway(error)) return false;
    throw error;
  }
}

function noTables(): WriteBehindError {
  return new WriteBehindError("CONFIG", "this store takes no routes to tables", {
    hint: "pass the descriptor that postgres(…) returns, or a module that has lookAtTables",
  });
}

function noCacheOnly(): WriteBehindError {
  return new WriteBehindError(
    "CONFIG",
    "a route with `store: none` is not there for a cache that many processes share",
    {
      hint: "write such keys to the Redis itself",
    },
  );
}

function otherRoutes(place: string): WriteBehindError {
  return new WriteBehindError("ROUTE_MISMATCH", `another process writes to the queue in ${place} under other routes`, {
    hint: "stop the processes with the routes of before, then start them with the new ones",
  });
}
