/** What is wrong where a partition of the queue and the database do not belong together. */
import { WriteBehindError } from "../../errors.js";
import { positionText, type Position } from "../../queue/queue.js";

/** What goes on after a person has decided. */
const adopt = "`write-behind adopt --cache URL --store URL` goes on, and says what is given up";

/** The database has another queue's position. */
export function emptied(place: string, logId: string, position: Position): WriteBehindError {
  const message =
    `the database is at ${positionText(position)} of another queue: the Redis at ${place} was emptied, or is another ` +
    `one; it has the queue ${logId}`;
  return new WriteBehindError("QUEUE_MISMATCH", message, {
    hint: `bring back the right Redis or the right database; or ${adopt}`,
  });
}

/** The database is ahead of the queue. */
export function older(place: string, head: Position, position: Position): WriteBehindError {
  const frames = position.sequence - head.sequence;
  const message =
    `the Redis at ${place} is older than the database: the database is at ${positionText(position)}, and the last ` +
    `frame there is ${positionText(head)}; ${frames} frame${frames === 1 ? " is" : "s are"} missing`;
  return new WriteBehindError("QUEUE_MISMATCH", message, { hint: `bring back the newer Redis; or ${adopt}` });
}

/** Another frame is where the database's was. */
export function forked(place: string, found: Position, position: Position): WriteBehindError {
  const message =
    `the Redis at ${place} has forked: it had lost frames and others took their places. The database is at ` +
    `${positionText(position)}, and the frame there is now ${positionText(found)}`;
  return new WriteBehindError("QUEUE_MISMATCH", message, { hint: adopt });
}

/** The database is where no commit of this queue was to bring it. */
export function composed(
  place: string,
  { from, to }: { readonly from: Position; readonly to: Position },
  position: Position,
): WriteBehindError {
  const message =
    `the Redis at ${place} has forked: the database is at ${positionText(position)}, where no worker of this queue has ` +
    `aimed; frames ${from.sequence + 1} to ${to.sequence} stand there as one change for each record`;
  return new WriteBehindError("QUEUE_MISMATCH", message, { hint: adopt });
}

/** Frames that the database needs are not in the log. */
export function trimmed(place: string, logId: string, sequence: number): WriteBehindError {
  const message =
    `frame ${sequence} of the queue ${logId} is not in the Redis at ${place} any more: the database went back ` +
    "to before what is kept (`retainBytes`, `retainMs`), or the log was cut";
  return new WriteBehindError("QUEUE_MISMATCH", message, { hint: `bring back a newer database; or ${adopt}` });
}

/** Frames of two histories would have become one run. */
export function changed(place: string): WriteBehindError {
  const message = `the Redis at ${place} went back while its log was read; it is read anew`;
  return new WriteBehindError("CACHE_DOWN", message);
}
