/** What befalls a world has this hold on it. */
import type { EngineOptions } from "../src/options.js";
import type { Checker } from "./checkers/checker.js";
import type { SimulatedDatabase } from "./database.js";
import type { GivenUp } from "./given-up.js";
import type { Dice } from "./host/random.js";
import type { Instance } from "./instance.js";
import type { Machine } from "./machine.js";

/** What an incident may reach of a world. */
export interface Fate {
  readonly dice: Dice;
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  /** Processes that live, oldest first. */
  readonly instances: readonly Instance[];
  readonly engine: EngineOptions;
  readonly givenUp: GivenUp | null;
  readonly nowMs: number;
  serving(): Instance | null;
  start(): void;
  kill(instance: Instance): void;
  losePower(): void;
  later(delayMs: number, call: () => void): void;
  observe(look: (checker: Checker) => void): void;
  tell(words: () => string): void;
  fail(error: unknown): void;
}
