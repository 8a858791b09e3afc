/** Looks at the position of a database from outside: for `check`, which must not change a byte. */
import { StoreError, type LookedPosition } from "../store.js";
import { SqliteConnection } from "./sqlite-connection.js";
import { isMissingTable, storeErrorOf } from "./sqlite-errors.js";
import { SqlitePosition } from "./sqlite-position.js";

/** Where a database is. Throws a StoreError where it cannot be read, or no queue has ever been there. */
export function lookAtPosition(file: string): LookedPosition {
  try {
    const connection = SqliteConnection.forLooking(file);
    try {
      return new SqlitePosition(connection, file).look();
    } finally {
      connection.close();
    }
  } catch (error) {
    if (isMissingTable(error)) throw new StoreError("broken", `no queue has ever written to ${file}`, error);
    throw storeErrorOf(error, file);
  }
}
