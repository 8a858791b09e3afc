/**
 * `npm run simulate`: worlds, one seed after the other.
 *
 *   --seeds N      how many worlds (default 1000; 1 with --seed alone)
 *   --seed S       the first seed (default 1); with --seeds 1 the story is told
 *   --seconds S    stop after so many seconds
 *   --rows         worlds whose records are rows of a mapped table
 *   --fleet        fleets: processes that share cache and queue in a keeper
 *   --mutants      instead: plant every bug of mutants.ts, and see that each is caught in time; ends with a table
 *   --seconds-each S  one mutant has so long (default 90); out of time is told, and is no failure
 *   --mutant NAME  the same for one of them
 *   --json         the result as one line of JSON
 *
 * Exit code 1 where a world failed or a mutant survived.
 */
import { parseArgs } from "node:util";
import { stderrScreen } from "../src/host/screen.js";
import { Progress } from "../src/progress.js";
import { withoutRealWorld } from "./guard.js";
import { runMutants } from "./mutant-runner.js";
import { withoutFilling } from "./operation.js";
import { rowsWorld } from "./rows.js";
import { runFleet, type FleetResult } from "./fleet/fleet-world.js";
import { runWorld, type Plan, type Result } from "./world.js";

/** What a campaign of worlds came to. */
interface Campaign {
  readonly worlds: number;
  readonly events: number;
  readonly seconds: number;
  readonly failed: Result | FleetResult | null;
  readonly kills: number;
  readonly powerLosses: number;
  readonly faults: number;
  readonly points: ReadonlyMap<string, number>;
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    seconds: { type: "string" },
    "seconds-each": { type: "string" },
    rows: { type: "boolean", default: false },
    fleet: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    mutant: { type: "string" },
    json: { type: "boolean", default: false },
    story: { type: "string", default: "60" },
  },
});

/** Another kind of world than the swarm's. */
const plan: Plan | null = values.rows ? { options: rowsWorld } : null;

function runOne(seed: number, telling: boolean): Promise<Result | FleetResult> {
  return withoutRealWorld<Result | FleetResult>(() =>
    values.fleet ? runFleet(seed, telling) : runWorld(seed, telling, plan),
  );
}

function count(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  console.error(`not a number: ${text}`);
  process.exit(2);
}

async function campaign(first: number, seeds: number, seconds: number): Promise<Campaign> {
  // Words for what goes wrong are made when the seed is told.
  Error.stackTraceLimit = 0;
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let worlds = 0;
  const sum = { events: 0, kills: 0, powerLosses: 0, faults: 0 };
  const points = new Map<string, number>();
  let failed: Result | FleetResult | null = null;
  const progress = new Progress(stderrScreen());
  while (worlds < seeds && elapsed() < seconds && failed === null) {
    const result = await runOne(first + worlds++, false);
    const { reached } = result;
    sum.events += result.events;
    for (const name of ["kills", "powerLosses", "faults"] as const) sum[name] += reached[name];
    for (const [point, times] of reached.points) points.set(point, (points.get(point) ?? 0) + times);
    if (result.failure !== null) failed = result;
    if (values.json) continue;
    if (Number.isFinite(seconds)) progress.at("simulating", "seconds", elapsed(), seconds, `${worlds} worlds`);
    else progress.at("simulating", { things: "worlds" }, worlds, seeds, `${sum.kills} processes killed`);
  }
  progress.end();
  return { ...sum, worlds, seconds: elapsed(), failed, points };
}

function say(campaign: Campaign, first: number): void {
  const { worlds, events, seconds, failed, points } = campaign;
  const { kills, powerLosses, faults } = campaign;
  const perMinute = Math.round((worlds / seconds) * 60);
  const busy = process.cpuUsage();
  const perCore = Math.round((worlds / (busy.user + busy.system)) * 60e6);
  if (values.json) {
    const seed = failed?.seed ?? null;
    const { promise = null, message = null } = failed?.failure ?? {};
    const reached = { worlds, events, perMinute, kills, powerLosses, faults, points: Object.fromEntries(points) };
    console.log(JSON.stringify({ ...reached, first, seed, promise, message }));
    return;
  }
  console.log(
    `${worlds} worlds, ${events} events, ${kills} processes killed (${powerLosses} times the power went), crashes at ${points.size} kinds of steps, ${faults} faults, in ${seconds.toFixed(1)} s: ${perMinute} worlds a minute (${perCore} for each minute of processor time), seeds from ${first}`,
  );
}

async function tell(failed: Result | FleetResult): Promise<void> {
  Error.stackTraceLimit = 20;
  const told = await runOne(failed.seed, true);
  console.log(
    `\nseed ${failed.seed} breaks promise ${failed.failure?.promise}\n  ${withoutFilling(told.failure?.message ?? "")}\n`,
  );
  const lines = count(values.story, 60);
  if (told.story.length > lines) console.log(`${told.story[0]}\n…`);
  for (const line of told.story.slice(-lines)) console.log(line);
  if (told.hash !== failed.hash)
    console.log("\nand the seed did not give the same world again: something is not simulated");
  console.log(
    `\nagain: npm run simulate --${values.rows ? " --rows" : ""}${values.fleet ? " --fleet" : ""} --seed ${failed.seed}`,
  );
}

if (values.mutants || values.mutant !== undefined) {
  process.exitCode = (await runMutants({
    name: values.mutant ?? null,
    fleet: values.fleet,
    seconds: count(values.seconds, Number.POSITIVE_INFINITY),
    secondsEach: count(values["seconds-each"], 90),
    json: values.json,
  }))
    ? 0
    : 1;
} else {
  const first = count(values.seed, 1);
  const seconds = count(values.seconds, Number.POSITIVE_INFINITY);
  const seeds = count(
    values.seeds,
    values.seed !== undefined && values.seconds === undefined ? 1 : seconds === Number.POSITIVE_INFINITY ? 1000 : 1e12,
  );
  const done = await campaign(first, seeds, seconds);
  say(done, first);
  if (done.failed !== null) {
    if (!values.json) await tell(done.failed);
    process.exitCode = 1;
  }
}
