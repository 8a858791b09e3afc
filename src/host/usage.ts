/** What this process takes of its machine, for INFO. Not the engine's counters: those are in counters.ts. */
import { machine, release, totalmem, type } from "node:os";
import type { Usage } from "./host.js";

/** This process, now. */
export function processUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return {
    pid: process.pid,
    os: `${type()} ${release()} ${machine()}`,
    residentBytes: process.memoryUsage.rss(),
    machineBytes: totalmem(),
    userSec: user / 1e6,
    systemSec: system / 1e6,
  };
}
