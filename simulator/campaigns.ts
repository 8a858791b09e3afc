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

/** A program that takes seeds below 2^31. */
const program =
  (file: string, ...flags: readonly string[]): Campaign["command"] =>
  (seconds, seed) => [file, ...flags, "--seconds", `${seconds}`, "--seed", `${seed % 2 ** 31}`];

/** Real processes, killed at random instants; and PostgreSQL beside them, where that is the store. */
function kills(name: string, command: Campaign["command"]): Campaign {
  return { name, share: 0.1, jobs: 1, command, reached: (output) => matched(output, /\d+ kills.*/) };
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
  kills("kills", program("dist/test/crash/main.js", "--store", "sqlite")),
  kills("kills-postgres", program("dist/test/crash/main.js", "--store", "postgres")),
  kills("fleet-kills", program("dist/test/fleet-crash/main.js")),
  {
    name: "shop",
    share: 0.1,
    jobs: 1,
    command: program("dist/examples/shop/main.js"),
    reached: (output) =>
      [...output.matchAll(/^\w+: (\d+ requests done), \d+ refused, (\d+ kills, \d+ outages)/gm)]
        .map((match) => `${match[1]}, ${match[2]}`)
        .join("; "),
  },
  {
    name: "fuzz",
    share: 0.05,
    jobs: 1,
    command: program("dist/test/fuzz-main.js"),
    reached: (output) => matched(output, /\d+ streams for the parser, .*/),
  },
  {
    name: "properties",
    share: 0.1,
    jobs: 1,
    command: program("dist/simulator/properties.js"),
    reached: (output) => matched(output, /\d+ rounds of .*/),
  },
];
