/** Looks at the positions of a database from outside: for `check`, which changes nothing. */
import { lookedAt } from "../own-tables.js";
import { StoreError, type LookedPosition } from "../store.js";
import { PostgresConnection } from "./postgres-connection.js";
import { isMissingTable, storeErrorOf } from "./postgres-errors.js";
import { PostgresPosition } from "./postgres-position.js";
import { statementsFor } from "./postgres-statements.js";
import { placeOf } from "./postgres-url.js";

/** Where a database is with an embedded queue. Throws as `lookAtPositions` does, and where no queue was ever there. */
export async function lookAtPosition(described: unknown): Promise<LookedPosition> {
  const all = await lookAtPositions(described);
  if (all.length > 0) return lookedAt(all, 0);
  throw new StoreError("broken", `no queue has ever written to ${placeOf(described).shown}`);
}

/**
 * Where a database is with every partition that was ever opened, in their order; none where no queue has ever been
 * there. Throws a StoreError where it cannot be read.
 */
export async function lookAtPositions(described: unknown): Promise<readonly LookedPosition[]> {
  const place = placeOf(described);
  const statements = statementsFor(place.schema);
  try {
    const connection = await PostgresConnection.connect(place, statements);
    try {
      const position = new PostgresPosition(statements, place.shown);
      return await connection.conversation((run) => position.look(run));
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw storeErrorOf(error, place.shown);
  }
}
