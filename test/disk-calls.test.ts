/** Calls to the disk that fail, one at a time: a sample of what `simulator/disk-faults.ts` does whole. */
import { expect, test } from "vitest";
import { runScenario } from "../simulator/disk-calls.js";
import { Dice } from "../simulator/host/random.js";

const seeds = 25;
const runsEach = 20;

test(`${seeds} scenarios, ${runsEach} failing calls in each: no promise is broken`, async () => {
  const failed = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) {
    const { result, calls } = await runScenario(seed, null);
    expect(result.failure, `scenario ${seed}`).toBeNull();
    const dice = new Dice(seed);
    const kinds = [...new Set(calls.map((call) => kindOf(call)))];
    for (let run = 0; run < runsEach; run++) {
      // The rare kinds first, then of every kind as many: writes and reads of segments are most of all calls.
      const kind = kinds.find((one) => !failed.has(one)) ?? dice.pick(kinds);
      const numbers = calls.flatMap((call, index) => (kindOf(call) === kind ? [index + 1] : []));
      const failing = { at: dice.pick(numbers), lasting: dice.chance(0.3), full: dice.chance(0.3) };
      const scenario = await runScenario(seed, failing);
      const again = `node dist/simulator/disk-faults.js --seed ${seed} --at ${failing.at}`;
      expect(scenario.result.failure, `${again} ${JSON.stringify(failing)}`).toBeNull();
      // The scenario is the same up to the call that fails.
      expect(kindOf(scenario.failed as string)).toBe(kind);
      failed.add(kind);
    }
  }
  for (const call of [
    "mkdir",
    "list",
    "own",
    "free",
    "create",
    "open",
    "read",
    "write",
    "sync",
    "close",
    "rename",
    "remove",
  ]) {
    expect(
      [...failed].some((kind) => kind.startsWith(`${call} `)),
      `a failed ${call}`,
    ).toBe(true);
  }
  for (const kind of ["create paused", "remove paused", "write spare", "write segment", "sync folder journal"]) {
    expect(failed).toContain(kind);
  }
});

/** A call and what it was about, without numbers. */
function kindOf(call: string): string {
  const space = call.lastIndexOf(" ");
  const name = call.slice(Math.max(space, call.lastIndexOf("/")) + 1);
  const what = name.endsWith(".journal") ? "segment" : name.replace(/^(making|spare)-.*$/, "spare");
  return `${call.slice(0, space)} ${what}`;
}
