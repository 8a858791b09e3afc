/** Names of the keys that a fleet has in its Redis, apart from the records: those are under their own plain names. */

/** Every key of our own begins with this, and no record may. */
export const ownPrefix = "write-behind:";

/** What the keys of one partition begin with. */
export function partitionPrefix(partition: number): string {
  return `${ownPrefix}${partition}:`;
}

/** The channel on which processes of a fleet tell each other news (news.ts). */
export const newsChannel = `${ownPrefix}news`;
