/** Errors of a keeper, the same for all of them. Pure. */
import { WriteBehindError } from "../errors.js";

/** The keeper was emptied, or is another one. */
export function anotherFleet(place: string): WriteBehindError {
  return new WriteBehindError(
    "QUEUE_MISMATCH",
    `the Redis at ${place} does not hold the queue that it held: it was emptied, or exchanged for another one`,
    { hint: "bring it back from its backup, or see `write-behind check --cache URL --store URL` for what is lost" },
  );
}

/** A partition waits for a person. */
export function brokenPartition(why: string): WriteBehindError {
  return new WriteBehindError("QUEUE_MISMATCH", why, {
    hint: "`write-behind adopt --cache URL --store URL` goes on, and says what is given up",
  });
}

/** The fleet was made by a newer version. */
export function newerFleet(place: string, version: string): WriteBehindError {
  return new WriteBehindError("QUEUE_MISMATCH", `the queue in the Redis at ${place} has format ${version}`, {
    hint: "it was made by a newer write-behind: use that",
  });
}

/** Redis has taken a write and not said that it is kept. */
export function notConfirmed(place: string, timeoutMs: number): WriteBehindError {
  return new WriteBehindError(
    "UNKNOWN",
    `the Redis at ${place} has taken the write and not confirmed within ${timeoutMs} ms that it is kept: it is not known whether it will be`,
    { hint: "read it back; see write-behind status for what this Redis keeps" },
  );
}

/** A worker does something to a partition that has got another owner since. */
export function claimLost(partition: number, worker: string): WriteBehindError {
  return new WriteBehindError("QUEUE_MISMATCH", `the partition ${partition} is not the worker ${worker}'s any more`, {
    hint: "nothing is to be done: another worker goes on with it",
  });
}

/** Parts of a fleet are there, and what holds them together is not. */
export function damagedFleet(place: string): WriteBehindError {
  return new WriteBehindError(
    "QUEUE_MISMATCH",
    `the Redis at ${place} holds partitions of a queue, and not the key that says which: somebody has deleted it`,
    { hint: "bring it back from its backup; where nothing of it is needed any more, delete all keys `write-behind:*`" },
  );
}
