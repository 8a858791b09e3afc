/** How far the store is, as far as its writer knows. */
import { samePosition, type Position } from "../queue/queue.js";

/** A place that the writer goes on from. */
export interface Known {
  /** The frame that was committed last; the log's base where there was none. */
  readonly position: Position;
  /** The same as the store has it: null where no queue ever wrote there. */
  readonly expected: Position | null;
}

/** Whether nothing has moved between the two. */
export function samePlace(a: Known, b: Known): boolean {
  return samePosition(a.position, b.position) && (a.expected === null) === (b.expected === null);
}
