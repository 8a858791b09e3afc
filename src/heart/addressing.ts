/**
 * Which key leads where, for one instance: the plan of its routes and of the tables as the store has found them last.
 * The folder remembers both: with the tables it can serve while the database is away, and with the routes it sees
 * whether pending changes were written under others (ROUTE_MISMATCH).
 */
import { keyIsRecord, type Resolve } from "../address.js";
import type { Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import { WriteBehindError } from "../errors.js";
import { DiskError, type Disk } from "../host/host.js";
import { planOf } from "../routes/check.js";
import type { Plan } from "../routes/plan.js";
import { fingerprintOf, type RouteSpec, type Unrouted } from "../routes/route.js";
import { mayDiffer } from "../routes/row-door.js";
import type { TableSchema } from "../routes/table.js";
import type { Store, StoreDescriptor } from "../store/store.js";

const fileName = "routes.json";

/** What the folder remembers. */
interface Remembered {
  readonly fingerprint: string;
  readonly tables: readonly TableSchema[];
}

/** Where an instance finds what it remembers, and its routes. */
export interface AddressingParts {
  readonly disk: Disk;
  /** The data folder. */
  readonly folder: string;
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
  #remembered: Remembered;
  #plan: Plan | null = null;
  /** Whether the store has told of the tables. */
  #told = false;

  private constructor(parts: AddressingParts, remembered: Remembered) {
    this.#parts = parts;
    this.#fingerprint = fingerprintOf(parts.routes, parts.unrouted);
    this.#remembered = remembered;
    const noPlan = parts.routes.length === 0 && parts.unrouted === "store";
    if (!this.mapsTables && !noPlan) this.#replan([]);
  }

  /** With what the folder remembers of the time before; a folder without such a file has never had routes. */
  static async recall(parts: AddressingParts): Promise<Addressing> {
    const none: Remembered = { fingerprint: fingerprintOf([], "store"), tables: [] };
    return new Addressing(parts, (await readFile(parts.disk, `${parts.folder}/${fileName}`)) ?? none);
  }

  /** Null without routes: a key is its own record then. */
  get plan(): Plan | null {
    return this.#plan;
  }

  /** Whether the database may make more of a change than it was given: then the record is read again once it is there. */
  mayDiffer(record: Bytes, change: Change): boolean {
    const table = this.#plan?.rowOf(record)?.table ?? null;
    return table !== null && mayDiffer(table, change);
  }

  /** Whether any route maps a table. */
  get mapsTables(): boolean {
    return this.#parts.routes.some(({ table }) => table !== null);
  }

  /**
   * Before the first client: how many changes and dead letters are pending, and whether the store has told that.
   * Afterwards the folder knows that changes are queued under these routes. Throws ROUTE_MISMATCH, CONFIG.
   */
  async begin(pending: number, parked: number, storeHasTold: boolean): Promise<void> {
    const { routes, unrouted } = this.#parts;
    const haveChanged = this.#remembered.fingerprint !== this.#fingerprint;
    if (haveChanged && pending + parked > 0) throw routesHaveChanged(pending, parked, storeHasTold);
    if (this.mapsTables && !this.#told) {
      if (storeHasTold) throw takesNoRoutes();
      this.#replan(this.#remembered.tables);
    }
    if (!haveChanged && routes.length === 0 && unrouted === "store") return;
    this.#remembered = { ...this.#remembered, fingerprint: this.#fingerprint };
    await this.#remember();
  }

  /** The store has looked at its tables. Says whether they are others than those that were known. */
  async found(tables: readonly TableSchema[]): Promise<boolean> {
    const begun = this.#told;
    const differ = JSON.stringify(tables) !== JSON.stringify(this.#remembered.tables);
    if (differ || this.#plan === null) this.#replan(tables);
    this.#told = true;
    this.#remembered = { ...this.#remembered, tables };
    if (begun && differ) await this.#remember();
    return differ;
  }

  async #remember(): Promise<void> {
    const { disk, folder } = this.#parts;
    await replaceFile(disk, folder, fileName, JSON.stringify(this.#remembered));
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

const checkHint = "correct the routes or the tables; `write-behind check` says the same again";

/** The store with its routes. Throws CONFIG for a store that cannot be given any. */
export function withRoutes(store: Store | StoreDescriptor, routes: readonly RouteSpec[]): Store | StoreDescriptor {
  if (!routes.some(({ table }) => table !== null)) return store;
  if (!("module" in store)) throw takesNoRoutes();
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

async function readFile(disk: Disk, path: string): Promise<Remembered | null> {
  try {
    const file = await disk.open(path, { write: false, create: false, dsync: false });
    try {
      const bytes = Buffer.alloc(await file.size());
      await file.read(bytes, 0, bytes.length, 0);
      return JSON.parse(bytes.toString("utf8")) as Remembered;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof DiskError && error.kind === "missing") return null;
    throw error;
  }
}

/** All of the new content, or all of the old, whenever the machine stops. */
async function replaceFile(disk: Disk, folder: string, name: string, content: string): Promise<void> {
  const fresh = `${folder}/${name}.new`;
  await disk.remove(fresh).catch(() => {});
  const file = await disk.open(fresh, { write: true, create: true, dsync: false });
  try {
    const bytes = Buffer.from(content, "utf8");
    await file.write(bytes, 0, bytes.length, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(fresh, `${folder}/${name}`);
  await disk.syncFolder(folder);
}
