/** Puts together what one engine counts: its writer's runs, its journal's syncs and size. */
import { Counters } from "../counters.js";
import type { EngineOptions } from "../options.js";
import type { Journal } from "../queue/journal/journal.js";
import type { WriterSide } from "./writer-side.js";

/** The counters of an engine. */
export function countersOf({ tally }: WriterSide, journal: Journal, { queueBytes }: EngineOptions): Counters {
  const counters = new Counters(tally);
  journal.onSynced = (ms) => counters.syncSeconds.observe(ms / 1000);
  counters.queue = () => {
    const { bytesOnDisk, diskFull } = journal.stats();
    return { journalBytes: bytesOnDisk, bytesMax: queueBytes, diskFull };
  };
  return counters;
}
