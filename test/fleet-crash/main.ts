/**
 * `npm run crash:fleet -- [--seconds S] [--seed S]`: a fleet of real processes, killed, stopped and cut off at random.
 * The seed decides what is written and which faults come; how fast the machine is decides the rest.
 */
import { parseArgs } from "node:util";
import { stderrScreen } from "../../src/host/screen.js";
import { Progress } from "../../src/progress.js";
import { line, runFleetCampaign } from "./campaign.js";
import type { Fault } from "./fleet.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    faults: { type: "string" },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!(seconds > 0) || !Number.isInteger(seed)) {
  process.stderr.write("--seconds and --seed are numbers\n");
  process.exit(2);
}
const faults = values.faults?.split(",") as Fault[] | undefined;
try {
  const setting = { seconds, seed, ...(faults === undefined ? {} : { faults }) };
  const progress = new Progress(stderrScreen());
  const report = await runFleetCampaign(setting, (went) =>
    progress.at("crashing", "seconds", went.seconds, seconds, line(went)),
  ).finally(() => progress.end());
  process.stdout.write(`${line(report)}: nothing answered was lost\n`);
} catch (error) {
  const again = `node dist/test/fleet-crash/main.js --seconds ${seconds} --seed ${seed}`;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nagain: ${again}\n`);
  process.exitCode = 1;
}
