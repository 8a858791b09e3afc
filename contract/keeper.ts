/**
 * The suite that every keeper passes: cache and write queue of a fleet. It knows no test runner: a case is a name and a
 * function that throws. Each case gets an empty keeper from `make`, and ends it.
 */
import { baseCases } from "./keeper/base-cases.js";
import { conflictCases } from "./keeper/conflict-cases.js";
import { fleetCases } from "./keeper/fleet-cases.js";
import { logCases } from "./keeper/log-cases.js";
import { mendCases } from "./keeper/mend-cases.js";
import { overlayCases } from "./keeper/overlay-cases.js";
import { unsettledCases } from "./keeper/unsettled-cases.js";
import { valueCases } from "./keeper/value-cases.js";
import type { KeeperWorld } from "./keeper/world.js";
import { writerCases } from "./keeper/writer-cases.js";

export type { KeeperWorld };

/** One case: a sentence, and what proves it. */
export interface KeeperCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const bodies = [
  ...fleetCases,
  ...valueCases,
  ...overlayCases,
  ...logCases,
  ...conflictCases,
  ...writerCases,
  ...mendCases,
  ...baseCases,
  ...unsettledCases,
];

/** The cases for the keepers that `make` makes. */
export function keeperContract(make: () => Promise<KeeperWorld>): readonly KeeperCase[] {
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
