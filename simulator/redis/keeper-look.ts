/** How a partition in memory is for who looks at it: the twin of the script `states`. */
import type { PartitionState, Telling } from "../../src/redis/keeper.js";
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
