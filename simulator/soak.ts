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
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stderrScreen } from "../src/host/screen.js";
import { Progress } from "../src/progress.js";
import { campaigns, type Campaign } from "./campaigns.js";

/** What became of it. */
interface Outcome {
  readonly campaign: string;
  readonly seconds: number;
  readonly reached: string;
  readonly passed: boolean;
  readonly command: string;
}

/** So much longer than its time may a campaign take for what it has begun. */
const graceSeconds = 120;

const root = fileURLToPath(new URL("../..", import.meta.url));
const record = `${root}docs/reliability.md`;
const drawnEveryMs = 1000;
const seedsApart = 10_000_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    "no-record": { type: "boolean", default: false },
    only: { type: "string" },
    seed: { type: "string" },
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
const progress = new Progress(stderrScreen());
const began = performance.now();
for (const campaign of chosen) {
  const seconds = Math.max(5, Math.round((minutes * 60 * campaign.share) / shares));
  say(`${campaign.name}: ${seconds} s`);
  const seed = values.seed === undefined ? Date.now() : Number(values.seed);
  const jobs = Array.from({ length: campaign.jobs }, (_, job) => run(campaign, seconds, seed + job * seedsApart));
  const drawing = setInterval(
    () => progress.at("soak", "seconds", (performance.now() - began) / 1000, minutes * 60, campaign.name),
    drawnEveryMs,
  );
  outcomes.push(...(await Promise.all(jobs)));
  clearInterval(drawing);
}
progress.end();
if (!values["no-record"]) await appendFile(record, outcomes.map(rowOf).join(""));
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1;

/** On stdout, where the bar is not. */
function say(text: string): void {
  progress.end();
  console.log(text);
}

function run(campaign: Campaign, seconds: number, seed: number): Promise<Outcome> {
  const args = campaign.command(seconds, seed);
  const command = `node ${args.join(" ")}`;
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    // A campaign that does not end in time has failed: nothing hangs.
    const timer = setTimeout(() => child.kill("SIGKILL"), (seconds + graceSeconds) * 1000);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
    child.on("close", (code) => {
      clearTimeout(timer);
      const passed = code === 0;
      const reached = campaign.reached(output);
      say(passed ? `  ${reached}` : `  FAILED: ${command}\n${output.slice(-8000)}`);
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
