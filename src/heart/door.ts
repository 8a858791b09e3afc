/** What the store would refuse for its size is refused here, before it is queued. Pure. */
import { jsonOfBytes, type Bytes } from "../bytes.js";
import type { Fields } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { StoreLimits } from "../store/store.js";
import type { Written } from "../workspace.js";

/** So much of a key is shown. */
const shownBytes = 64;

/** Throws TOO_LARGE where a key, with its field, or a value is longer than the store takes. */
export function checkSizes(changes: readonly Written[], limits: StoreLimits): void {
  for (const { record, change } of changes) {
    if (record.length > limits.keyBytesMax) throw tooLong("a key", record.length, limits.keyBytesMax, record);
    if (change.kind === "remove") continue;
    const content = change.kind === "replace" ? change.content : change.fields?.set;
    if (content === undefined) continue;
    if (typeof content !== "string") checkFields(record, content, limits);
    else if (content.length > limits.valueBytesMax) {
      throw tooLong("the value", content.length, limits.valueBytesMax, record);
    }
  }
}

function checkFields(record: Bytes, fields: Fields, { keyBytesMax, valueBytesMax }: StoreLimits): void {
  for (const [field, value] of fields) {
    const length = record.length + field.length;
    if (length > keyBytesMax) throw tooLong("a key and its field", length, keyBytesMax, record);
    if (value.length > valueBytesMax) throw tooLong("the value of a field", value.length, valueBytesMax, record);
  }
}

function tooLong(what: string, bytes: number, bytesMax: number, record: Bytes): WriteBehindError {
  const shown = JSON.stringify(jsonOfBytes(record.slice(0, shownBytes) as Bytes));
  const name = record.length > shownBytes ? `a key that begins with ${shown}` : shown;
  return new WriteBehindError(
    "TOO_LARGE",
    `${what} of ${bytes} bytes, at ${name}; the database takes ${bytesMax}: nothing was written`,
    { hint: "make it shorter, or split it over several records" },
  );
}
