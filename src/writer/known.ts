/** How far the store is, as far as the writer knows, and where it starts. */
import { samePosition, type Position, type WriteQueue } from "../queue/queue.js";

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

/** An empty database starts at the log's first frame. Where that is trimmed, reading it is the queue's own error. */
export async function readsFrom(queue: WriteQueue, base: Position): Promise<void> {
  if ((await queue.durableMark()) <= base.sequence) return;
  for await (const piece of queue.read(base.sequence, base.sequence + 1)) if (piece.length > 0) return;
}
