/** Numbers, sizes, lengths of time and shares, as the log and the terminal write them for people. Pure. */

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

/** A part of a whole for people: `under 0.1 %`, `0.2 %`, `37 %`. */
export function percent(part: number, whole: number): string {
  const value = whole <= 0 ? 0 : (100 * part) / whole;
  if (value > 0 && value < 0.1) return "under 0.1 %";
  return `${value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value)} %`;
}
