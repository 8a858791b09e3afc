/**
 * `resident`: all records of the own tables are read into the cache at the start and stay there. From then on what is
 * not in memory is absent, so no command reads the database: nobody else may write those tables. It is not warming.ts,
 * which reads as much as there is room for and promises nothing.
 */
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { WriteBehindError } from "../errors.js";
import { size } from "../amounts.js";
import type { RecordChange } from "../change.js";
import { rest } from "../rest.js";
import type { Loads } from "./loads.js";
import type { Parked } from "./parked.js";
import type { WarmingParts } from "./warming.js";

/** Keys of so many rows are asked for at a time, and so many rows are read at a time. */
const pageRecords = 1000;
const pieceRecords = 200;
/** Between two tries while the database cannot be reached. */
const retryMs = 500;
const table = "write_behind_kv";

/** What it works with. */
export interface ResidenceParts extends Omit<WarmingParts, "reader" | "loads" | "cache"> {
  readonly loads: Pick<Loads, "load" | "scan">;
  readonly cache: Pick<MemoryCache, "keys" | "peek" | "records" | "bytes" | "bytesMax">;
  readonly parked: Pick<Parked, "records">;
}

/**
 * Reads all records into the cache; waits for a database that cannot be reached. Rejects CONFIG where they do not fit,
 * and with whatever ends the loads.
 */
export async function readAll(parts: ResidenceParts, signal?: AbortSignal): Promise<void> {
  const { loads, cache, events, now, parked } = parts;
  let records = 0;
  for (let after: Bytes | null = null; ;) {
    const page = await inTheEnd(parts, signal, () => loads.scan(after, pageRecords, now(), null));
    const fit = await loadAll(parts, signal, page.records);
    records += page.records.length;
    if (!fit) throw doNotFit(cache, records + (await countFrom(parts, signal, page.next)));
    events.emit("warming", { table, records, state: page.next === null ? "done" : "reading" });
    if (page.next === null) break;
    after = page.next;
  }
  // What is pending or parked is known with its row only, and what was read may have come to be in doubt meanwhile.
  for (;;) {
    const inMemory = [...cache.keys.walk()].map(({ record }) => record);
    const unknown = [...parked.records(), ...inMemory].filter((record) => cache.peek(record, now()) === undefined);
    if (unknown.length === 0) break;
    if (!(await loadAll(parts, signal, unknown))) throw doNotFit(cache, cache.records);
  }
  cache.keys.complete = true;
}

/** Throws QUEUE_FULL where all records stay in memory, there is no more room for them, and these would take some. */
export function checkResidents(cache: Pick<MemoryCache, "bytes" | "bytesMax">, changes: readonly RecordChange[]): void {
  if (cache.bytes <= cache.bytesMax) return;
  const grows = changes.some(
    ({ change }) => change.kind === "replace" || (change.kind === "merge" && (change.fields?.set.size ?? 0) > 0),
  );
  if (!grows) return;
  throw new WriteBehindError(
    "QUEUE_FULL",
    `all records are kept in memory (resident), they take ${size(cache.bytes)}, and cacheBytes is ${size(cache.bytesMax)}: nothing was written`,
    { hint: "delete some, or start with more cacheBytes or without resident" },
  );
}

/** Says whether they fit. */
async function loadAll(
  parts: ResidenceParts,
  signal: AbortSignal | undefined,
  records: readonly Bytes[],
): Promise<boolean> {
  const { loads, cache, now } = parts;
  for (let first = 0; first < records.length; first += pieceRecords) {
    const piece = records.slice(first, first + pieceRecords);
    const wanted = piece.filter((record) => cache.peek(record, now()) === undefined);
    try {
      if (wanted.length > 0) await inTheEnd(parts, signal, () => loads.load(wanted));
    } catch (error) {
      if (error instanceof WriteBehindError && error.code === "TOO_LARGE") return false;
      throw error;
    }
    if (cache.bytes > cache.bytesMax) return false;
  }
  return true;
}

/** Waits for the database. */
async function inTheEnd<T>(
  { clock, ended }: ResidenceParts,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      signal?.throwIfAborted();
      return await work();
    } catch (error) {
      const mayPass = error instanceof WriteBehindError && error.code === "STORE_DOWN" && !ended();
      if (!mayPass) throw error;
      await rest(clock, retryMs, true);
    }
  }
}

async function countFrom(parts: ResidenceParts, signal: AbortSignal | undefined, from: Bytes | null): Promise<number> {
  let count = 0;
  for (let after = from; after !== null;) {
    const begin: Bytes = after;
    const page = await inTheEnd(parts, signal, () => parts.loads.scan(begin, pageRecords, parts.now(), null));
    count += page.records.length;
    after = page.next;
  }
  return count;
}

/** What they take is told by those that were read. */
function doNotFit({ records, bytes, bytesMax }: ResidenceParts["cache"], count: number): WriteBehindError {
  const all = Math.ceil((bytes * count) / Math.max(1, records));
  return new WriteBehindError(
    "CONFIG",
    `resident keeps all ${count} records in memory: they take about ${size(all)}, and cacheBytes is ${size(bytesMax)}`,
    { hint: "set cacheBytes to more than that, with room to grow, or start without resident" },
  );
}
