/** How far the store is, as far as the writer knows, and where it starts. */
import { samePosition, type Position, type WriteQueue } from "../queue/queue.js";
import { emptied } from "./failures.js";

/** How far the store is, as far as this writer knows. */
export interface Known {
  /** The frame that was committed last; the log's base where there was none. */
  readonly position: Position;
  /** The same as the store has it: null where no queue ever wrote there. */
  readonly expected: Position | null;
}

/** Whether the store is where it was left. A commit without rows may have told it the position since. */
export function samePlace(known: Known, found: Known): boolean {
  return samePosition(known.position, found.position) && (known.expected === null || found.expected !== null);
}

/**
 * An empty database starts at the log's first frame. Where that is trimmed, reading it is the queue's own error; a log
 * that began at another database's position cannot fill an empty one.
 */
export async function readsFrom(queue: WriteQueue, base: Position, place: string): Promise<void> {
  if (base.sequence > 0) throw emptied(base, place);
  if ((await queue.durableMark()) === 0) return;
  for await (const piece of queue.read(0, 1)) if (piece.length > 0) return;
}
