/**
 * A second queue on the same database: a process with a folder of its own that is given the store of the first. It must
 * be refused (its queue is not the one that the tables belong to), and neither claim nor commit anything.
 */
import { WriteBehindError } from "../src/errors.js";
import { openHeart } from "../src/write-behind.js";
import type { Fate } from "./fate.js";

/** How a second queue may be turned away. */
const refusals: ReadonlySet<string> = new Set([
  "TABLES_IN_USE",
  "QUEUE_MISMATCH",
  "DISK_FULL",
  "JOURNAL_FAILED",
  "UNKNOWN",
  "CLOSED",
]);

/** Lets it try for a while. */
export function letRivalTry(world: Fate): void {
  const { machine, database, engine } = world;
  // An empty database belongs to whoever comes first.
  if (database.sequence === 0) return;
  const process = machine.start();
  world.tell(() => `${process.name} is another queue with the same database`);
  const data = `rival-${process.name}`;
  openHeart({ host: process.host, store: database.storeOf(process), options: { ...engine, data } }).then(
    () => world.fail(new Error(`two queues: ${process.name} serves from ${data} with the database of another queue`)),
    (error: unknown) => {
      world.tell(() => `${process.name} is turned away: ${String(error)}`);
      const code = error instanceof WriteBehindError ? error.code : null;
      if (code === null || !refusals.has(code)) world.fail(error);
      machine.kill(process);
    },
  );
  world.later(world.dice.number() * 2000, () => machine.kill(process));
}
