/** What all questions of the benchmark have in common: how they are asked, how two sides are measured, the answer. */
import { mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the project. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** What a ratio must be. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the result. */
export interface Answer {
  readonly what: string;
  readonly rival: string;
  readonly ours: string;
  readonly theirs: string;
  /** Ours divided by theirs; null where a number is only reported. */
  readonly ratio: number | null;
  readonly goal: Goal | null;
}

/** How a question is asked. */
export interface Setting {
  /** A tenth of the work: to see that it runs, not to believe it. */
  readonly quick: boolean;
  /** An empty folder on the project's disk; removed afterwards. */
  readonly folder: string;
}

/** One question. */
export interface Question {
  readonly name: string;
  ask(setting: Setting): Promise<Answer[]>;
}

/** Runs `body` with an empty folder that is removed afterwards. */
export async function inFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(root, "dist", "bench-"));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The rates of two sides, and ours divided by theirs. */
export interface Pair {
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
}

/**
 * Measures two sides in turn, `rounds` times each, so that a machine that slows down slows both. Each side gets the
 * number of its round and gives a rate. The medians count.
 */
export async function sideBySide(
  rounds: number,
  ours: (round: number) => Promise<number>,
  theirs: (round: number) => Promise<number>,
): Promise<Pair> {
  const rates = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    rates.ours.push(await ours(round));
    rates.theirs.push(await theirs(round));
  }
  const pair = { ours: median(rates.ours), theirs: median(rates.theirs) };
  return { ...pair, ratio: pair.ours / pair.theirs };
}

/** The middle one; of an even number the upper middle one. */
export function median(numbers: readonly number[]): number {
  return percentile(numbers, 0.5);
}

/** The smallest number that at least this share of the numbers does not exceed. */
export function percentile(numbers: readonly number[] | Float64Array, share: number): number {
  if (numbers.length === 0) throw new Error("nothing was measured");
  const sorted = Float64Array.from(numbers).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

/** Seconds that `body` takes. */
export async function secondsOf(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1000;
}

/** A number of something a second, for people. */
export function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString("en-US")}/s`;
}

/** Bytes, for people. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024).toLocaleString("en-US")} MB`;
}
