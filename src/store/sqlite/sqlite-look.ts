/** Looks at the positions of a database from outside: for `check`, which must not change a byte. */
import { lookedAt } from "../own-tables.js";
import { StoreError, type LookedPosition } from "../store.js";
import { SqliteConnection } from "./sqlite-connection.js";
import { isMissingTable, storeErrorOf } from "./sqlite-errors.js";
import { lookedPositions } from "./sqlite-position.js";

/** Where a database is with an embedded queue. Throws as `lookAtPositions` does, and where no queue was ever there. */
export function lookAtPosition(file: string): LookedPosition {
  const all = lookAtPositions(file);
  if (all.length > 0) return lookedAt(all, 0);
  throw new StoreError("broken", `no queue has ever written to ${file}`);
}

/**
 * Where a database is with every partition that was ever opened, in their order; none where no queue has ever been
 * there. Throws a StoreError where it cannot be read.
 */
export function lookAtPositions(file: string): readonly LookedPosition[] {
  try {
    const connection = SqliteConnection.forLooking(file);
    try {
      return lookedPositions(connection);
    } finally {
      connection.close();
    }
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw storeErrorOf(error, file);
  }
}

/** For who owns the folder, before a look that a commit will follow in the same process. */
export function takeUpLog(file: string): void {
  try {
    SqliteConnection.takeUpLog(file);
  } catch {
    // What is wrong with the file is said by the look.
  }
}
