/** How a partition in memory is for who looks at it: the twin of the script `states`. */
import type { PartitionState, Telling, UnsettledPage } from "../../src/redis/keeper.js";
import type { Bytes } from "../../src/bytes.js";
import { aimedOf, seenBase } from "./keeper-base.js";
import type { Owner, PartitionData } from "./keeper-state.js";

/** How it is. `now` is the keeper's clock. */
export function stateOf(partition: number, data: PartitionData, now: number): PartitionState {
  const { logId, sequence, stored } = data;
  return {
    partition,
    head: { logId, sequence, tag: data.tag },
    stored: { logId, sequence: stored, tag: data.storedTag },
    aimed: aimedOf(data),
    base: seenBase(data),
    storedAt: sequence === stored ? now : data.storedAt,
    pendingRecords: data.pending.size,
    pendingBytes: data.bytes,
    oldestAt: data.oldestAt,
    broken: data.broken,
    owner: ownerOf(data, now)?.worker ?? null,
    letters: data.letters,
    waitingBehind: data.waitingBehind,
    reached: data.settled,
    heard: data.heard,
  };
}

/** Records that are pending or parked, in the order of their names: the twin of the script `unsettled`. */
export function unsettledPage(data: PartitionData, cursor: string | null, limit: number): UnsettledPage {
  const names = [...new Set([...data.pending.keys(), ...data.parked.keys()])].toSorted();
  const left = names.filter((name) => cursor === null || name > cursor);
  const some = left.slice(0, limit);
  const isRemoved = (name: Bytes): boolean => data.pending.get(name)?.kind === "absent";
  const records = new Map(some.map((name) => [name, isRemoved(name) ? "removed" : "other"] as const));
  return { records, next: left.length > limit ? (some.at(-1) ?? null) : null };
}

/** Log time of it: the keeper's clock, or its last frame where that clock has gone back since. */
export function logTimeOf({ at }: PartitionData, now: number): number {
  return Math.max(at, now);
}

/** Who owns it; null where nobody's lease holds. */
export function ownerOf({ owner }: PartitionData, now: number): Owner | null {
  return owner !== null && owner.until > now ? owner : null;
}

/** What is answered where a telling is not to be done; null where it is, and it is heard now. */
export function unheard(data: PartitionData, { after, name }: Telling): boolean | null {
  if (data.heard === name) return true;
  if (after !== null && data.heard !== after) return false;
  data.heard = name;
  return null;
}
