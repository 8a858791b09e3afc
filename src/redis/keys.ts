/** Names of the keys that a fleet has in its Redis, apart from the records: those are under their own plain names. */

/** Every key of our own begins with this, and no record may. */
export const ownPrefix = "write-behind:";

/** What the keys of one partition begin with. */
export function partitionPrefix(partition: number): string {
  return `${ownPrefix}${partition}:`;
}

/** The channel that is told how far the database has come: the message is partition and sequence. */
export const storedChannel = `${ownPrefix}stored`;

/** The channel on which workers are told that somebody waits, or that the fleet has changed. */
export const wakeChannel = `${ownPrefix}wake`;
