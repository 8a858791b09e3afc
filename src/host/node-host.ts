/** The real outside world, put together. */
import { systemClock } from "./clock.js";
import { systemDisk } from "./disk.js";
import type { Host } from "./host.js";
import { systemRandom } from "./random.js";
import { systemThreads } from "./threads.js";

/** Clock, dice, disk and threads of this machine. */
export function nodeHost(): Host {
  return { clock: systemClock(), random: systemRandom(), disk: systemDisk(), threads: systemThreads() };
}
