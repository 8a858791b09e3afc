/** What a writer tells of parked records, as the keeper is told it for those who read. Pure. */
import type { Bytes } from "../../bytes.js";
import type { ParkedOverlay, ParkedRecord, ParkedReport, ParkedTotals, UnparkedReport } from "../../writer/messages.js";
import type { ParkedChange } from "../keeper.js";
import { bytesOfParked } from "../parked-change.js";

/** Everything that is parked: the store was opened. Of the frames behind letters it does not tell. */
export function changeOfOverlay({ records, ...totals }: ParkedOverlay): ParkedChange {
  const letters = new Set([...records.values()].map(({ letter }) => letter));
  const frames = new Map([...letters].map((letter) => [Number(letter), letter]));
  return { put: putOf(records), drop: [], frames, totals: totalsOf(totals), throwAway: [], anew: true };
}

/** What a commit has parked. */
export function changeOfReport({ records, frames, waitFor, ...totals }: ParkedReport): ParkedChange {
  const lettersOf = new Map(frames.map((frame, at) => [frame, waitFor[at] as string]));
  return { put: putOf(records), drop: [], frames: lettersOf, totals: totalsOf(totals), throwAway: [], anew: false };
}

/** What is parked no longer. A row read before must not come in any more, and what was given up must not be read. */
export function changeOfUnparked({ records, ...totals }: UnparkedReport): ParkedChange {
  const none = { put: new Map(), frames: new Map() };
  return { ...none, drop: records, totals: totalsOf(totals), throwAway: records, anew: false };
}

/** Of a change that readers are not to see yet: only how much is parked. */
export function changeUnseen({ frames, totals }: ParkedChange): ParkedChange {
  return { put: new Map(), drop: [], frames, totals, throwAway: [], anew: false };
}

function putOf(records: ReadonlyMap<Bytes, ParkedRecord>): Map<Bytes, Bytes> {
  return new Map([...records].map(([record, parked]) => [record, bytesOfParked(parked)]));
}

function totalsOf({ letters, waitingBehind }: ParkedTotals): ParkedChange["totals"] {
  return { letters, waitingBehind };
}
