/** What is pending at the start goes into the cache, so that reads see the newest value before the store has it. */
import type { MemoryCache } from "../cache/memory-cache.js";
import type { FrameOnDisk } from "../queue/queue.js";
import type { Addressing } from "./addressing.js";
import type { WriterSide } from "./writer-side.js";

/** Takes frames of the log, in order, into the cache; tells after each piece how many they were. */
export async function recover(
  frames: AsyncIterable<readonly FrameOnDisk[]>,
  cache: MemoryCache,
  side: WriterSide,
  addressing: Pick<Addressing, "mayDiffer">,
  tell: (frames: number) => void,
): Promise<void> {
  let done = 0;
  for await (const piece of frames) {
    for (const { frame } of piece) {
      const { sequence } = frame.position;
      if (frame.body.kind === "clear") cache.clear(sequence);
      else
        for (const { record, change } of frame.body.changes) {
          cache.write(record, change, sequence);
          if (addressing.mayDiffer(record, change)) cache.invalidate(record);
        }
      side.recovered(sequence, frame.body.kind === "clear" ? 1 : frame.body.changes.length);
    }
    tell((done += piece.length));
  }
}
