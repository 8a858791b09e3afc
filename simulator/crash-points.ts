/**
 * Crash points: every step of the disk and of the database passes here three times, before it has done anything,
 * when it is half done, and when it is done but nobody has heard of it. At each of them the process may be killed
 * or the machine lose its power, also, and more often, while a process is still recovering from the crash before.
 *
 * Between the steps nothing of the engine can be lost that is not lost at the next step too; incidents.ts ends
 * processes there all the same.
 */
import type { Owner } from "./host/clock.js";
import type { Dice } from "./host/random.js";

/** Where in a step it happens. */
export type Moment = "before" | "inside" | "after";

const moments: readonly Moment[] = ["before", "inside", "after"];

/** How likely a step is somebody's last. */
export interface CrashTemper {
  /** At a step of a process that serves. */
  atStep: number;
  /** At a step of one that is still opening its queue. */
  whileOpening: number;
}

/** The crash points of one machine. */
export class CrashPoints {
  readonly temper: CrashTemper = { atStep: 0, whileOpening: 0 };
  /** Whether anybody may end now, and what ends them. Set by the world. */
  mayCrash: () => boolean = () => false;
  onCrash: (owner: Owner) => void = () => {};
  /** Where crashes happened, and how often: step and moment. */
  readonly reached = new Map<string, number>();
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Whether this step of this process is its last, and where in the step it ends; null nearly always. */
  draw(owner: Owner): Moment | null {
    const { atStep, whileOpening } = this.temper;
    const opening = owner.opening === true;
    if (!owner.alive || !this.#dice.chance(opening ? whileOpening : atStep) || !this.mayCrash()) return null;
    return this.#dice.pick(moments);
  }

  /** It happens. */
  crash(owner: Owner, step: string, moment: Moment): void {
    const point = `${step}, ${moment}${owner.opening === true ? ", opening" : ""}`;
    this.reached.set(point, (this.reached.get(point) ?? 0) + 1);
    this.onCrash(owner);
  }

  /** A step that happens in an instant, `half` of it where it is cut. Says whether its caller lives to hear of it. */
  pass(owner: Owner, step: string, make: () => void, half: () => void = () => {}): boolean {
    const moment = this.draw(owner);
    if (moment === "inside") half();
    else if (moment !== "before") make();
    if (moment !== null) this.crash(owner, step, moment);
    return moment === null;
  }
}
