/**
 * `npm run crash -- --kills N [--seconds S] [--seed S] [--store sqlite|postgres]`: kills the real server at random instants and checks what is
 * left. The seed decides what is written and when it is killed; how fast the machine is decides the rest.
 */
import { parseArgs } from "node:util";
import { stderrScreen } from "../../src/host/screen.js";
import { Progress } from "../../src/progress.js";
import { line, runCampaign } from "./campaign.js";

const { values } = parseArgs({
  options: {
    kills: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    store: { type: "string", default: "sqlite" },
  },
});

function numberOf(name: "kills" | "seconds" | "seed", otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  process.stderr.write(`--${name} must be a number\n`);
  process.exit(2);
}

const seconds = numberOf("seconds", Number.POSITIVE_INFINITY);
const kills = numberOf("kills", Number.isFinite(seconds) ? Number.POSITIVE_INFINITY : 100);
const seed = numberOf("seed", Date.now() % 1_000_000);
const { store } = values;
if (store !== "sqlite" && store !== "postgres") {
  process.stderr.write("--store is sqlite or postgres\n");
  process.exit(2);
}
const again = `npm run crash -- --store ${store} --seed ${seed}${Number.isFinite(kills) ? ` --kills ${kills}` : ""}${Number.isFinite(seconds) ? ` --seconds ${seconds}` : ""}`;
try {
  const progress = new Progress(stderrScreen());
  const report = await runCampaign(store, seed, { kills, seconds }, (went) => {
    if (Number.isFinite(kills)) progress.at("crashing", { things: "kills" }, went.kills, kills, line(went));
    else progress.at("crashing", "seconds", went.seconds, seconds, line(went));
  }).finally(() => progress.end());
  process.stdout.write(`${line(report)}: nothing answered was lost\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nagain: ${again}\n`);
  process.exitCode = 1;
}
