/**
 * From what a person wrote to the value of one option, and back. Pure. One parser for the library's argument, flags,
 * variables and the YAML file; where something came from is known only to the error message.
 */

/** How an option is written. `bytes` takes 64mb, `ms` takes 100, 100ms, 5s; both are numbers in here. */
export type OptionSpec = ValueSpec | RoutesSpec;

/** An option with one value. */
export type ValueSpec = NumberSpec | ChoiceSpec | TextSpec | FlagSpec;

/** What every option says about itself. */
interface AnySpec {
  readonly scope: Scope;
  readonly doc: string;
  /** A shorter name for the flag, without the dashes. */
  readonly alias?: string;
}

/** A number: bytes, milliseconds or a count. Whole, and within its limits, both included. */
export interface NumberSpec extends AnySpec {
  readonly type: "bytes" | "ms" | "count";
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** One word of a few. */
export interface ChoiceSpec extends AnySpec {
  readonly type: "choice";
  readonly of: readonly string[];
  readonly default: string;
}

/** A text that is not empty; null where it is not set. A secret is never shown. */
export interface TextSpec extends AnySpec {
  readonly type: "text";
  readonly default: string | null;
  readonly secret?: true;
}

/** Yes or no. */
export interface FlagSpec extends AnySpec {
  readonly type: "flag";
  readonly default: boolean;
}

/** Routes: a list in the library and in the file; a flag and a variable name a file with such a list. */
export interface RoutesSpec extends AnySpec {
  readonly type: "routes";
  readonly default: readonly never[];
}

/** `engine`: library and `serve`. `serve`: the server only. */
export type Scope = "engine" | "serve";

/** A value, or what is wrong with what was given: the end of a sentence that began with the option's name. */
export type Parsed = { readonly value: number | string | boolean | null } | { readonly problem: string };

/** The longest text that an option takes, in characters. */
const textMax = 4096;
const bytesIn = {
  b: 1,
  k: 2 ** 10,
  kb: 2 ** 10,
  m: 2 ** 20,
  mb: 2 ** 20,
  g: 2 ** 30,
  gb: 2 ** 30,
  t: 2 ** 40,
  tb: 2 ** 40,
};
const msIn = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Checks one given value against its line of the table. Secrets are never repeated in a problem. */
export function parseOption(spec: ValueSpec, given: unknown): Parsed {
  switch (spec.type) {
    case "text":
      return parseText(given);
    case "flag":
      return parseFlag(given);
    case "choice":
      if (typeof given === "string" && spec.of.includes(given)) return { value: given };
      return { problem: `is ${shown(given)}, and must be one of ${spec.of.join(", ")}` };
    default:
      return parseNumber(spec, given);
  }
}

function parseText(given: unknown): Parsed {
  if (typeof given !== "string") return { problem: `must be a text, not ${kindOf(given)}` };
  if (given === "") return { problem: "is empty; leave it out for the default" };
  if (given.length > textMax) return { problem: `is longer than ${textMax} characters` };
  if (given.includes("\0")) return { problem: "holds a zero byte" };
  return { value: given };
}

function parseFlag(given: unknown): Parsed {
  if (typeof given === "boolean") return { value: given };
  if (typeof given === "string" && /^(true|yes|on|1)$/i.test(given)) return { value: true };
  if (typeof given === "string" && /^(false|no|off|0)$/i.test(given)) return { value: false };
  return { problem: `is ${shown(given)}, and must be true or false` };
}

function parseNumber(spec: NumberSpec, given: unknown): Parsed {
  const value = typeof given === "string" ? numberOfText(spec.type, given) : given;
  if (typeof value !== "number" || !Number.isFinite(value))
    return { problem: `is ${shown(given)}, and must be ${wanted[spec.type]}` };
  if (!Number.isInteger(value))
    return { problem: `is ${shown(given)}, and must be a whole number of ${unitName[spec.type]}` };
  if (value < spec.min || value > spec.max) {
    return {
      problem: `is ${shown(given)}, and must be between ${formatNumber(spec.type, spec.min)} and ${formatNumber(spec.type, spec.max)}`,
    };
  }
  return { value };
}

const wanted = {
  bytes: "a size such as 65536, 64kb, 16mb or 4gb",
  ms: "a time such as 100 (milliseconds), 100ms, 5s, 10m or 1h",
  count: "a number such as 1000",
};
const unitName = { bytes: "bytes", ms: "milliseconds", count: "things" };

function numberOfText(type: NumberSpec["type"], text: string): number | null {
  const match = /^(-?\d[\d_]*(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
  if (match === null) return null;
  const number = Number((match[1] as string).replaceAll("_", ""));
  const unit = (match[2] as string).toLowerCase();
  if (unit === "") return number;
  const units: Readonly<Record<string, number>> = type === "bytes" ? bytesIn : type === "ms" ? msIn : {};
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) return null;
  const value = number * factor;
  // 0.1gb is no whole number of bytes, but 4.35s is one of milliseconds, whatever floating point says.
  return Math.abs(value - Math.round(value)) < 1e-6 ? Math.round(value) : value;
}

/** A number as the parser takes it and a person reads it: 67108864 bytes is 64mb, 5000 ms is 5s. */
export function formatNumber(type: NumberSpec["type"], value: number): string {
  if (type === "count") return String(value);
  const units = Object.entries(type === "bytes" ? bytesIn : msIn).filter(
    ([unit]) => type === "ms" || unit.length === 2,
  );
  for (const [unit, factor] of units.toReversed()) {
    if (value !== 0 && value % factor === 0) return `${value / factor}${unit}`;
  }
  return type === "ms" ? `${value}ms` : String(value);
}

/** The default of an option as a person writes it; `none` for null. */
export function formatDefault(spec: OptionSpec): string {
  const value = spec.default;
  if (value === null || spec.type === "routes") return "none";
  return typeof value === "number" && "min" in spec ? formatNumber(spec.type, value) : String(value);
}

function shown(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given.length > 40 ? `${given.slice(0, 40)}…` : given);
  if (typeof given === "number" || typeof given === "boolean" || typeof given === "bigint") return String(given);
  return kindOf(given);
}

function kindOf(given: unknown): string {
  if (given === null) return "null";
  return Array.isArray(given) ? "a list" : `a ${typeof given}`;
}

/** The name that is meant, most likely: the nearest by edit distance, or null where none is near. */
export function nearest(name: string, names: readonly string[]): string | null {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, "");
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(plain(name), plain(candidate));
    // `delay` for `delayMs`: a name cut short is nearer than its letters say.
    const near = plain(candidate).startsWith(plain(name)) && name.length > 2 ? Math.min(distance, 1.5) : distance;
    if (near < bestDistance) [best, bestDistance] = [candidate, near];
  }
  return best;
}

/** How many letters must be put in, taken out, changed or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] as number) + 1);
      next.push(cost);
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}
