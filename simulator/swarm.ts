/**
 * What kind of world a seed makes. Every seed draws its own mixture (swarm testing: a fault that is always on hides the
 * bugs that need it to be off), most of them extreme: tiny segments, tiny caches, a database that is mostly away.
 */
import { defaultOptions, type EngineOptions } from "../src/options.js";
import type { Durability } from "../src/queue/queue.js";
import type { CrashTemper } from "./crash-points.js";
import type { DatabaseTemper } from "./database.js";
import type { DiskTemper } from "./host/disk.js";
import type { Dice } from "./host/random.js";

/** How likely each incident is against the others. */
export interface IncidentWeights {
  readonly kill: number;
  readonly losePower: number;
  readonly close: number;
  readonly newcomer: number;
  readonly databaseDown: number;
  readonly databaseGoesBack: number;
  readonly clockJumps: number;
  readonly diskFull: number;
  readonly pause: number;
  readonly flush: number;
  readonly look: number;
  readonly rival: number;
  readonly retryLetters: number;
  readonly discardLetters: number;
}

/** How likely each kind of step is against the others, in the order of `stepKinds`. */
export const stepKinds = [
  "get",
  "set",
  "delete",
  "increment",
  "hashSet",
  "hashUnset",
  "expire",
  "clear",
  "rename",
] as const;

/** A kind of world. */
export interface WorldOptions {
  readonly engine: EngineOptions;
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Clients think up to this long between bursts. */
  readonly thinkMs: number;
  /** Operations that a client sends before it looks at replies. */
  readonly burst: number;
  readonly valueBytes: number;
  /** All values are equally long, so that old frames of the journal fit between new ones. */
  readonly sameLength: boolean;
  /** Every record is a row of a mapped table (rows.ts). */
  readonly rows: boolean;
  /** Records that end: never, now and then, as long as this. */
  readonly ends: number;
  /** Share of values that the database refuses. */
  readonly refused: number;
  readonly ttlMs: number;
  /** Share of operations with several steps. */
  readonly transactions: number;
  readonly steps: readonly number[];
  /** Mean time between incidents. */
  readonly incidentMs: number;
  readonly incidents: IncidentWeights;
  /** Crashes at steps of disk and database, and whether they take the power away, or only the process. */
  readonly crashes: CrashTemper & { readonly power: number };
  /** A file of the journal is damaged at the end. */
  readonly rots: boolean;
  /** Who discards dead letters gives up what waits behind them as well. */
  readonly givesUpBehind: boolean;
  readonly disk: Partial<DiskTemper>;
  readonly database: Partial<DatabaseTemper>;
}

/**
 * How likely a rename is among the steps. Only in some worlds: what was renamed is beyond the search for an order of
 * replies, which looks at one record at a time. It throws no dice: the other worlds are what their seeds always made.
 */
export function renames({ transactions, burst }: Pick<WorldOptions, "transactions" | "burst">): number {
  return transactions === 0.5 && burst > 1 ? 1 : 0;
}

/** Throws the dice for a world. */
export function swarm(dice: Dice): WorldOptions {
  const world = withoutRenames(dice);
  return { ...world, steps: [...world.steps, renames(world)] };
}

function withoutRenames(dice: Dice): WorldOptions {
  const often = (weight: number): number => (dice.chance(0.5) ? weight : 0);
  const engine = engineOptions(dice);
  const ends = dice.pick([0, 0.1]);
  const valueBytes = dice.pick([4, 40, 400, 3000]);
  // Only what the queue has kept can heal a database that went back, and a full disk makes it give that up.
  const fills = dice.chance(0.2);
  const keepsAll = !fills && engine.retainBytes > 500_000 && engine.retainMs > 1_000_000 && valueBytes <= 400;
  // The model has one history: a database that goes back behind a discard, or sweeps meanwhile, would need another.
  const discards = ends === 0 && !keepsAll && dice.chance(0.5);
  return {
    engine,
    operations: dice.between(20, 300),
    clients: dice.between(1, 6),
    keys: dice.pick([1, 3, 8, 30]),
    thinkMs: dice.pick([0.2, 2, 20]),
    burst: dice.pick([1, 1, 3, 8]),
    valueBytes,
    sameLength: dice.chance(0.3),
    rows: false,
    ends,
    refused: dice.pick(discards ? [0.02, 0.2] : [0, 0, 0.02, 0.2]),
    ttlMs: dice.pick([10, 100, 5000]),
    transactions: dice.pick([0, 0.1, 0.5]),
    steps: steps(dice, often, ends > 0, discards ? 0.5 : 0.15),
    incidentMs: dice.pick([5, 20, 100, 100_000]),
    incidents: { ...incidentWeights(often, fills, keepsAll), discardLetters: discards ? 3 : 0 },
    crashes: {
      atStep: dice.pick([0, 0.003, 0.02]),
      whileOpening: dice.pick([0, 0, 0.003, 0.02]),
      power: dice.pick([0, 0.5, 1]),
    },
    rots: dice.chance(0.1),
    givesUpBehind: dice.chance(0.3),
    disk: diskTemper(dice),
    database: databaseTemper(dice),
  };
}

/** In some worlds hardly anything but hashes: merges on merges, whose base the database has or the journal. */
function steps(dice: Dice, often: (weight: number) => number, ends: boolean, share: number): readonly number[] {
  const hashes = dice.chance(share);
  const clear = dice.chance(0.1) ? 0.2 : 0;
  if (hashes) return [5, 0.3, 0.3, 0, 10, often(2), ends ? often(1) : 0, clear];
  return [5, 5, often(2), often(3), often(3), often(1), ends ? often(1) : 0, clear];
}

function diskTemper(dice: Dice): Partial<DiskTemper> {
  return {
    latencyMs: dice.pick([0.05, 0.5, 5]),
    writeBack: dice.pick([0, 0, 0.1]),
    writeFails: dice.chance(0.1) ? 0.003 : 0,
    syncFails: dice.chance(0.1) ? 0.003 : 0,
    callFails: dice.chance(0.1) ? 0.003 : 0,
  };
}

function databaseTemper(dice: Dice): Partial<DatabaseTemper> {
  return {
    latencyMs: dice.pick([0.1, 2, 20]),
    readFails: dice.chance(0.3) ? 0.1 : 0,
    readSlow: dice.chance(0.2) ? 0.1 : 0,
    failsBefore: dice.chance(0.4) ? 0.2 : 0,
    failsAfter: dice.chance(0.4) ? 0.2 : 0,
    comesLate: dice.chance(0.3) ? 0.2 : 0,
  };
}

/** What befalls a world, each of it in some worlds only. */
function incidentWeights(
  often: (weight: number) => number,
  fills: boolean,
  keepsAll: boolean,
): Omit<IncidentWeights, "discardLetters"> {
  return {
    kill: often(3),
    losePower: often(3),
    close: often(1),
    newcomer: often(0.5),
    databaseDown: often(2),
    databaseGoesBack: keepsAll ? often(1) : 0,
    clockJumps: often(1),
    diskFull: fills ? 1 : 0,
    pause: often(1),
    flush: often(1),
    look: often(2),
    rival: often(0.3),
    retryLetters: often(0.5),
  };
}

const durabilities: readonly Durability[] = ["disk", "disk", "os", "memory"];

/** Limits far below what people may set: what happens once a day in a data centre happens in every world. */
function engineOptions(dice: Dice): EngineOptions {
  // Room for frames beside the header of 4096 bytes: very little to some.
  const segmentBytes = 4096 + dice.pick([1024, 4096, 16_384]);
  return {
    ...defaultOptions(),
    data: "data",
    durability: dice.pick(durabilities),
    delayMs: dice.pick([0, 1, 10, 100]),
    batchBytes: dice.pick([1, 2000, 100_000]),
    batchRecords: dice.pick([1, 3, 20_000]),
    cacheBytes: dice.pick([1, 2000, 20_000, 1_000_000]),
    queueBytes: dice.pick([5000, 1_000_000_000, 1_000_000_000, 1_000_000_000]),
    queueRecords: dice.pick([2, 10, 2_000_000, 2_000_000]),
    waitMs: dice.pick([0, 50, 1000]),
    segmentBytes,
    retainBytes: dice.pick([0, segmentBytes, 1_000_000]),
    retainMs: dice.pick([0, 100, 3_600_000]),
    diskReserve: 0,
    ownerWaitMs: dice.pick([0, 100, 10_000]),
    retryMinMs: dice.pick([1, 10]),
    retryMaxMs: dice.pick([20, 500]),
    absentMs: dice.pick([0, 5, 60_000]),
    loadsMax: dice.pick([1, 4, 64]),
    closeMs: dice.pick([0, 50, 5000]),
  };
}
