/** The base of a partition in memory: the twin of src/redis/scripts/base.ts. */
import type { Bytes } from "../../src/bytes.js";
import { samePosition, type Position } from "../../src/queue/queue.js";
import type { BasePage, BaseSeen, Compaction } from "../../src/redis/keeper.js";
import type { BaseData, PartitionData } from "./keeper-state.js";

/** How far the database may be. */
export function aimedOf({ logId, stored, storedTag, aims }: PartitionData): Position {
  const last = Math.max(0, ...aims.keys());
  return last > stored ? (aims.get(last) as Position) : { logId, sequence: stored, tag: storedTag };
}

/** The base, as it is seen. */
export function seenBase({ base }: PartitionData): BaseSeen | null {
  if (base === null) return null;
  const { from, to, at, bytes, changes } = base;
  return { from, to, at, bytes, records: changes.size };
}

/** Frames become part of the base. Says whether they did. */
export function compactFrames(data: PartitionData, { after, to, oldestAt, at, changes, bytes }: Compaction): boolean {
  if (to.sequence <= after.sequence || to.sequence > data.sequence) return false;
  if (data.base !== null && !samePosition(data.base.to, after)) return false;
  if (data.base === null && data.stored > after.sequence) return false;
  const base: BaseData = data.base ?? { from: after, to, at, oldestAt, bytes: 0, changes: new Map() };
  for (const [record, change] of changes) {
    const old = base.changes.get(record);
    const grown = change.length + (old === undefined ? record.length : -old.length);
    base.bytes += grown;
    data.bytes += grown;
    base.changes.set(record, change);
  }
  data.bytes = Math.max(0, data.bytes - bytes);
  base.to = to;
  base.at = at;
  data.base = base;
  data.log = data.log.filter(
    ({ last, frames }) => (frames[0]?.frame.position.sequence ?? 0) <= base.from.sequence || last >= to.sequence,
  );
  return true;
}

/** What the base has of records. */
export function entriesOf(data: PartitionData, records: readonly Bytes[], bytesMax: number): (Bytes | null)[] {
  const found: (Bytes | null)[] = [];
  let bytes = 0;
  for (const record of records) {
    if (bytes > bytesMax) break;
    const change = data.base?.changes.get(record) ?? null;
    bytes += change?.length ?? 0;
    found.push(change);
  }
  return found;
}

/** Records of the base after a cursor. */
export function basePage(data: PartitionData, cursor: string | null, limit: number): BasePage {
  const all = [...(data.base?.changes ?? [])];
  const from = Number(cursor ?? 0);
  const next = from + limit < all.length ? String(from + limit) : null;
  return { changes: new Map(all.slice(from, from + limit)), next };
}

/** The database has reached a sequence: a base that ends there goes. */
export function baseStored(data: PartitionData, sequence: number): void {
  for (const aim of data.aims.keys()) if (aim < sequence) data.aims.delete(aim);
  if (data.base === null || data.base.to.sequence > sequence) return;
  data.bytes = Math.max(0, data.bytes - data.base.bytes);
  data.base = null;
}

/** Log time of what is pending first behind a sequence, where that is in the base; null where it is not. */
export function oldestInBase({ base }: PartitionData, sequence: number): number | null {
  return base !== null && base.from.sequence <= sequence ? base.oldestAt : null;
}
