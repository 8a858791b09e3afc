/** Dice, from the system. Its twin is simulator/host/random.ts. */
import { randomBytes } from "node:crypto";
import type { Random } from "./host.js";

/** The system's randomness. `hex` is good enough for identities that must never meet. */
export function systemRandom(): Random {
  return {
    number: () => Math.random(),
    hex: (count) => randomBytes(count).toString("hex"),
  };
}
