/** How the verbs print for people: values, changes, columns. Numbers, sizes and times are in amounts.ts. */
import type { JsonBytes } from "../bytes.js";
import type { JsonRecordChange, JsonValue } from "../heart.js";

export { count, counted, duration, size } from "../amounts.js";

/** A key or value, quoted; base64 where it is not text. */
export function shownBytes(json: JsonBytes): string {
  return typeof json === "string" ? JSON.stringify(json) : `base64 ${json.base64}`;
}

/** A record's value in one line, cut where it is long. */
export function shownValue(value: JsonValue | null): string {
  if (value === null) return "nothing";
  const text =
    value.type === "string"
      ? shownBytes(value.value)
      : `{${value.fields.map(([field, content]) => `${shownBytes(field)}: ${shownBytes(content)}`).join(", ")}}`;
  const end = value.expiresAt === null ? "" : `, until ${new Date(value.expiresAt).toISOString()}`;
  return `${text.length > 2000 ? `${text.slice(0, 2000)}…` : text}${end}`;
}

/** A change without its key, in one line. */
export function shownChange({ kind, value, unset }: Omit<JsonRecordChange, "key">): string {
  const parts = [
    kind,
    value === null ? "" : shownValue(value),
    unset.length === 0 ? "" : `without ${unset.map(shownBytes).join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** Lines of names and texts, the texts in one column. */
export function columns(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join("");
}

/** Prints JSON where it was asked for, else the text for people. */
export function print(json: unknown, asJson: boolean, text: () => string): void {
  process.stdout.write(asJson ? `${JSON.stringify(json, null, 2)}\n` : text());
}
