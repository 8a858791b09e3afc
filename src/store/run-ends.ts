/**
 * Run ends: the last positions that commits have reached, kept beside the position itself. A log that went back to an
 * older copy of itself and grew on is another log from there; the newest run end that it still has is a moment that
 * both have been at. As text they are pieces of one length, newest first, so that a statement can put one in front and
 * cut off the oldest.
 */
import { samePosition, type Position } from "../queue/queue.js";
import type { Batch } from "./store.js";

/** So many are kept. */
const runEndsMax = 100;

// In base 36 the largest sequence (2^53 - 1) has 11 digits and the largest tag 7. A hundred of both stay below the
// 2,000 bytes from which PostgreSQL moves a value out of its row.
const sequenceChars = 11;
const tagChars = 7;
const endChars = sequenceChars + tagChars;

/** The longest text of run ends. */
export const runEndsChars = runEndsMax * endChars;

/** What a batch puts in front of run ends: the position that it reaches, or nothing where it stays where it is. */
export function newRunEnds({ expected, to }: Pick<Batch, "expected" | "to">): Position[] {
  return expected !== null && samePosition(expected, to) ? [] : [to];
}

/** Run ends after a batch. */
export function runEndsAfter(ends: readonly Position[], batch: Pick<Batch, "expected" | "to">): Position[] {
  return [...newRunEnds(batch), ...ends].slice(0, runEndsMax);
}

/**
 * Run ends after a position was adopted: the newest is the position itself. Newer ones are of a future that is given
 * up, those of another log are no places in this one.
 */
export function runEndsAdopted(ends: readonly Position[], adopted: Position): Position[] {
  const older = ends.filter(({ logId, sequence }) => logId === adopted.logId && sequence < adopted.sequence);
  return [adopted, ...older].slice(0, runEndsMax);
}

/** The text of run ends. */
export function textOfRunEnds(ends: readonly Position[]): string {
  const texts = ends.map(
    ({ sequence, tag }) =>
      sequence.toString(36).padStart(sequenceChars, "0") + tag.toString(36).padStart(tagChars, "0"),
  );
  return texts.join("");
}

/** Run ends of a log from their text. */
export function runEndsOfText(text: string, logId: string): Position[] {
  const ends: Position[] = [];
  for (let at = 0; at + endChars <= text.length; at += endChars) {
    const sequence = Number.parseInt(text.slice(at, at + sequenceChars), 36);
    ends.push({ logId, sequence, tag: Number.parseInt(text.slice(at + sequenceChars, at + endChars), 36) });
  }
  return ends;
}
