/** Records of routes with `store: none`: they are in the cache until it needs the room, and nothing is promised of them. */
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import type { RecordValue } from "../change.js";

/** Puts what they hold into the cache. A hash is copied: it may be a draft that lies over the cache's own. */
export function keepInCache(
  cache: MemoryCache,
  records: readonly { readonly record: Bytes; readonly value: RecordValue | null }[],
  now: number,
): void {
  for (const { record, value } of records) {
    const own =
      value === null || typeof value.content === "string" ? value : { ...value, content: new Map(value.content) };
    // Whoever watches it must see that it has changed.
    cache.invalidate(record);
    cache.fill(cache.place(record), own, now);
  }
}
