/**
 * Rows of routes with `warm` are read into the cache at the start, in the background: nobody waits for it, and a failure
 * of the database only ends it. They come in as cold reads do, so what is pending or parked is true all the same, and
 * reading stops before the cache is so full that anything else would have to leave it.
 */
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { WriteBehindError } from "../errors.js";
import type { Emitter } from "../events.js";
import type { Clock } from "../host/host.js";
import type { Plan } from "../routes/plan.js";
import type { StoreReader } from "../store/store.js";
import type { Loads } from "./loads.js";

/** Keys of so many rows are asked for at a time. */
const pageRecords = 1000;
/** So many rows are read at a time: a client's load waits for no more than these. */
const pieceRecordsMax = 200;
/** How large they are is not known before the first ones are here. */
const firstPieceRecords = 8;
/** So much of the cache may be full. */
const share = 0.9;
/** For a bar; a log says less. */
const progressMs = 500;

/** What it works with. */
export interface WarmingParts {
  readonly reader: Pick<StoreReader, "scan">;
  readonly loads: Pick<Loads, "load">;
  readonly cache: Pick<MemoryCache, "peek" | "bytes" | "bytesMax">;
  readonly clock: Clock;
  readonly events: Emitter;
  /** Log time. */
  readonly now: () => number;
  /** The instance is closing: nobody needs the rows any more. */
  readonly ended: () => boolean;
}

/** Reads the rows of the routes with `warm` into the cache. Never rejects. */
export function warmTables({ plan, ...parts }: WarmingParts & { readonly plan: Plan | null }): Promise<void> {
  const tables = (plan?.tables ?? []).filter(({ route }) => route.warm);
  return new Warming(parts).run(tables.map(({ schema }) => schema.name));
}

/** Reads the rows of tables into the cache, one table after the other. */
export class Warming {
  readonly #parts: WarmingParts;
  /** Memory that a record takes, of late. */
  #recordBytes = 0;

  constructor(parts: WarmingParts) {
    this.#parts = parts;
  }

  /** Resolves when all are read, no more fit, or the database has failed; says so as events. Never rejects. */
  async run(tables: readonly string[]): Promise<void> {
    const { events, ended } = this.#parts;
    for (const table of tables) {
      try {
        if (!(await this.#table(table))) return;
      } catch (error) {
        if (ended()) return;
        const text = `rows of ${table} are no longer read into the cache, but when they are asked for: ${(error as Error).message}`;
        events.emit("warning", { text });
        return;
      }
    }
  }

  /** Says whether there is room for more. */
  async #table(table: string): Promise<boolean> {
    const { reader, clock, events, now, ended } = this.#parts;
    let records = 0;
    let saidAt = clock.monotonic();
    for (let after: Bytes | null = null; ;) {
      const page = await reader.scan(after, pageRecords, now(), table);
      for (let first = 0; first < page.records.length;) {
        if (ended()) return false;
        const piece = page.records.slice(first, first + this.#pieceRecords);
        if (piece.length === 0 || !(await this.#load(piece))) {
          events.emit("warming", { table, records, state: "full" });
          return false;
        }
        first += piece.length;
        records += piece.length;
        if (clock.monotonic() - saidAt < progressMs) continue;
        saidAt = clock.monotonic();
        events.emit("warming", { table, records, state: "reading" });
      }
      if (page.next === null) break;
      after = page.next;
    }
    events.emit("warming", { table, records, state: "done" });
    return true;
  }

  /** How many records still fit, as far as can be told. */
  get #pieceRecords(): number {
    const { cache } = this.#parts;
    const room = share * cache.bytesMax - cache.bytes;
    if (room <= 0) return 0;
    if (this.#recordBytes === 0) return firstPieceRecords;
    return Math.min(pieceRecordsMax, Math.floor(room / this.#recordBytes));
  }

  /** Says whether they were small enough. */
  async #load(piece: readonly Bytes[]): Promise<boolean> {
    const { cache, loads, now } = this.#parts;
    const wanted = piece.filter((record) => cache.peek(record, now()) === undefined);
    if (wanted.length === 0) return true;
    const before = cache.bytes;
    try {
      await loads.load(wanted);
    } catch (error) {
      if (error instanceof WriteBehindError && error.code === "TOO_LARGE") return false;
      throw error;
    }
    this.#recordBytes = Math.max(1, (cache.bytes - before) / wanted.length, this.#recordBytes / 2);
    return true;
  }
}
