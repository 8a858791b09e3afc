/**
 * Which key leads where, for one instance: the plan of its routes and of the tables as the store has found them last.
 * The folder remembers both (routes-file.ts): so it can serve while the database is away, and sees whether pending
 * changes were written under other routes (ROUTE_MISMATCH).
 */
import { keyIsRecord, type Resolve } from "../address.js";
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import type { Change } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { Emitter } from "../events.js";
import { planOf } from "../routes/check.js";
import type { Plan } from "../routes/plan.js";
import { fingerprintOf, type RouteSpec, type Unrouted } from "../routes/route.js";
import { mayDiffer } from "../routes/row-door.js";
import type { TableSchema } from "../routes/table.js";
import type { Store, StoreDescriptor, StoreReader } from "../store/store.js";
import type { Found, RoutesMemory } from "./routes-file.js";

/** Where an instance finds what it remembers, and its routes. */
export interface AddressingParts {
  readonly memory: RoutesMemory;
  readonly routes: readonly RouteSpec[];
  readonly unrouted: Unrouted;
}

/** The addresses of one instance. */
export class Addressing {
  /** Where a key leads. */
  resolve: Resolve = keyIsRecord;
  /** How long a record may be answered from memory, in ms. */
  freshMs: (record: Bytes) => number = () => Number.POSITIVE_INFINITY;
  readonly #parts: AddressingParts;
  readonly #fingerprint: string;
  /** Of the routes under which changes were queued before; null: nobody knows. */
  readonly #before: string | null;
  /** The tables as the store has found them last. */
  #tables: readonly TableSchema[];
  #plan: Plan | null = null;
  /** Whether the store has told of the tables, and why they do not fit the routes. */
  #told = false;
  #misfit: WriteBehindError | null = null;
  #begun = false;
  #writing: Promise<void> = Promise.resolve();

  private constructor(parts: AddressingParts, found: Found) {
    const { routes, unrouted } = parts;
    this.#parts = parts;
    this.#fingerprint = fingerprintOf(routes, unrouted);
    this.#before = fingerprintBefore(found, this.#fingerprint);
    this.#tables = typeof found === "string" ? [] : found.tables;
    if (this.#hasRules && !this.mapsTables) this.#replan([]);
  }

  /** With what is remembered of the time before. Throws JOURNAL_VERSION, a DiskError. */
  static async recall(parts: AddressingParts): Promise<Addressing> {
    return new Addressing(parts, await parts.memory.read());
  }

  /** Null without routes: a key is its own record then. */
  get plan(): Plan | null {
    return this.#plan;
  }

  /** Whether the database may make more of a change than it was given: then the record is read again afterwards. */
  mayDiffer(record: Bytes, change: Change): boolean {
    const table = this.#plan?.rowOf(record)?.table ?? null;
    return table !== null && mayDiffer(table, change);
  }

  /** Of the routes. */
  get fingerprint(): string {
    return this.#fingerprint;
  }

  /** Whether any route maps a table. */
  get mapsTables(): boolean {
    return this.#parts.routes.some(({ table }) => table !== null);
  }

  /** Whether a key may be anything but its own record. */
  get #hasRules(): boolean {
    return this.#parts.routes.length > 0 || this.#parts.unrouted === "refuse";
  }

  /**
   * Before the first client: how many changes and dead letters are pending, and whether the store has told that.
   * Afterwards the folder knows that changes are queued under these routes. Throws ROUTE_MISMATCH, STORE_DOWN, CONFIG.
   */
  async begin(pending: number, parked: number, storeHasTold: boolean): Promise<void> {
    const isSame = this.#before === this.#fingerprint;
    if (!isSame && pending + parked > 0)
      throw this.#before === null
        ? routesAreForgotten(this.#parts.memory.path, pending, parked)
        : routesHaveChanged(pending, parked, storeHasTold);
    if (this.#misfit !== null) throw this.#misfit;
    if (this.mapsTables && !this.#told) {
      if (storeHasTold) throw takesNoRoutes();
      if (this.#tables.length === 0) throw tablesAreUnknown(this.#parts.memory.path);
      this.#replan(this.#tables);
    }
    this.#begun = true;
    if (!isSame || this.#hasRules) await this.remember();
  }

  /**
   * The store has looked at its tables. Says whether they are others than those that were known: then `remember` them.
   * Throws ROUTE_MISMATCH.
   */
  found(tables: readonly TableSchema[]): boolean {
    if (!this.mapsTables || tables.length === 0) return false;
    const differ = JSON.stringify(tables) !== JSON.stringify(this.#tables);
    this.#told = true;
    try {
      if (differ || this.#plan === null) this.#replan(tables);
      this.#misfit = null;
    } catch (error) {
      this.#misfit = error as WriteBehindError;
      throw error;
    }
    this.#tables = tables;
    return differ;
  }

  /** Has the folder remember all this, once there is something to be remembered. Rejects with a DiskError. */
  remember(): Promise<void> {
    if (!this.#begun) return Promise.resolve();
    // One after the other: the tables may be looked at again meanwhile.
    const write = (): Promise<void> =>
      this.#parts.memory.replace({ fingerprint: this.#fingerprint, tables: this.#tables });
    const written = this.#writing.then(write);
    this.#writing = written.catch(() => {});
    return written;
  }

  #replan(tables: readonly TableSchema[]): void {
    const { routes, unrouted } = this.#parts;
    const made = planOf(routes, tables, unrouted);
    if ("problems" in made) throw new WriteBehindError("ROUTE_MISMATCH", made.problems.join("; "), { hint: checkHint });
    const { plan } = made;
    this.#plan = plan;
    this.resolve = (key) => plan.resolve(key);
    if (plan.tables.some(({ route }) => route.cacheTtlMs !== null))
      this.freshMs = (record) => plan.rowOf(record)?.table.route.cacheTtlMs ?? Number.POSITIVE_INFINITY;
  }
}

/** The store has told of its tables: whoever reads them hears of it, and the folder remembers them. Never rejects. */
export async function foundTables(
  addressing: Addressing,
  tables: readonly TableSchema[],
  reader: Pick<StoreReader, "lookAfresh">,
  cache: Pick<MemoryCache, "forgetClean">,
  events: Emitter,
): Promise<void> {
  try {
    if (!addressing.found(tables)) return;
    // In this step: nobody is shown a row without the column that it has now.
    reader.lookAfresh?.();
    cache.forgetClean();
    await addressing.remember();
  } catch (error) {
    events.emit("warning", { text: (error as Error).message });
  }
}

/** Under which routes changes were queued before; null: nobody knows. */
function fingerprintBefore(found: Found, now: string): string | null {
  if (found === "damaged") return null;
  if (found === "trusted") return now;
  // A folder without the file has never had routes.
  return found === "missing" ? fingerprintOf([], "store") : found.fingerprint;
}

const checkHint = "correct the routes or the tables; `write-behind check` says the same again";

/** The store with its routes. A plain object has them from whoever made it, and tells what tables it has found. */
export function withRoutes(store: Store | StoreDescriptor, routes: readonly RouteSpec[]): Store | StoreDescriptor {
  if (!("module" in store) || !routes.some(({ table }) => table !== null)) return store;
  return { ...store, routes };
}

function takesNoRoutes(): WriteBehindError {
  return new WriteBehindError("CONFIG", "this store takes no routes to tables", {
    hint: "pass the descriptor that sqlite(…) or postgres(…) returns, or a module whose createStore takes routes",
  });
}

/** Changes that were queued under other routes would go to other rows than was meant. */
function routesHaveChanged(pending: number, parked: number, storeHasTold: boolean): WriteBehindError {
  const what = storeHasTold
    ? `${pending} changes and ${parked} dead letters are pending that were written under other routes`
    : "the database does not answer, and changes may be pending that were written under other routes";
  return new WriteBehindError("ROUTE_MISMATCH", what, {
    hint: "start with the routes of before, flush (retry or discard what is dead), stop; then start with the new ones",
  });
}

function routesAreForgotten(path: string, pending: number, parked: number): WriteBehindError {
  return new WriteBehindError(
    "ROUTE_MISMATCH",
    `${path} is damaged, so nobody knows under which routes ${pending} changes and ${parked} dead letters were written`,
    { hint: "if the routes were these, make {} the content of that file, and start again" },
  );
}

function tablesAreUnknown(path: string): WriteBehindError {
  return new WriteBehindError(
    "STORE_DOWN",
    `the database does not answer, and ${path} does not say what its tables are`,
    {
      hint: "bring the database back, then start again; nothing was changed",
    },
  );
}
