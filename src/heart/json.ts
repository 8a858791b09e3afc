/** Records and changes as the admin API, inspect and the lesson show them. Pure. */
import { jsonOfBytes } from "../bytes.js";
import { jsonOfContent, type JsonValue } from "../change-json.js";
import type { Change, RecordChange, RecordValue } from "../change.js";
import type { JsonChange, JsonRecordChange } from "../heart.js";
import { positionText, type Frame } from "../queue/queue.js";

/** A record's value as JSON; null stays null. */
export function jsonOfValue(value: RecordValue | null): JsonValue | null {
  return value === null ? null : jsonOfContent(value.content, value.expiresAt);
}

/** The changes of a frame as JSON, in their order. */
export function jsonOfFrame(frame: Frame): JsonChange[] {
  const common = { position: positionText(frame.position), acceptedAt: frame.at };
  if (frame.body.kind === "clear") return [{ ...common, key: "", kind: "clear", value: null, unset: [] }];
  return frame.body.changes.map((change) => ({ ...common, ...jsonOfChange(change) }));
}

/** A change of one record as JSON. */
export function jsonOfChange({ record, change }: RecordChange): JsonRecordChange {
  const key = jsonOfBytes(record);
  return { key, kind: change.kind, value: valueOfChange(change), unset: unsetOf(change) };
}

function valueOfChange(change: Change): JsonValue | null {
  if (change.kind === "remove") return null;
  if (change.kind === "replace") return jsonOfContent(change.content, change.expiresAt);
  return change.fields === null ? null : jsonOfContent(change.fields.set, change.expiresAt ?? null);
}

function unsetOf(change: Change): JsonRecordChange["unset"] {
  return change.kind === "merge" && change.fields !== null ? [...change.fields.unset].map(jsonOfBytes) : [];
}
