/**
 * What the worker of a process finds of the database when it begins. As the journal's owner does: who has never been
 * with this database waits for it; a wrong one ends the start; else clients are served, whatever the database does.
 */
import { errorOfPlain, type WriteBehindError } from "../errors.js";
import type { Clock } from "../host/host.js";
import type { WorkerTold } from "./worker/worker-messages.js";

/** A worker that has said nothing for so long is not waited for. Milliseconds. */
const silentMs = 5000;

/** Hears the worker, and tells what came of its beginning. */
export interface FirstOutcome {
  readonly hear: (told: WorkerTold) => void;
  /** Resolves when clients may be served. `waits`: this queue has never been with the database. */
  readonly outcome: (waits: boolean) => Promise<void>;
}

type Found = "open" | "down" | WriteBehindError;

/** Begins to hear. */
export function firstOutcome(clock: Clock): FirstOutcome {
  let found: Found | null = null;
  let tell = (): void => {};
  const hear = (told: WorkerTold): void => {
    const now = foundIn(told);
    if (now === null || found === "open") return;
    found = now;
    tell();
  };
  const outcome = (waits: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = clock.after(silentMs, () => end(resolve), true);
      const end = (how: () => void): void => {
        timer.cancel();
        tell = () => {};
        how();
      };
      tell = () => {
        if (found === null || (found === "down" && waits)) return timer.cancel();
        if (typeof found === "object") {
          const error = found;
          return end(() => reject(error));
        }
        return end(resolve);
      };
      tell();
    });
  return { hear, outcome };
}

function foundIn(told: WorkerTold): Found | null {
  if (told.type === "failed") return told.error.code === "CACHE_DOWN" ? null : errorOfPlain(told.error);
  if (told.type === "warning") return null;
  const { partitions, store } = told.report;
  if (store.state === "broken" && store.error !== null) return errorOfPlain(store.error);
  if (partitions.some(({ state }) => state === "running" || state === "paused")) return "open";
  if (store.state === "down") return "down";
  // Others own everything: they have been with the database.
  return partitions.length === 0 ? "open" : null;
}
