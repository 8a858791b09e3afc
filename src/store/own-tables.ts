/** What every adapter says of the own tables where they are not as they should be: the same words for each database. */
import { WriteBehindError } from "../errors.js";
import { positionText, type Position } from "../queue/queue.js";
import { claimStaleMs, StoreError, type Batch } from "./store.js";

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
  { expected, generation }: Pick<Batch, "expected" | "generation">,
): StoreError {
  return new StoreError(
    "moved",
    `the database ${place} is at ${describe(found.position)} in generation ${found.generation}, ` +
      `not at ${describe(expected)} in generation ${generation}`,
  );
}

/** There are no own tables, and none are to be made. `sql` is what makes them. */
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
