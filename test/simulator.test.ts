/** The simulator itself: worlds hold, a seed is a world, and planted bugs are noticed. */
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runFleet } from "../simulator/fleet/fleet-world.js";
import { mutants } from "../simulator/mutants.js";
import { runWorld } from "../simulator/world.js";

const main = fileURLToPath(new URL("../simulator/main.js", import.meta.url));

/** Some for each of promises 1 to 5 and 7 to 10, quickly caught. */
const planted = [
  "answer-early",
  "forget-what-is-pending-at-start",
  "older-wins",
  "drop-a-tombstone",
  "rows-without-the-position",
  "position-without-what-is-parked",
  "queue-without-a-limit",
  "no-pins",
  "says-drained",
  "pending-is-not-shown",
  "taking-a-column-away-makes-a-row",
  "lease-by-clock-only",
  "fill-without-a-lease",
  "an-unanswered-write-is-sent-again",
];

describe("the simulator", () => {
  it("finds no broken promise in worlds full of faults, and ends processes before, inside and after steps", () => {
    const run = spawnSync(process.execPath, [main, "--seeds", "200", "--json"], { encoding: "utf8" });
    expect(run.status, run.stdout + run.stderr).toBe(0);
    const { points, faults, powerLosses } = JSON.parse(run.stdout) as Record<string, number> & {
      points: Record<string, number>;
    };
    expect(faults).toBeGreaterThan(0);
    expect(powerLosses).toBeGreaterThan(0);
    const steps = ["write", "write with dsync", "sync", "sync folder", "rename", "create", "read", "commit"];
    const moments = ["before", "inside", "after"];
    const missed = steps
      .flatMap((step) => moments.map((moment) => `${step}, ${moment}`))
      .filter((point) => points[point] === undefined && points[`${point}, opening`] === undefined);
    expect(missed).toEqual([]);
    expect(Object.keys(points).filter((point) => point.endsWith("opening")).length).toBeGreaterThan(20);
  });

  it("finds no broken promise in worlds whose records are rows", () => {
    const run = spawnSync(process.execPath, [main, "--rows", "--seeds", "75", "--json"], { encoding: "utf8" });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });

  it("finds no broken promise in fleets", () => {
    const run = spawnSync(process.execPath, [main, "--fleet", "--seeds", "50", "--json"], { encoding: "utf8" });
    expect(run.status, run.stdout + run.stderr).toBe(0);
    const { kills, faults } = JSON.parse(run.stdout) as { kills: number; faults: number };
    expect(kills).toBeGreaterThan(0);
    expect(faults).toBeGreaterThan(0);
  });

  it("makes the same fleet of the same seed, event by event", async () => {
    for (const seed of [2, 20]) {
      const first = await runFleet(seed);
      const again = await runFleet(seed, true);
      expect([again.hash, again.events]).toEqual([first.hash, first.events]);
      expect((await runFleet(seed + 1000)).hash).not.toBe(first.hash);
    }
  });

  it("makes the same world of the same seed, event by event", async () => {
    for (const seed of [3, 11, 42, 77]) {
      const first = await runWorld(seed);
      const again = await runWorld(seed, true);
      expect(again.hash).toBe(first.hash);
      expect(again.events).toBe(first.events);
      expect(again.story.length).toBeGreaterThan(5);
      expect((await runWorld(seed + 1000)).hash).not.toBe(first.hash);
    }
  });

  it("tells what happened and how to repeat it where a promise is broken", () => {
    const run = spawnSync(process.execPath, [main, "--mutant", "drop-a-tombstone", "--json"], { encoding: "utf8" });
    expect(JSON.parse(run.stdout)).toMatchObject([
      { name: "drop-a-tombstone", promise: "4 a past moment", error: null },
    ]);
  });

  it.each(planted)("notices the planted bug %s", (name) => {
    const run = spawnSync(process.execPath, [main, "--mutant", name], { encoding: "utf8" });
    expect(run.stdout).toMatch(/caught at seed/);
    expect(run.status).toBe(0);
  });

  it("has planted bugs of different names, each of which can be planted", () => {
    expect(new Set(mutants.map((mutant) => mutant.name)).size).toBe(mutants.length);
    for (const { name, file, find, replace } of mutants) {
      const text = readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
      expect(text.split(find).length - 1, `${name}: its text in ${file}: ${find}`).toBe(1);
      expect(replace).not.toBe(find);
    }
  });
});
