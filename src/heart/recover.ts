/** At the start: what is pending in the log goes into the cache before the first client is served (promise 2). */
import type { MemoryCache } from "../cache/memory-cache.js";
import type { JournalReader } from "../queue/journal/reader.js";
import type { WriterSide } from "./writer-side.js";

/** Takes the frames after `from` up to `upTo` into the cache, in their order. */
export async function recover(
  log: JournalReader,
  from: number,
  upTo: number,
  cache: MemoryCache,
  side: WriterSide,
): Promise<void> {
  for await (const piece of log.read(from, upTo)) {
    for (const { frame } of piece) {
      const { sequence } = frame.position;
      if (frame.body.kind === "clear") cache.clear(sequence);
      else for (const { record, change } of frame.body.changes) cache.write(record, change, sequence);
      side.recovered(sequence, frame.body.kind === "clear" ? 1 : frame.body.changes.length);
    }
  }
}
