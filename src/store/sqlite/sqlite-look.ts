/** Looks at the positions of a database from outside: for `check`, which must not change a byte. */
import { lookedAt } from "../own-tables.js";
import { StoreError, type LookedPosition } from "../store.js";
import { SqliteConnection } from "./sqlite-connection.js";
import { isMissingTable, storeErrorOf } from "./sqlite-errors.js";
import { lookedPositions } from "./sqlite-position.js";

/** Where a database is with an embedded queue. Throws as `lookAtPositions` does. */
export function lookAtPosition(file: string): LookedPosition {
  return lookedAt(lookAtPositions(file), 0);
}

/**
 * Where a database is with every partition that was ever opened, in their order. Throws a StoreError where it cannot be
 * read, or no queue has ever been there.
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
    if (isMissingTable(error)) throw new StoreError("broken", `no queue has ever written to ${file}`, error);
    throw storeErrorOf(error, file);
  }
}
