/**
 * The campaign of failing disk calls (disk-calls.ts), scenario after scenario, whole.
 *
 *   --seconds S    how long (default 60)
 *   --seed N       the first scenario (default 1)
 *   --at K         one run instead: the K-th call of scenario N fails, and its story is told
 *   --lasting      … and every later call
 *   --full         … with ENOSPC instead of EIO
 *
 * Exit code 1 where a promise was broken.
 */
import { parseArgs } from "node:util";
import { runScenario, type FailingCall, type Scenario } from "./disk-calls.js";
import { withoutRealWorld } from "./guard.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    at: { type: "string" },
    lasting: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
  },
});

/** The last lines of a story that are told. */
const storyLines = 60;

function number(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`not a number: ${text}`);
  process.exit(2);
}

async function guarded(seed: number, failing: FailingCall | null, telling: boolean): Promise<Scenario> {
  let scenario: Scenario | null = null;
  const result = await withoutRealWorld(async () => {
    scenario = await runScenario(seed, failing, telling);
    return scenario.result;
  });
  return { ...(scenario as unknown as Scenario), result };
}

async function tell(seed: number, failing: FailingCall | null): Promise<void> {
  Error.stackTraceLimit = 20;
  const { result, failed } = await guarded(seed, failing, true);
  for (const line of result.story.slice(-storyLines)) console.log(line);
  const at =
    failing === null ? "" : ` --at ${failing.at}${failing.lasting ? " --lasting" : ""}${failing.full ? " --full" : ""}`;
  console.log(`\nthe first call that failed: ${failed ?? "none"}`);
  if (result.failure === null) console.log("every promise was kept");
  else console.log(`promise broken: ${result.failure.promise}\n  ${result.failure.message}`);
  console.log(`again: node dist/simulator/disk-faults.js --seed ${seed}${at}`);
  if (result.failure !== null) process.exitCode = 1;
}

async function campaign(first: number, seconds: number): Promise<void> {
  Error.stackTraceLimit = 0;
  const started = performance.now();
  const isLate = (): boolean => (performance.now() - started) / 1000 >= seconds;
  let [scenarios, runs] = [0, 0];
  for (let seed = first; !isLate(); seed++) {
    const plain = await guarded(seed, null, false);
    if (plain.result.failure !== null) return tell(seed, null);
    for (let at = 1; at <= plain.calls.length && !isLate(); at++) {
      for (const lasting of [false, true]) {
        for (const full of [false, true]) {
          runs++;
          const failing = { at, lasting, full };
          if ((await guarded(seed, failing, false)).result.failure !== null) return tell(seed, failing);
        }
      }
    }
    if (!isLate()) scenarios++;
  }
  console.log(`${runs} runs with failing disk calls, ${scenarios} scenarios whole, seeds from ${first}`);
}

const seed = number(values.seed);
if (values.at === undefined) await campaign(seed, number(values.seconds));
else await tell(seed, { at: number(values.at), lasting: values.lasting, full: values.full });
