/**
 * Worlds in which every record is a row of a mapped table: two keys name each cell, a change of one column may be made
 * without a look at the row, and the folder remembers the table for starts without a database.
 */
import { readRoutes, type Route } from "../src/routes/route.js";
import type { TableSchema } from "../src/routes/table.js";
import type { Dice } from "./host/random.js";
import { renames, swarm, type WorldOptions } from "./swarm.js";

const text = { kind: "text", charsMax: null, padded: false } as const;
const plain = { typeName: "text", nullable: true, hasDefault: false, generated: false };

/** The table, as the simulated database has it. It adds nothing to a row by itself. */
export const rowsTable: TableSchema = {
  name: "rows",
  columns: [
    { ...plain, name: "id", type: text, nullable: false },
    ...["f0", "f1", "f2"].map((name) => ({ ...plain, name, type: text })),
    { ...plain, name: "ends", type: { kind: "integer", bits: 64 }, typeName: "integer" },
  ],
  uniqueKeys: [["id"]],
  references: [],
  hasTriggers: false,
  problems: [],
};

/** Throws the dice for a world of rows. */
export function rowsWorld(dice: Dice): WorldOptions {
  const options = swarm(dice);
  const ends = options.ends > 0;
  const whole: Route = {
    key: "k{id}",
    table: "rows",
    expiresAt: ends ? "ends" : undefined,
    reload: dice.chance(0.3),
    cacheTtl: dice.pick([undefined, undefined, 1, 50]),
  };
  const routes = readRoutes([whole, { key: "k{id}:{column}", table: "rows" }]);
  return {
    ...options,
    engine: { ...options.engine, routes, unrouted: dice.pick(["store", "refuse"]) },
    rows: true,
    rots: false,
    steps: [5, 0, dice.pick([0.3, 2]), 0, 8, dice.pick([0.5, 3]), ends ? 1 : 0, 0, renames(options)],
  };
}
