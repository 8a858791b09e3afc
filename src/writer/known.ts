/** What the writer knows of its store: how far it is, and how its tries go. Values, nothing more. */
import { samePosition, type Position } from "../queue/queue.js";

/** How far the store is, as far as this writer knows. */
export interface Known {
  /** The frame that was committed last; the log's base where there was none. */
  readonly position: Position;
  /** The same as the store has it: null where no queue ever wrote there. */
  readonly expected: Position | null;
}

/** Whether two are the same place, and as the store has it. */
export function samePlace(a: Known, b: Known): boolean {
  return samePosition(a.position, b.position) && (a.expected === null) === (b.expected === null);
}

/** Failures in a row. */
export interface Trouble {
  readonly since: number;
  readonly attempt: number;
  readonly broken: boolean;
  /** Whether it was told. A first `moved` is not: nothing need be wrong. */
  readonly told: boolean;
  /** Whether the try that failed was one to open the store: then an opened store ends the trouble. */
  readonly opening: boolean;
}
