/**
 * The suite that every store passes. It knows no test runner: a case is a name and a function that throws.
 *
 *     for (const { name, run } of storeContract(make)) test(name, run);
 *
 * Each case gets a database of its own from `make`, and ends it. `mappedStoreContract` is for stores that take routes.
 */
import { claimCases } from "./store/claim-cases.js";
import { mappedChangeCases } from "./store/mapped-change-cases.js";
import { mappedEndingCases } from "./store/mapped-ending-cases.js";
import { mappedNameCases } from "./store/mapped-name-cases.js";
import { mappedOrderCases } from "./store/mapped-order-cases.js";
import { mappedRowCases } from "./store/mapped-row-cases.js";
import type { MappedStoreWorld } from "./store/mapped-world.js";
import { parkingCases } from "./store/parking-cases.js";
import { partitionCases } from "./store/partition-cases.js";
import { positionCases } from "./store/position-cases.js";
import { readingCases } from "./store/reading-cases.js";
import { runEndCases } from "./store/run-end-cases.js";
import { rowCases } from "./store/row-cases.js";
import type { StoreWorld } from "./store/world.js";

export type { MappedStoreWorld, StoreWorld };

/** One case: a sentence, and what proves it. */
export interface StoreCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The cases for the databases that `make` makes. */
export function storeContract(make: () => Promise<StoreWorld>): readonly StoreCase[] {
  const cases = [...positionCases, ...rowCases, ...readingCases, ...claimCases, ...parkingCases];
  return casesOf([...cases, ...partitionCases, ...runEndCases], make);
}

/** The cases about users' own tables, for the databases that `make` makes. */
export function mappedStoreContract(make: () => Promise<MappedStoreWorld>): readonly StoreCase[] {
  return casesOf(
    [...mappedRowCases, ...mappedEndingCases, ...mappedOrderCases, ...mappedNameCases, ...mappedChangeCases],
    make,
  );
}

interface CaseBody<World> {
  readonly name: string;
  readonly run: (world: World) => Promise<void>;
}

function casesOf<World extends StoreWorld>(
  bodies: readonly CaseBody<World>[],
  make: () => Promise<World>,
): readonly StoreCase[] {
  return bodies.map(({ name, run }) => ({
    name,
    run: async () => {
      const world = await make();
      try {
        await run(world);
      } finally {
        await world.end();
      }
    },
  }));
}
