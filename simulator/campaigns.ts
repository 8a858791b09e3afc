/**
 * The campaigns of `npm run soak`. Each is a program of its own that takes a seed and a number of seconds, says at its
 * end what it has reached, and ends with exit code 1 where it found something.
 */
import { availableParallelism } from "node:os";

/** One way of looking for bugs. */
export interface Campaign {
  readonly name: string;
  /** Share of the whole time. */
  readonly share: number;
  /** How many at the same time, each with a seed of its own. */
  readonly jobs: number;
  /** Arguments of Node, from the root of the project. */
  command(seconds: number, seed: number): readonly string[];
  /** What the output says it has reached, in a few words. */
  reached(output: string): string;
}

const cores = availableParallelism();

const lastLine = (output: string): string => output.trim().split("\n").at(-1) ?? "";
/** The last match: a campaign says how far it is before it says what it reached. */
const matched = (output: string, pattern: RegExp): string =>
  [...output.matchAll(new RegExp(pattern, "g"))].at(-1)?.[0] ?? lastLine(output);

/** The real server, killed at random instants; and PostgreSQL beside it, where that is the store. */
function kills(name: string, store: string): Campaign {
  return {
    name,
    share: 0.1,
    jobs: 1,
    command: (seconds, seed) => [
      "dist/test/crash/main.js",
      "--store",
      store,
      "--seconds",
      `${seconds}`,
      "--seed",
      `${seed % 2 ** 31}`,
    ],
    reached: (output) => matched(output, /\d+ kills.*/),
  };
}

/** All of them. To add one is to add an entry. */
export const campaigns: readonly Campaign[] = [
  {
    name: "simulator",
    share: 0.3,
    jobs: cores,
    command: (seconds, seed) => ["dist/simulator/main.js", "--seed", `${seed}`, "--seconds", `${seconds}`],
    reached: (output) => matched(output, /\d+ worlds, \d+ events, .* faults/),
  },
  {
    name: "simulator, rows",
    share: 0.1,
    jobs: cores,
    command: (seconds, seed) => ["dist/simulator/main.js", "--rows", "--seed", `${seed}`, "--seconds", `${seconds}`],
    reached: (output) => matched(output, /\d+ worlds, \d+ events, .* faults/),
  },
  {
    name: "simulator, fleet",
    share: 0.1,
    jobs: cores,
    command: (seconds, seed) => ["dist/simulator/main.js", "--fleet", "--seed", `${seed}`, "--seconds", `${seconds}`],
    reached: (output) => matched(output, /\d+ worlds, \d+ events, .* faults/),
  },
  {
    name: "mutants",
    share: 0.2,
    jobs: 1,
    // So long for one of them alone: the hardest needs some thousands of seeds.
    command: (seconds) => [
      "dist/simulator/main.js",
      "--mutants",
      "--seconds",
      `${seconds}`,
      "--seconds-each",
      `${Math.max(5, Math.ceil(seconds / 4))}`,
    ],
    reached: (output) => matched(output, /\d+ of \d+ mutants caught.*/),
  },
  {
    name: "disk-faults",
    share: 0.1,
    jobs: 1,
    command: (seconds, seed) => ["dist/simulator/disk-faults.js", "--seconds", `${seconds}`, "--seed", `${seed}`],
    reached: (output) => matched(output, /\d+ runs with failing disk calls.*/),
  },
  kills("kills", "sqlite"),
  kills("kills-postgres", "postgres"),
  {
    name: "fleet-kills",
    share: 0.1,
    jobs: 1,
    command: (seconds, seed) => [
      "dist/test/fleet-crash/main.js",
      "--seconds",
      `${seconds}`,
      "--seed",
      `${seed % 2 ** 31}`,
    ],
    reached: (output) => matched(output, /\d+ kills.*/),
  },
  {
    name: "shop",
    share: 0.1,
    jobs: 1,
    command: (seconds, seed) => [
      "dist/examples/shop/main.js",
      "--seconds",
      `${seconds}`,
      "--seed",
      `${seed % 2 ** 31}`,
    ],
    reached: (output) =>
      [...output.matchAll(/^\w+: (\d+ requests done), \d+ refused, (\d+ kills, \d+ outages)/gm)]
        .map((match) => `${match[1]}, ${match[2]}`)
        .join("; "),
  },
  {
    name: "properties",
    share: 0.1,
    jobs: 1,
    command: (seconds, seed) => [
      "dist/simulator/properties.js",
      "--seconds",
      `${seconds}`,
      "--seed",
      `${seed % 2 ** 31}`,
    ],
    reached: (output) => matched(output, /\d+ rounds of .*/),
  },
];
