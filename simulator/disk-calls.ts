/**
 * Every call to the disk fails, one at a time. A scenario is a small world in which everything happens that touches the
 * disk: a first start, writes, segments that turn and are trimmed, pauses, kills, lost power, recovery, a clean end. It
 * is run once to count the calls of its faulty part, and then again for each of them with that call failing: once, or
 * that one and every later one until the disk is mended. The checkers of all worlds say whether a promise was broken.
 */
import { DiskError } from "../src/host/host.js";
import { defaultOptions } from "../src/options.js";
import type { Dice } from "./host/random.js";
import { swarm, type WorldOptions } from "./swarm.js";
import { runWorld, type Result } from "./world.js";

/** Which calls fail: the k-th, counted from 1, or from the k-th on. */
export interface FailingCall {
  readonly at: number;
  readonly lasting: boolean;
  /** EIO, or ENOSPC. */
  readonly full: boolean;
}

/** What became of a scenario. */
export interface Scenario {
  readonly result: Result;
  /** The calls of its faulty part, in words. */
  readonly calls: readonly string[];
  /** The first call that failed, in words. */
  readonly failed: string | null;
}

/** How long the faults go on at the most, in milliseconds of virtual time. */
const faultsMs = 1500;

/** Runs the scenario of a seed; with null nothing fails. */
export async function runScenario(seed: number, failing: FailingCall | null, telling = false): Promise<Scenario> {
  const calls: string[] = [];
  let failed: string | null = null;
  const result = await runWorld(seed, telling, {
    options: scenario,
    faultsMs,
    faultOf: (call, path) => {
      const number = calls.push(`${call} ${path}`);
      if (failing === null || number < failing.at || (number > failing.at && !failing.lasting)) return null;
      failed ??= `${call} ${path}`;
      const [kind, code] = failing.full ? (["full", "ENOSPC"] as const) : (["failed", "EIO"] as const);
      return new DiskError(kind, code, `${call} of ${path}: ${code}, call ${number}`);
    },
  });
  return { result, calls, failed };
}

/** A small world with every call to the disk in it. Only the disk fails, by plan. */
function scenario(dice: Dice): WorldOptions {
  const wild = swarm(dice);
  return {
    ...wild,
    engine: {
      ...wild.engine,
      queueBytes: defaultOptions().queueBytes,
      retainBytes: dice.pick([0, wild.engine.segmentBytes]),
      delayMs: dice.pick([0, 10]),
      closeMs: 5000,
      ownerWaitMs: 100,
    },
    operations: 60,
    clients: 3,
    keys: 5,
    thinkMs: 5,
    burst: 3,
    valueBytes: 400,
    refused: 0,
    transactions: 0.1,
    incidentMs: 20,
    incidents: {
      kill: 1,
      losePower: 1,
      close: 1,
      newcomer: 0,
      databaseDown: 1,
      databaseGoesBack: 0,
      clockJumps: 0,
      diskFull: 0,
      pause: 4,
      flush: 1,
      look: 1,
      rival: 0,
      retryLetters: 0,
      discardLetters: 0,
    },
    crashes: { atStep: 0, whileOpening: 0, power: 0 },
    rots: false,
    givesUpBehind: false,
    disk: { latencyMs: dice.pick([0.05, 0.5]), writeBack: dice.pick([0, 0.1]) },
    database: { latencyMs: dice.pick([0.1, 2]) },
  };
}
