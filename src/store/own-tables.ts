/** What every adapter says of the own tables where they are not as they should be: the same words for each database. */
import { WriteBehindError } from "../errors.js";
import { positionText, queueOf, type Position } from "../queue/queue.js";
import { claimStaleMs, StoreError, type Batch, type LookedPosition } from "./store.js";

/** The highest number of a partition. */
const partitionMax = 65_535;

/** The id of a partition's row in the table of positions. */
export function rowIdOf(partition = 0): number {
  if (Number.isInteger(partition) && partition >= 0 && partition <= partitionMax) return partition + 1;
  throw new RangeError(`a partition has a number from 0 to ${partitionMax}, not ${partition}`);
}

/** The partition of a row in the table of positions. */
export function partitionOf(rowId: number): number {
  return rowId - 1;
}

/** What a look finds of one partition, among all that there are. */
export function lookedAt(all: readonly LookedPosition[], partition: number): LookedPosition {
  const found = all.find((each) => each.partition === partition);
  return found ?? { partition, position: null, owner: null, ageMs: 0, runEnds: [] };
}

/** Who has claimed a partition, and milliseconds since it was last seen by the database's clock. */
type Claimed = Pick<LookedPosition, "owner" | "ageMs">;

/**
 * The claim of another queue that is alive. Its age may be negative: a clock that went back must not keep a claim alive
 * for hours.
 */
export function liveStranger<T extends Claimed>(claims: Iterable<T>, logId: string): (T & { owner: string }) | null {
  for (const claim of claims) {
    const { owner, ageMs } = claim;
    if (owner !== null && queueOf(owner) !== queueOf(logId) && Math.abs(ageMs) < claimStaleMs)
      return { ...claim, owner };
  }
  return null;
}

/** Another queue is alive on these tables. `another`: what to give this one instead. */
export function tablesInUse(place: string, owner: string, ageMs: number, another: string): WriteBehindError {
  const seen = `last seen ${Math.max(0, Math.round(ageMs / 1000))} s ago`;
  return new WriteBehindError("TABLES_IN_USE", `the queue ${owner} writes to the tables in ${place} (${seen})`, {
    hint: `stop the other process, or give this one ${another}; a dead one is forgotten after ${claimStaleMs / 1000} s`,
  });
}

/** Position or claim is not what a batch expected. */
export function hasMoved(
  place: string,
  found: { readonly position: Position | null; readonly generation: number },
  { expected, generation, partition = 0 }: Pick<Batch, "expected" | "generation" | "partition">,
): StoreError {
  const which = partition === 0 ? "" : ` with partition ${partition}`;
  return new StoreError(
    "moved",
    `the database ${place} is${which} at ${describe(found.position)} in generation ${found.generation}, ` +
      `not at ${describe(expected)} in generation ${generation}`,
  );
}

/** A column that tables of an earlier version do not have, as one of the things that are missing. */
export function missingColumn(table: string, column: string): string {
  return `the column ${column} of ${table}`;
}

/** There are no own tables, or those of an earlier version, and none are to be made. `sql` is what makes them. */
export function tablesMissing(place: string, missing: readonly string[], sql: string): StoreError {
  const what = `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not in the database ${place}`;
  return new StoreError("broken", `${what}, and \`createTables\` is false; this makes them:\n${sql}`);
}

/** Tables with rows that a queue has written were dropped. */
export function tablesGone(place: string, gone: readonly string[]): StoreError {
  const message =
    `${gone.join(" and ")} in the database ${place} ${gone.length === 1 ? "is" : "are"} gone, and the rows with them: ` +
    "bring them back from a backup, or make the tables anew by hand to go on without those rows";
  return new StoreError("broken", message);
}

function describe(position: Position | null): string {
  return position === null ? "no position" : positionText(position);
}
