/** Calls to the disk that fail, one at a time: a sample of what `simulator/disk-faults.ts` does whole. */
import { expect, test } from "vitest";
import { runScenario } from "../simulator/disk-calls.js";
import { Dice } from "../simulator/host/random.js";

const seeds = 60;
const runsEach = 20;

test(`${seeds} scenarios, ${runsEach} failing calls in each: no promise is broken`, async () => {
  const failed = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) {
    const plain = await runScenario(seed, null);
    expect(plain.result.failure, `scenario ${seed}`).toBeNull();
    const dice = new Dice(seed);
    for (let run = 0; run < runsEach; run++) {
      const failing = { at: dice.between(1, plain.calls), lasting: dice.chance(0.3), full: dice.chance(0.3) };
      const scenario = await runScenario(seed, failing);
      const again = `node dist/simulator/disk-faults.js --seed ${seed} --at ${failing.at}`;
      expect(scenario.result.failure, `${again} ${JSON.stringify(failing)}`).toBeNull();
      // A call that does not fail any more would make this test say nothing.
      expect(scenario.failed).not.toBeNull();
      failed.add(kindOf(scenario.failed as string));
    }
  }
  for (const call of ["mkdir", "list", "own", "free", "open", "read", "write", "sync", "close", "rename", "remove"]) {
    expect(
      [...failed].some((kind) => kind.startsWith(`${call} `)),
      `a failed ${call}`,
    ).toBe(true);
  }
  for (const kind of ["open paused", "write spare", "write segment", "sync folder journal"]) {
    expect(failed).toContain(kind);
  }
});

/** A call and what it was about, without numbers. */
function kindOf(failed: string): string {
  const space = failed.lastIndexOf(" ");
  const name = failed.slice(failed.lastIndexOf("/") + 1);
  const what = name.endsWith(".journal") ? "segment" : name.replace(/^(making|spare)-.*$/, "spare").replace(/^.* /, "");
  return `${failed.slice(0, space)} ${what}`;
}
