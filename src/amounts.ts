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

/** A length of time for people: `12 ms`, `3.4 s`, `5 min`, `2 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** A part of a whole for people: `under 0.1 %`, `0.2 %`, `37 %`. */
export function percent(part: number, whole: number): string {
  const value = whole <= 0 ? 0 : (100 * part) / whole;
  if (value > 0 && value < 0.1) return "under 0.1 %";
  return `${value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value)} %`;
}
