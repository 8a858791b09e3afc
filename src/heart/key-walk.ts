/**
 * All keys there are: those of which more is known than their rows, then the rows of the database, table by table. It
 * holds nothing open between two pages: no read transaction, no iterator.
 *
 * The order is what makes it true (promise 2). When the walk begins, it takes down what is pending or parked: what is
 * there is *held*, what is removed is *hidden*. Only then is the database asked.
 *
 * - A key that is there all the time was held at the beginning, or its row was in the database and stays there. What
 *   is held is shown when its turn comes; where nothing is pending of it any more by then, the row is there, and it is
 *   left to the database, which is asked later.
 * - A row whose record was removed before the walk began has its removal pending (the cache says so, or it is hidden),
 *   or the row is gone before the database is asked.
 * - Rows are asked for as of the moment at which the walk began: one that has ended since, and whose later end is
 *   pending, would be missed. Of a row that has ended by now the cache knows, or it was there when the walk began.
 */
import type { Bytes } from "../bytes.js";
import type { Presence } from "../cache/cache-keys.js";
import type { KeysPage, KeysPlace } from "../heart.js";
import type { Random } from "../host/host.js";
import type { Plan } from "../routes/plan.js";
import type { Page } from "../store/store.js";

export type { Presence };

/** So many records are looked at for one page at the most. */
const pageRecordsMax = 2000;

/** What is known of records besides their rows, at the beginning of a walk. */
export interface TakenKeys {
  /** They may be there. */
  readonly held: Iterable<Bytes>;
  /** They are removed, and the database may not know. */
  readonly hidden: ReadonlySet<Bytes>;
}

/** What walks are made with. */
export interface KeyWalkParts {
  /** Takes down what is known of records besides their rows. */
  readonly take: () => Promise<TakenKeys>;
  /**
   * Whether these records are there, in their order, as far as that is known without the database. Of rows it may say
   * that only the row can tell, whatever is known of them: they were neither held nor hidden.
   */
  readonly look: (records: readonly Bytes[], of: "held" | "rows") => readonly Presence[] | Promise<readonly Presence[]>;
  /** Whether a frame that empties everything is pending: the database still shows what is gone. */
  readonly clearPending: () => boolean;
  /** Which of these records are there: loads them. */
  readonly exist: (records: readonly Bytes[]) => Promise<readonly Bytes[]>;
  readonly scan: (after: Bytes | null, limit: number, nowMs: number, table: string | null) => Promise<Page>;
  /** Some key that is at hand; null where none is. */
  readonly sample: () => Bytes | null;
  readonly plan: () => Plan | null;
  readonly random: Random;
  /** Log time. */
  readonly now: () => number;
}

/** What was found when the walk began. */
interface Taken {
  readonly held: readonly Bytes[];
  /** The same, without those that are left to the database. */
  readonly isHeld: Set<Bytes>;
  readonly hidden: ReadonlySet<Bytes>;
  readonly nowMs: number;
  /** Mapped tables, and null for the own ones. */
  readonly tables: readonly (string | null)[];
}

/** How far a walk has come: so many of `held`, or up to a record of a table. */
class Place implements KeysPlace {
  readonly taken: Taken;
  readonly table: number | null;
  readonly at: number | Bytes | null;

  constructor(taken: Taken, table: number | null, at: number | Bytes | null) {
    this.taken = taken;
    this.table = table;
    this.at = at;
  }

  get held(): number {
    return this.taken.held.length + this.taken.hidden.size;
  }
}

interface Step {
  readonly keys: readonly Bytes[];
  readonly looked: number;
  readonly next: Place | null;
}

/** The walks of one heart. */
export class KeyWalk {
  readonly #parts: KeyWalkParts;

  constructor(parts: KeyWalkParts) {
    this.#parts = parts;
  }

  /** See Heart.keys. */
  async page(after: KeysPlace | null, limit: number): Promise<KeysPage> {
    const keys: Bytes[] = [];
    let left = Math.min(limit, pageRecordsMax);
    for (let place = (after as Place | null) ?? (await this.#begin()); ;) {
      const step = place.table === null ? await this.#ofHeld(place, left) : await this.#ofTable(place, left);
      keys.push(...step.keys);
      left -= step.looked;
      if (step.next === null || left <= 0) return { keys, next: step.next };
      place = step.next;
    }
  }

  /** See Heart.randomKey. */
  async any(): Promise<Bytes | null> {
    const sample = this.#parts.sample();
    if (sample !== null) return sample;
    for (let place: KeysPlace | null = null; ;) {
      const { keys, next }: KeysPage = await this.page(place, pageRecordsMax);
      if (keys.length > 0) return keys[Math.floor(this.#parts.random.number() * keys.length)] as Bytes;
      if (next === null) return null;
      place = next;
    }
  }

  async #begin(): Promise<Place> {
    const { take, plan, now } = this.#parts;
    const nowMs = now();
    const { held, hidden } = await take();
    const isHeld = new Set(held);
    const mapped = (plan()?.tables ?? []).map(({ schema }) => schema.name);
    return new Place({ held: [...isHeld], isHeld, hidden, nowMs, tables: [null, ...mapped] }, null, 0);
  }

  async #ofHeld({ taken, at }: Place, limit: number): Promise<Step> {
    const first = at as number;
    const records = taken.held.slice(first, first + limit);
    const presences = await this.#parts.look(records, "held");
    // Nothing is pending of these any more: the database is asked for them later.
    for (const [index, presence] of presences.entries())
      if (presence === "unknown") taken.isHeld.delete(records[index] as Bytes);
    const keys = await this.#those(records, presences, () => false);
    const after = first + records.length;
    const next = after < taken.held.length ? new Place(taken, null, after) : new Place(taken, 0, null);
    return { keys, looked: records.length, next };
  }

  async #ofTable({ taken, table, at }: Place, limit: number): Promise<Step> {
    const { scan, look, clearPending } = this.#parts;
    const index = table as number;
    const name = taken.tables[index] as string | null;
    const wasClearing = clearPending();
    const page = await scan(at as Bytes | null, limit, taken.nowMs, name);
    const rows = page.records.filter((record) => !taken.isHeld.has(record) && (name !== null || this.#isOwn(record)));
    const keys = await this.#those(rows, await look(rows, "rows"), (row) => !wasClearing && !taken.hidden.has(row));
    const last = index + 1 === taken.tables.length;
    const next =
      page.next !== null ? new Place(taken, index, page.next) : last ? null : new Place(taken, index + 1, null);
    return { keys, looked: page.records.length, next };
  }

  /** Those that are there. `byRow`: whether one that only its row can tell of is. */
  async #those(
    records: readonly Bytes[],
    presences: readonly Presence[],
    byRow: (record: Bytes) => boolean,
  ): Promise<readonly Bytes[]> {
    const unsure = records.filter((_, index) => presences[index] === "unsure");
    const loaded = new Set(unsure.length === 0 ? [] : await this.#parts.exist(unsure));
    return records.filter((record, index) => {
      const presence = presences[index] as Presence;
      return presence === "present" || loaded.has(record) || (presence === "unknown" && byRow(record));
    });
  }

  /** A row of the own tables whose key leads elsewhere by now is reached by none. */
  #isOwn(record: Bytes): boolean {
    const plan = this.#parts.plan();
    if (plan === null) return true;
    try {
      const { table, cacheOnly } = plan.resolve(record);
      return table === null && !cacheOnly;
    } catch {
      return false;
    }
  }
}
