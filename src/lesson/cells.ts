/** States and replies as the cells of a table. Pure. */
import type { JsonBytes } from "../bytes.js";
import type { JsonReply } from "../dashboard/command.js";
import type { JsonValue } from "../heart.js";
import type { LessonCells, LessonChange, LessonEntry, LessonState } from "./lesson.js";

/** A moment as cells. */
export function cellsOf(state: LessonState, output: JsonReply | null): LessonCells {
  return {
    cache: entriesCell(state.cache),
    queue: `[${state.queue.map(changeCell).join(", ")}]`,
    database: entriesCell(state.database),
    output: output === null ? "" : replyCell(output),
  };
}

/** A reply in one line, as redis-cli would put it. */
export function replyCell(reply: JsonReply): string {
  switch (reply.type) {
    case "bulk":
      return bytesCell(reply.value);
    case "integer":
      return `(integer) ${reply.value}`;
    case "simple":
      return reply.value;
    case "error":
      return `(error) ${reply.value}`;
    case "null":
      return "(nil)";
    case "array":
    case "set":
      return `[${reply.value.map(replyCell).join(", ")}]`;
    case "map":
      return `{${reply.value.map(([key, value]) => `${bytesCell(key)}: ${replyCell(value)}`).join(", ")}}`;
  }
}

/** A record's value. */
export function valueCell(value: JsonValue | null): string {
  return value === null ? "null" : `${contentCell(value, bytesCell)}${endCell(value.expiresAt)}`;
}

function entriesCell(entries: readonly LessonEntry[]): string {
  return `{${entries.map(({ key, value }) => `${bytesCell(key)}: ${valueCell(value)}`).join(", ")}}`;
}

function changeCell({ key, kind, value, unset }: LessonChange): string {
  if (kind === "clear") return "(everything, null)";
  if (kind === "merge" && value === null && unset.length === 0) return `(${quoted(key)}, another end)`;
  const set = value === null ? "" : contentCell(value, quoted);
  if (kind !== "merge") return `(${quoted(key)}, ${set === "" ? "null" : set + endCell(value?.expiresAt ?? null)})`;
  const gone = unset.map((field) => `${quoted(field)}: null`);
  const fields = [set.slice(1, -1), ...gone].filter((text) => text !== "");
  return `(${quoted(key)}, {${fields.join(", ")}})`;
}

function contentCell(value: JsonValue, show: (bytes: JsonBytes) => string): string {
  if (value.type === "string") return show(value.value);
  return `{${value.fields.map(([field, content]) => `${show(field)}: ${show(content)}`).join(", ")}}`;
}

function endCell(expiresAt: number | null): string {
  return expiresAt === null ? "" : " until its end";
}

function bytesCell(bytes: JsonBytes): string {
  return typeof bytes === "string" ? JSON.stringify(bytes) : `base64 ${bytes.base64}`;
}

function quoted(bytes: JsonBytes): string {
  if (typeof bytes !== "string") return `base64 ${bytes.base64}`;
  const inner = JSON.stringify(bytes).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}
