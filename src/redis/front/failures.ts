/** The errors that only a process of a fleet raises. */
import type { Bytes } from "../../bytes.js";
import { WriteBehindError } from "../../errors.js";
import { ownPrefix } from "../keys.js";

/** Records of one command or transaction are in several partitions. */
export function severalPartitions(): WriteBehindError {
  const what = "Keys in request don't hash to the same slot: the records are in several partitions of the queue";
  return new WriteBehindError("CROSSSLOT", what, {
    hint: "put the part that they share into braces, as in {user:1}:name: records with the same tag are in one partition",
  });
}

/** Nobody empties what many processes share. */
export function cannotClear(): WriteBehindError {
  return new WriteBehindError("CONFIG", "FLUSHALL and FLUSHDB are not there for a cache that many processes share", {
    hint: "stop all processes, then empty the database's tables and the Redis by hand",
  });
}

/** A key that holds the queue. */
export function ownKey(): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `a key cannot begin with ${ownPrefix}: such keys hold the write queue`, {
    hint: "use another key",
  });
}

/** Somebody else has put something of his own where a record is. */
export function foreignType(record: Bytes): WriteBehindError {
  return new WriteBehindError("WRONG_TYPE", `${JSON.stringify(record)} holds a type that is none of ours`, {
    hint: "another client of this Redis has written it: give it another key",
  });
}

/** The queue has reached a limit. */
export function noRoom(place: string): WriteBehindError {
  return new WriteBehindError("QUEUE_FULL", `the write queue in the Redis at ${place} is full; nothing was written`, {
    hint: "see `write-behind status` for why the database does not keep up; or raise queueBytes, queueRecords, queueAgeMs",
  });
}

/** Records change faster than they can be read and written. */
export function tooManyTries(tries: number): WriteBehindError {
  return new WriteBehindError("UNKNOWN", `others changed the records ${tries} times meanwhile; nothing was written`, {
    hint: "spread the writes over more records",
  });
}
