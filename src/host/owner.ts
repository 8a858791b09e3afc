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
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (isBusy(error)) return null;
    throw new DiskError("failed", "SQLITE", `owning the folder ${path}: ${(error as Error).message}`, error);
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

/** SQLITE_BUSY is 5; its extended codes share the low byte (sqlite.org/rescode.html). */
function isBusy(error: unknown): boolean {
  const { errcode, message } = error as { errcode?: unknown; message?: unknown };
  if (typeof errcode === "number") return (errcode & 0xff) === 5;
  return typeof message === "string" && message.includes("database is locked");
}
