/** Waiting, for code that has nothing to do until then. */
import type { Clock } from "./host/host.js";

/** Resolves after some milliseconds. `keepsAlive`: somebody was promised the end of it. */
export function rest(clock: Clock, ms: number, keepsAlive = false): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve, keepsAlive));
}
