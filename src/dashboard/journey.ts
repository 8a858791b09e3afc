/** The recent journey of one record: its last changes, each with the run that stored it. Pure. */
import type { JsonChange } from "../heart.js";
import { positionOfText } from "../queue/queue.js";
import type { SeenRun } from "./watch.js";

/** One change on its way. */
export interface JourneyStep extends JsonChange {
  /** `parked`: the database has refused it, or it waits behind a change of the record that was refused. */
  readonly state: "queued" | "stored" | "parked";
  /** The run that brought it to the database; null while it is queued, and where that was too long ago to be known. */
  readonly run: SeenRun | null;
  /** So many changes of this record went into that run: they became one row. */
  readonly together: number;
}

/** What is known besides. */
export interface JourneyFacts {
  readonly runs: readonly SeenRun[];
  /** The position that the database has reached. */
  readonly stored: string | null;
  /** Ids of the record's dead letters: an id is the sequence of the frame that was refused. */
  readonly deadLetters: readonly string[];
}

/** The journey of changes, in their order. */
export function journeyOf(changes: readonly JsonChange[], facts: JourneyFacts): readonly JourneyStep[] {
  const { runs, stored, deadLetters } = facts;
  const reached = sequenceOf(stored) ?? 0;
  const refused = Math.min(Number.POSITIVE_INFINITY, ...deadLetters.map(Number));
  const found = changes.map((change) => {
    const sequence = sequenceOf(change.position) ?? 0;
    return { change, sequence, run: runOf(runs, sequence) };
  });
  return found.map(({ change, sequence, run }) => ({
    ...change,
    state: sequence > reached ? "queued" : sequence >= refused ? "parked" : "stored",
    run,
    together: run === null ? 1 : found.filter((other) => other.run === run).length,
  }));
}

/** The run that holds a sequence, by halving: runs follow one another. */
function runOf(runs: readonly SeenRun[], sequence: number): SeenRun | null {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sequenceOf(runs[middle]?.to ?? null) ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  const run = runs[low];
  return run !== undefined && (sequenceOf(run.from) ?? 0) < sequence ? run : null;
}

function sequenceOf(position: string | null): number | null {
  return position === null ? null : (positionOfText(position)?.sequence ?? null);
}
