/** Numbers, sizes, times and bytes as people read them. Pure. */
import type { JsonBytes } from "../../bytes.js";
import type { CutBytes } from "../cut.js";

/** A number with separators: 1,234,567. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of things: `1 change`, `2 changes`. */
export function counted(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? "" : "s"}`;
}

/** A rate in few digits: 3.2, 48, 51,200. */
export function rate(value: number): string {
  return value === 0 ? "0" : value < 10 ? value.toFixed(1) : count(Math.round(value));
}

/** A size: `1.5 MB`. */
export function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** A length of time: `12 ms`, `3.4 s`, `2 min 10 s`, `5 h 3 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  const two = (first: number, a: string, second: number, b: string): string =>
    second === 0 ? `${first} ${a}` : `${first} ${a} ${second} ${b}`;
  if (hours === 0) return two(minutes, "min", seconds % 60, "s");
  return days === 0 ? two(hours, "h", minutes % 60, "min") : two(days, "d", hours % 24, "h");
}

/** The time of day, with milliseconds. */
export function clockTime(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The sequence in a position's text: what people compare. */
export function sequenceOf(position: string): string {
  return position.split(":")[1] ?? position;
}

/** Bytes as text, with what tells them from text; what was cut says how much there is. */
export function bytesText(bytes: JsonBytes | CutBytes): string {
  if (typeof bytes === "string") return bytes;
  if ("base64" in bytes) return `base64 ${bytes.base64}`;
  return `${bytes.cut}… (${size(bytes.bytes)})`;
}
