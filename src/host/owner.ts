/**
 * Who owns a folder: whoever holds an SQLite file in it with an exclusive lock. Node has no flock, and a file with a
 * process number lies in containers, where every process is number 1. SQLite's lock is the kernel's: it is free again
 * the moment its process has ended, also by SIGKILL, and SQLite itself keeps two connections of one process apart.
 */
import { DatabaseSync } from "@photostructure/sqlite";
import { DiskError, type Ownership } from "./host.js";

/** The file that holds the lock. It stays where it is: removing it would let two owners lock two files. */
const lockFile = "owner.lock";

/** Owns a folder that exists, or null where somebody else does. */
export function ownFolder(path: string): Ownership | null {
  const file = `${path}/${lockFile}`;
  let database: InstanceType<typeof DatabaseSync> | null = null;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    // Nothing is ever written, so a folder can be owned on a full disk too.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (primaryCode(error) === busyCode) return null;
    const kind = primaryCode(error) === fullCode ? "full" : "failed";
    throw new DiskError(kind, "SQLITE", `owning the folder ${path}: ${(error as Error).message}`, error);
  }
  const held = database;
  let released = false;
  return {
    release: async () => {
      if (!released) held.close();
      released = true;
    },
  };
}

const busyCode = 5;
const fullCode = 13;

/** SQLite's result code (extended codes share its low byte: sqlite.org/rescode.html); null where there is none. */
function primaryCode(error: unknown): number | null {
  const { errcode, message } = error as { errcode?: unknown; message?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  return typeof message === "string" && message.includes("database is locked") ? busyCode : null;
}
