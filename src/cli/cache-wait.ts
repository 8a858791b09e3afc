/** A Redis that is not there yet is waited for: processes of a fleet are started in any order. */
import { WriteBehindError } from "../errors.js";
import type { Clock } from "../host/host.js";
import type { Logger } from "../log/logger.js";
import { rest } from "../rest.js";

/** Between two tries, in milliseconds. */
const tryEveryMs = 500;

/**
 * Opens something that needs a Redis as soon as that can be reached. Rejects with the signal's reason when it
 * aborts. `waits` is told each time why it must wait.
 */
export async function waitForRedis<T>(
  open: () => Promise<T>,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
  waits: (why: string) => void = () => {},
): Promise<T> {
  for (let said = false; ; said = true) {
    try {
      return await open();
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      waits(error.message);
      if (!said) log.warn({ event: "starting", code: error.code }, `${error.message}; it is waited for`);
    }
    await rest(clock, tryEveryMs, true);
    signal.throwIfAborted();
  }
}

/** It is not there, or went away while it was looked at. */
function mayPass(error: unknown): error is WriteBehindError {
  return error instanceof WriteBehindError && (error.code === "CACHE_DOWN" || error.code === "UNKNOWN");
}
