/** What the end of a world is played on: the world as those see it who act when its clients are done. */
import type { Heart } from "../src/heart.js";
import type { Checker } from "./checkers/checker.js";
import type { SimulatedDatabase } from "./database.js";
import type { Instance } from "./instance.js";
import type { Machine } from "./machine.js";
import type { Model } from "./model.js";
import type { Operation } from "./operation.js";
import type { WorldOptions } from "./swarm.js";

/** A world in calm. */
export interface Stage {
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly model: Model;
  readonly options: WorldOptions;
  serving(): Instance | null;
  start(): void;
  kill(instance: Instance): void;
  observe(look: (checker: Checker) => void): void;
  tell(words: () => string): void;
  fail(error: unknown): void;
  /** Waits for something in virtual time; it must come within a limit. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** From here on the journal may be refused, and its last frame may be gone. */
  readonly rotten: { present: boolean; refused: boolean };
}

/** Somebody asks, and has the reply. */
export async function ask(stage: Stage, name: string, operation: Operation): Promise<void> {
  let done = false;
  stage.serving()?.submit(name, operation, true, () => (done = true));
  await stage.until(() => done, `${name} has its reply`);
}

/** The heart of the process that serves. */
export function heartOf(stage: Stage): Heart {
  const heart = stage.serving()?.heart ?? null;
  if (heart === null) throw new Error("nobody serves");
  return heart;
}
