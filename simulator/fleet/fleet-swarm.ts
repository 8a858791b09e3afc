/** What kind of fleet a seed makes: every seed draws its own mixture, most of them extreme (see ../swarm.ts). */
import { defaultOptions, type EngineOptions } from "../../src/options.js";
import type { ClientOptions } from "../client.js";
import type { DatabaseTemper } from "../database.js";
import type { Dice } from "../host/random.js";
import { renames } from "../swarm.js";

/** How likely each incident is against the others. */
export interface FleetWeights {
  readonly kill: number;
  readonly leave: number;
  readonly join: number;
  readonly stop: number;
  readonly cutFromKeeper: number;
  readonly cutFromDatabase: number;
  readonly slow: number;
  readonly databaseDown: number;
  readonly databaseGoesBack: number;
  readonly keeperDown: number;
  readonly keeperSaves: number;
  readonly keeperGoesBack: number;
  readonly keeperWiped: number;
  readonly keeperFull: number;
  readonly evict: number;
  readonly lose: number;
  readonly clockJumps: number;
  readonly pause: number;
  readonly flush: number;
  readonly retryLetters: number;
}

/** How the road to the keeper is. */
export interface KeeperTemper {
  latencyMs: number;
  /** Nothing was done. */
  failsBefore: number;
  /** It was done, and nobody hears of it. */
  failsAfter: number;
  /** One that is a few steps behind takes its place: they were done and heard of, and are lost. */
  failsOver: number;
}

/** A kind of fleet. */
export interface FleetOptions extends ClientOptions {
  readonly engine: EngineOptions;
  readonly partitions: number;
  readonly fronts: number;
  readonly workers: number;
  /** Share of the fronts that run a worker beside. */
  readonly both: number;
  readonly operations: number;
  readonly clients: number;
  /** Keys with the same tag: transactions stay among them. */
  readonly tags: number;
  readonly incidentMs: number;
  readonly incidents: FleetWeights;
  /** Steps of keeper and database that are a process' last. */
  readonly crashes: number;
  readonly keeper: KeeperTemper;
  readonly database: Partial<DatabaseTemper>;
}

/** Throws the dice for a fleet. */
export function fleetSwarm(dice: Dice): FleetOptions {
  const fleet = withoutRenames(dice);
  return { ...fleet, steps: [...fleet.steps, renames(fleet)] };
}

function withoutRenames(dice: Dice): FleetOptions {
  const often = (weight: number): number => (dice.chance(0.5) ? weight : 0);
  const ends = dice.pick([0, 0, 0.1]);
  const engine = engineOptions(dice);
  const keepsAll = engine.retainBytes > 500_000 && engine.retainMs > 1_000_000;
  const incidents = weights(often, keepsAll);
  return {
    engine,
    partitions: dice.pick([1, 2, 3, 5]),
    fronts: dice.between(1, 3),
    workers: dice.between(1, 3),
    both: dice.pick([0, 0.5, 1]),
    operations: dice.between(20, 200),
    clients: dice.between(1, 6),
    keys: dice.pick([1, 3, 8, 20]),
    tags: dice.pick([1, 3, 8]),
    thinkMs: dice.pick([0.2, 2, 20]),
    burst: dice.pick([1, 1, 3, 8]),
    valueBytes: dice.pick([4, 40, 400]),
    sameLength: dice.chance(0.3),
    rows: false,
    ends,
    refused: dice.pick([0, 0, 0.02, 0.2]),
    ttlMs: dice.pick([10, 100, 5000]),
    transactions: dice.pick([0, 0.1, 0.5]),
    steps: [5, 5, often(2), often(3), often(4), often(1), ends > 0 ? often(1) : 0, 0],
    incidentMs: dice.pick([5, 20, 100, 1000]),
    incidents,
    crashes: dice.pick([0, 0, 0.002, 0.01]),
    keeper: {
      latencyMs: dice.pick([0.1, 1, 10]),
      failsBefore: dice.chance(0.3) ? 0.05 : 0,
      failsAfter: dice.chance(0.4) ? 0.05 : 0,
      failsOver: incidents.keeperGoesBack > 0 && dice.chance(0.5) ? 0.01 : 0,
    },
    database: {
      latencyMs: dice.pick([0.1, 2, 20]),
      readFails: dice.chance(0.2) ? 0.1 : 0,
      readSlow: dice.chance(0.2) ? 0.1 : 0,
      failsBefore: dice.chance(0.3) ? 0.1 : 0,
      failsAfter: dice.chance(0.4) ? 0.2 : 0,
      comesLate: dice.chance(0.3) ? 0.1 : 0,
    },
  };
}

/** What befalls a fleet, each of it in some worlds only. A keeper that loses something is for the few. */
function weights(often: (weight: number) => number, keepsAll: boolean): FleetWeights {
  const back = often(1);
  return {
    kill: often(2),
    leave: often(1),
    join: often(2),
    stop: often(3),
    cutFromKeeper: often(2),
    cutFromDatabase: often(1),
    slow: often(2),
    databaseDown: often(1),
    databaseGoesBack: keepsAll ? often(0.5) : 0,
    keeperDown: often(1),
    keeperSaves: back * 3,
    keeperGoesBack: back * often(1),
    keeperWiped: back * often(0.05),
    keeperFull: often(0.5),
    evict: often(4),
    lose: often(1),
    clockJumps: often(0.5),
    pause: often(0.5),
    flush: often(1),
    retryLetters: often(0.5),
  };
}

function engineOptions(dice: Dice): EngineOptions {
  return {
    ...defaultOptions(),
    delayMs: dice.pick([0, 1, 10, 100]),
    batchBytes: dice.pick([1, 2000, 100_000]),
    batchRecords: dice.pick([1, 3, 20_000]),
    queueBytes: dice.pick([20_000, 1_000_000_000, 1_000_000_000]),
    queueRecords: dice.pick([10, 2_000_000, 2_000_000]),
    waitMs: dice.pick([0, 50, 1000]),
    retainBytes: dice.pick([0, 5000, 1_000_000]),
    retainMs: dice.pick([0, 100, 3_600_000]),
    retryMinMs: dice.pick([1, 10]),
    retryMaxMs: dice.pick([20, 500]),
    absentMs: dice.pick([0, 5, 60_000]),
    cacheTtlMs: dice.pick([1, 20, 60_000]),
    leaseMs: dice.pick([30, 200, 2000]),
    loadsMax: dice.pick([1, 4, 64]),
    closeMs: dice.pick([0, 50, 5000]),
  };
}
