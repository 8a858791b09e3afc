/** Walks over all keys of one engine: what its cache holds and what is parked, beside what the database has. */
import type { Bytes } from "../bytes.js";
import type { Presence } from "../cache/cache-keys.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import type { Executed } from "../heart.js";
import type { Host } from "../host/host.js";
import type { Page } from "../store/store.js";
import type { Workspace } from "../workspace.js";
import type { Addressing } from "./addressing.js";
import { KeyWalk, type TakenKeys } from "./key-walk.js";
import type { Loads } from "./loads.js";
import type { Parked } from "./parked.js";

/** So many records are looked at in one turn of the event loop. */
const turnRecords = 10_000;

const noRows: Page = { records: [], next: null };

/** So many records are loaded at a time. */
const existingAtOnce = 100;

/** So many records in memory are passed over before one is chosen, at the most. */
const passedOverMax = 5000;

/** What it works with. */
export interface OwnKeysParts {
  readonly cache: Pick<MemoryCache, "keys" | "records">;
  readonly parked: Pick<Parked, "letterOf" | "records">;
  readonly loads: Pick<Loads, "scan">;
  readonly addressing: Pick<Addressing, "plan">;
  readonly view: <T>(work: (workspace: Workspace) => T) => Executed<T> | Promise<Executed<T>>;
  readonly host: Pick<Host, "clock" | "random">;
  /** Log time. */
  readonly now: () => number;
}

/** The walks of an engine. */
export function ownKeys(parts: OwnKeysParts): KeyWalk {
  const { cache, parked, loads, addressing, host, now } = parts;
  const isCacheOnly = (record: Bytes): boolean => addressing.plan?.isCacheOnly(record) ?? false;
  const presence = (record: Bytes): Presence => {
    const found = cache.keys.presence(record, now());
    if (found !== "unknown") return found;
    if (cache.keys.complete || parked.letterOf(record) !== null) return "unsure";
    return isCacheOnly(record) ? "absent" : "unknown";
  };
  return new KeyWalk({
    take: () => take(parts, isCacheOnly),
    look: (records) => records.map(presence),
    clearPending: () => cache.keys.clearPending,
    exist: (records) => existing(parts.view, records),
    scan: (...asked) => (cache.keys.complete ? Promise.resolve(noRows) : loads.scan(...asked)),
    sample: () => sample(parts, presence),
    plan: () => addressing.plan,
    random: host.random,
    now,
  });
}

/** One that is there, behind a number of others that is chosen by chance; null where none is. */
function sample({ cache: { keys, records }, host }: OwnKeysParts, look: (record: Bytes) => Presence): Bytes | null {
  let passOver = Math.floor(host.random.number() * Math.min(records, passedOverMax));
  let found: Bytes | null = null;
  for (const { record } of keys.walk()) {
    if (look(record) === "present") found = record;
    if (passOver-- <= 0 && found !== null) return found;
  }
  return found;
}

async function take(parts: OwnKeysParts, isCacheOnly: (record: Bytes) => boolean): Promise<TakenKeys> {
  const { parked, host, now } = parts;
  const { keys } = parts.cache;
  const held = new Set<Bytes>();
  const hidden = new Set<Bytes>();
  let looked = 0;
  for (const { record, isPending } of keys.walk()) {
    if (isPending) (keys.presence(record, now()) === "absent" ? hidden : held).add(record);
    else if (keys.complete || isCacheOnly(record)) held.add(record);
    if (++looked % turnRecords === 0) await new Promise<void>((resolve) => host.clock.soon(resolve));
  }
  // After the others: what has been parked meanwhile was pending before.
  for (const record of parked.records()) held.add(record);
  return { held, hidden };
}

/** Which of these records are there. Few at a time: they are loaded whole. */
export async function existing(view: OwnKeysParts["view"], records: readonly Bytes[]): Promise<readonly Bytes[]> {
  const there: Bytes[] = [];
  for (let first = 0; first < records.length; first += existingAtOnce) {
    const some = records.slice(first, first + existingAtOnce);
    const { value } = await view((workspace) => some.filter((record) => workspace.get(record) !== null));
    there.push(...value);
  }
  return there;
}
