/**
 * Which key leads where, for one instance: the plan of its routes and of the tables as the store has found them last. The
 * folder remembers both: with the tables it can serve while the database is away, and with the routes it sees whether
 * pending changes were written under others (ROUTE_MISMATCH).
 */
import { keyIsRecord, type Resolve } from "../address.js";
import { WriteBehindError } from "../errors.js";
import { DiskError, type Disk } from "../host/host.js";
import { planOf } from "../routes/check.js";
import type { Plan } from "../routes/plan.js";
import { fingerprintOf, type RouteSpec, type Unrouted } from "../routes/route.js";
import type { TableSchema } from "../routes/table.js";

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
  readonly #parts: AddressingParts;
  readonly #fingerprint: string;
  #remembered: Remembered;
  #plan: Plan | null = null;

  private constructor(parts: AddressingParts, fingerprint: string, remembered: Remembered) {
    this.#parts = parts;
    this.#fingerprint = fingerprint;
    this.#remembered = remembered;
    // Routes without tables need no store to be known.
    if (parts.routes.length > 0 && parts.routes.every(({ table }) => table === null)) this.#replan([]);
  }

  /** With what the folder remembers of the time before; a folder without such a file has never had routes. */
  static async recall(parts: AddressingParts): Promise<Addressing> {
    const none: Remembered = { fingerprint: fingerprintOf([], "store"), tables: [] };
    const remembered = (await readFile(parts.disk, `${parts.folder}/${fileName}`)) ?? none;
    return new Addressing(parts, fingerprintOf(parts.routes, parts.unrouted), remembered);
  }

  /** Null without routes: a key is its own record then. */
  get plan(): Plan | null {
    return this.#plan;
  }

  /** Where a key leads. */
  get resolve(): Resolve {
    const plan = this.#plan;
    return plan === null ? keyIsRecord : (key) => plan.resolve(key);
  }

  /** Whether what is pending was written under other routes. */
  get haveChanged(): boolean {
    return this.#remembered.fingerprint !== this.#fingerprint;
  }

  /** Whether any route maps a table: then FLUSHALL is refused, for it could not empty that. */
  get mapsTables(): boolean {
    return this.#parts.routes.some(({ table }) => table !== null);
  }

  /** The store is away: the tables are as they were. */
  assumeTables(): void {
    if (this.#parts.routes.length > 0) this.#replan(this.#remembered.tables);
  }

  /** The store has looked at the tables. Says whether they are others than those that were known. */
  foundTables(tables: readonly TableSchema[]): boolean {
    const before = JSON.stringify(this.#remembered.tables);
    const differ = JSON.stringify(tables) !== before;
    if (differ || this.#plan === null) this.#replan(tables);
    this.#remembered = { ...this.#remembered, tables };
    return differ;
  }

  /** From now on changes are queued under these routes: the folder knows it before the first one is. */
  async remember(): Promise<void> {
    const { disk, folder, routes, unrouted } = this.#parts;
    const never = routes.length === 0 && unrouted === "store" && !this.haveChanged;
    if (never) return;
    this.#remembered = { ...this.#remembered, fingerprint: this.#fingerprint };
    await replaceFile(disk, folder, fileName, JSON.stringify(this.#remembered));
  }

  #replan(tables: readonly TableSchema[]): void {
    const { routes, unrouted } = this.#parts;
    const made = planOf(routes, tables, unrouted);
    if ("problems" in made) {
      throw new WriteBehindError("ROUTE_MISMATCH", made.problems.join("; "), {
        hint: "correct the routes or the tables; `write-behind check` says the same again",
      });
    }
    this.#plan = made.plan;
  }
}

/** Changes that were queued under other routes would go to other rows than was meant. */
export function routesHaveChanged(pending: number, parked: number, knowsStore: boolean): WriteBehindError {
  const what = knowsStore
    ? `${pending} changes ${parked > 0 ? `and ${parked} dead letters ` : ""}are pending that were written under other routes`
    : "the database does not answer, and changes may be pending that were written under other routes";
  return new WriteBehindError("ROUTE_MISMATCH", what, {
    hint: "start with the routes of before, flush (and retry or discard what is dead), stop, then start with the new ones",
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
