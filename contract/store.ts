/**
 * The suite that every store passes. It knows no test runner: a case is a name and a function that throws.
 *
 *     for (const { name, run } of storeContract(make)) test(name, run);
 *
 * Each case gets a database of its own from `make`, and ends it.
 */
import { claimCases } from "./store/claim-cases.js";
import { parkingCases } from "./store/parking-cases.js";
import { positionCases } from "./store/position-cases.js";
import { readingCases } from "./store/reading-cases.js";
import { rowCases } from "./store/row-cases.js";
import type { StoreWorld } from "./store/world.js";

export type { StoreWorld };

/** One case: a sentence, and what proves it. */
export interface StoreCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The cases for the databases that `make` makes. */
export function storeContract(make: () => Promise<StoreWorld>): readonly StoreCase[] {
  return [...positionCases, ...rowCases, ...readingCases, ...claimCases, ...parkingCases].map(({ name, run }) => ({
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
