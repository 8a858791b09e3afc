/** Which calls to a simulated disk fail: by chance, or by plan. What a call that fails has done is said in disk.ts. */
import { DiskError } from "../../src/host/host.js";
import type { Dice } from "./random.js";

/** How likely calls fail. The world changes it while it runs. */
export interface FaultTemper {
  /** Of a write. */
  writeFails: number;
  /** Of a sync of a file or of a folder. */
  syncFails: number;
  /** Of every other call. */
  callFails: number;
}

/** Asked at each call that a process makes: the error that the call ends with, or null. */
export type FaultOf = (call: string, path: string) => DiskError | null;

/** The faults of one disk. */
export class Faults {
  /** Which calls fail, beside those that fail by chance. */
  planned: FaultOf = () => null;
  /** Calls that were made to fail. */
  count = 0;
  readonly #temper: FaultTemper;
  readonly #dice: Dice;

  constructor(temper: FaultTemper, dice: Dice) {
    this.#temper = temper;
    this.#dice = dice;
  }

  /** Whether this call fails, as it begins. */
  of(call: string, path: string): DiskError | null {
    const fault = this.planned(call, path) ?? this.#byChance(call, path);
    if (fault !== null) this.count++;
    return fault;
  }

  #byChance(call: string, path: string): DiskError | null {
    const { writeFails, syncFails, callFails } = this.#temper;
    const probability = call === "write" ? writeFails : call.startsWith("sync") ? syncFails : callFails;
    return this.#dice.chance(probability) ? new DiskError("failed", "EIO", `EIO: ${call} of ${path} failed`) : null;
  }
}
