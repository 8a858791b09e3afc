/** How the verbs print for people: numbers, ages, bytes, values. Pure. */
import type { JsonBytes } from "../bytes.js";
import type { JsonRecordChange, JsonValue } from "../heart.js";

/** A number with separators: 1,234,567. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of things: `1 change`, `2 changes`. */
export function counted(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? "" : "s"}`;
}

/** A size for people: `1.5 MB`. */
export function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** A length of time for people: `12 ms`, `3.4 s`, `5 min`, `2 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

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
