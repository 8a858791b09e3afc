/** What a record costs in this process's heap. Pure. What the cache remembers beside it costs more: cache/entry.ts. */
import { contentBytes, type Content } from "./change.js";

// Measured on Node 20 (64-bit): heap per record beyond the bytes of its key and value, Map slot included.
/** What a record costs beside its key and content. */
export const recordBytes = 240;
/** What a hash costs beside its fields. */
export const hashBytes = 176;
/** What a field costs in memory beyond the bytes of its name and value. */
export const fieldBytes = 72;

/** What content costs in memory: its bytes and the objects around them. */
export function costOfContent(content: Content): number {
  const bytes = contentBytes(content);
  return typeof content === "string" ? bytes : bytes + hashBytes + fieldBytes * content.size;
}
