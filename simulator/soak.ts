/**
 * `npm run soak`: every campaign in turn, each for its share of the time, each with a seed that no run had before.
 *
 *   --minutes N    for all of them together (default 20)
 *   --no-record    say what was reached, and leave docs/reliability.md alone
 *   --only NAME    one campaign, for all of the time
 *
 * A campaign is a program of its own that takes a seed and a number of seconds, so what it found is repeated by the
 * command that is printed. Exit code 1 where one of them failed.
 */
import { spawn } from "node:child_process";
import { appendFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** One way of looking for bugs. */
interface Campaign {
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

/** What became of it. */
interface Outcome {
  readonly campaign: string;
  readonly seconds: number;
  readonly reached: string;
  readonly passed: boolean;
  readonly command: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const record = `${root}docs/reliability.md`;
const cores = availableParallelism();
const seedsApart = 10_000_000;

const lastLine = (output: string): string => output.trim().split("\n").at(-1) ?? "";
/** The last match: a campaign says how far it is before it says what it reached. */
const matched = (output: string, pattern: RegExp): string =>
  [...output.matchAll(new RegExp(pattern, "g"))].at(-1)?.[0] ?? lastLine(output);

const campaigns: readonly Campaign[] = [
  {
    name: "simulator",
    share: 0.5,
    jobs: cores,
    command: (seconds, seed) => ["dist/simulator/main.js", "--seed", `${seed}`, "--seconds", `${seconds}`],
    reached: (output) => matched(output, /\d+ worlds, \d+ events, .* faults/),
  },
  {
    name: "mutants",
    share: 0.1,
    jobs: 1,
    command: (seconds) => ["dist/simulator/main.js", "--mutants", "--seconds", `${seconds}`],
    reached: (output) => matched(output, /\d+ of \d+ mutants caught.*/),
  },
  {
    name: "disk-faults",
    share: 0.1,
    jobs: 1,
    command: (seconds, seed) => ["dist/simulator/disk-faults.js", "--seconds", `${seconds}`, "--seed", `${seed}`],
    reached: (output) => matched(output, /\d+ runs with failing disk calls.*/),
  },
  {
    name: "kills",
    share: 0.2,
    jobs: 1,
    command: (seconds, seed) => ["dist/test/crash/main.js", "--seconds", `${seconds}`, "--seed", `${seed % 2 ** 31}`],
    reached: (output) => matched(output, /\d+ kills.*/),
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

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    "no-record": { type: "boolean", default: false },
    only: { type: "string" },
  },
});

const chosen = campaigns.filter(({ name }) => values.only === undefined || name === values.only);
const minutes = Number(values.minutes);
if (chosen.length === 0 || !(minutes > 0)) {
  console.error(`--minutes N, and --only one of ${campaigns.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const shares = chosen.reduce((sum, { share }) => sum + share, 0);
const outcomes: Outcome[] = [];
for (const campaign of chosen) {
  const seconds = Math.max(5, Math.round((minutes * 60 * campaign.share) / shares));
  console.log(`${campaign.name}: ${seconds} s`);
  const seed = Date.now();
  const jobs = Array.from({ length: campaign.jobs }, (_, job) => run(campaign, seconds, seed + job * seedsApart));
  outcomes.push(...(await Promise.all(jobs)));
}
if (!values["no-record"]) await appendFile(record, outcomes.map(rowOf).join(""));
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1;

function run(campaign: Campaign, seconds: number, seed: number): Promise<Outcome> {
  const args = campaign.command(seconds, seed);
  const command = `node ${args.join(" ")}`;
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
    child.on("close", (code) => {
      const passed = code === 0;
      const reached = campaign.reached(output);
      console.log(passed ? `  ${reached}` : `  FAILED: ${command}\n${output.slice(-8000)}`);
      resolve({ campaign: campaign.name, seconds: (performance.now() - started) / 1000, reached, passed, command });
    });
  });
}

function rowOf({ campaign, seconds, reached, passed, command }: Outcome): string {
  const cells = [
    new Date().toISOString().slice(0, 10),
    campaign,
    `${Math.round(seconds)} s`,
    reached.replaceAll("|", "/"),
    passed ? "passed" : "**failed**",
    `\`${command}\``,
  ];
  return `| ${cells.join(" | ")} |\n`;
}
