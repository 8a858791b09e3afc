/** Rates, times of day, positions and bytes as people read them; amounts are in amounts.ts. Pure. */
import { count, size } from "../../amounts.js";
import type { JsonBytes } from "../../bytes.js";
import type { CutBytes } from "../cut.js";

/** A rate in few digits: 3.2, 48, 51,200. */
export function rate(value: number): string {
  return value === 0 ? "0" : value < 10 ? value.toFixed(1) : count(Math.round(value));
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
