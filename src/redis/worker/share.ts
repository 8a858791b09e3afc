/**
 * Which partitions a worker should have: every worker decides for itself, from what a beat saw. Pure. Two that saw
 * different things may want the same partition; `claim` gives it to one of them.
 */

/** The fleet, as one worker sees it. */
export interface FleetView {
  /** Ids of the living workers. */
  readonly workers: readonly string[];
  /** Owner of each partition; null where it is free. */
  readonly owners: readonly (string | null)[];
  readonly me: string;
}

/** What a worker is to do. */
export interface Share {
  /** Its own partitions that others should have. */
  readonly giveBack: readonly number[];
  /** Free partitions that it should claim. */
  readonly take: readonly number[];
}

/** How many partitions the worker at this place among the sorted ids should have. */
export function quotaOf(partitions: number, workers: number, place: number): number {
  return Math.floor(partitions / workers) + (place < partitions % workers ? 1 : 0);
}

/**
 * What this worker gives back and tries to take. Free partitions are dealt out in the order of the workers' ids, so
 * workers that see the same fleet never try to take the same one.
 */
export function share({ workers, owners, me }: FleetView): Share {
  const sorted = workers.toSorted();
  const mine = partitionsOf(owners, me);
  if (!sorted.includes(me)) return { giveBack: mine, take: [] };
  const free = partitionsOf(owners, null);
  let dealt = 0;
  for (const [place, worker] of sorted.entries()) {
    const quota = quotaOf(owners.length, sorted.length, place);
    const missing = Math.max(0, quota - partitionsOf(owners, worker).length);
    if (worker === me) return { giveBack: mine.slice(quota), take: free.slice(dealt, dealt + missing) };
    dealt += missing;
  }
  return { giveBack: [], take: [] };
}

function partitionsOf(owners: readonly (string | null)[], worker: string | null): number[] {
  return [...owners.keys()].filter((partition) => owners[partition] === worker);
}
