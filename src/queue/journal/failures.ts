/** The errors of the journal, each with what was found, where, and the command that goes on. */
import { WriteBehindError } from "../../errors.js";

/** The data folder that a journal's file lies in, as `--data` wants it. */
function dataFolder(path: string): string {
  const folder = path.slice(0, path.lastIndexOf("/"));
  return folder.endsWith("/journal") ? folder.slice(0, -"/journal".length) : folder;
}

/** JOURNAL_DAMAGED: something that was durable cannot be read any more. */
export function damaged(path: string, offset: number, what: string): WriteBehindError {
  return new WriteBehindError("JOURNAL_DAMAGED", `the journal is damaged in ${path} at offset ${offset}: ${what}`, {
    hint:
      `restore the file, or give up what cannot be read and start at the database's position: ` +
      `write-behind adopt --data ${dataFolder(path)} --accept-gap`,
  });
}

/** JOURNAL_VERSION: it was written by a version that knows more. */
export function unknownVersion(path: string, offset: number, what: string, version: number): WriteBehindError {
  return new WriteBehindError(
    "JOURNAL_VERSION",
    `the ${what} in ${path} at offset ${offset} has the format version ${version}, which this version does not know`,
    { hint: "start the version of write-behind that wrote it; nothing was changed" },
  );
}

/** QUEUE_MISMATCH: the database is at a place that this journal does not have. */
export function mismatch(what: string, folder: string): WriteBehindError {
  return new WriteBehindError("QUEUE_MISMATCH", `queue and database do not belong together: ${what}`, {
    hint:
      `use the folder and the database that belong together, or start the queue at the database's position: ` +
      `write-behind adopt --data ${dataFolder(`${folder}/`)} --store URL`,
  });
}
