/**
 * A fleet in which everything goes wrong that may: workers come, leave, die, are cut off from keeper and database and
 * come back, answers are lost. Then calm: the database must be what was written, and nothing was written twice.
 */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { WriteBehindError } from "../src/errors.js";
import { StoreError } from "../src/store/store.js";
import { partitionOf } from "../src/redis/partition.js";
import { FleetWorld, type TestWorker } from "./fleet-kit.js";
import { put } from "./writer-world.js";

const partitions = 5;

/** What may go wrong between a worker and the keeper, so often. */
function faulty(world: FleetWorld, probability: number): TestWorker["fault"] {
  return (verb, when) => {
    if (world.dice.number() >= probability) return;
    // What only reads or says that somebody lives may be lost on both ways, as may the rest.
    throw new WriteBehindError(when === "before" ? "CACHE_DOWN" : "UNKNOWN", `${verb} is lost`);
  };
}

async function trouble(world: FleetWorld, workers: TestWorker[]): Promise<void> {
  const { dice } = world;
  const living = workers.filter((each) => each.living());
  const one = living[dice.below(Math.max(1, living.length))];
  const what = dice.below(9);
  if (one === undefined || (what === 0 && living.length < 4)) {
    const made = await world.start();
    made.fault = faulty(world, 0.02);
    workers.push(made);
  } else if (what === 1) one.kill();
  else if (what === 2) void one.worker.stop(2000).then(() => one.kill());
  else if (what === 3) one.toKeeper.shut();
  else if (what === 4) one.toStore.shut();
  else if (what <= 6) {
    one.toKeeper.open();
    one.toStore.open();
  }
}

/** A whole run of this seed. */
async function run(seed: number): Promise<void> {
  const world = new FleetWorld(partitions, seed);
  const { dice } = world;
  const workers: TestWorker[] = [];
  const newest = new Map<string, string>();
  world.refuse = () => {
    if (dice.number() < 0.05) throw new StoreError("retryable", "locked", undefined, { blamesBatch: true });
  };
  for (let step = 0; step < 60; step++) {
    const changes = Array.from({ length: dice.below(8) }, () => `k${dice.below(30)}`);
    for (const key of new Set(changes)) newest.set(key, `${step}`);
    await world.write(...[...new Set(changes)].map((key) => put(key, `${step}`)));
    if (dice.below(3) === 0) await trouble(world, workers);
    await world.advance(dice.below(1500));
    honest(world, newest);
  }
  world.refuse = () => {};
  for (const each of workers) {
    each.fault = () => {};
    each.toKeeper.open();
    each.toStore.open();
  }
  const last = await world.start();
  await world.until(() => world.stored, 120_000);
  expect(new Map([...newest.keys()].map((key) => [key, world.value(key)]))).toEqual(newest);
  for (let partition = 0; partition < partitions; partition++) once(world, partition);
  // Every partition is owned by a living worker, and the shares are balanced.
  await world.until(() => {
    const living = [...workers, last].filter((each) => each.living());
    const counts = living.map(({ worker }) => world.owners.filter((owner) => owner === worker.id).length);
    return counts.reduce((sum, count) => sum + count) === partitions && Math.max(...counts) - Math.min(...counts) <= 1;
  }, 60_000);
  const states = await world.states();
  expect(states.map(({ pendingBytes, pendingRecords }) => pendingBytes + pendingRecords)).toEqual(
    Array(partitions).fill(0),
  );
}

/** The keeper knows of nothing that the database has not, and what the database has not is pending. */
function honest(world: FleetWorld, newest: ReadonlyMap<string, string>): void {
  for (const [partition, { stored, log }] of world.state.partitions.entries()) {
    expect(stored).toBeLessThanOrEqual(world.database.position(partition)?.sequence ?? 0);
    if (stored > 0) expect(log[0]?.last).toBeLessThanOrEqual(stored);
  }
  for (const [key, value] of newest) {
    const { pending } = world.state.partitions[partitionOf(key as Bytes, partitions)] as {
      pending: Map<Bytes, unknown>;
    };
    if (world.value(key) !== value) expect([key, pending.has(key as Bytes)]).toEqual([key, true]);
  }
}

/** The commits of a partition follow one another, each from where the one before has ended. */
function once(world: FleetWorld, partition: number): void {
  let at = 0;
  for (const batch of world.batches.filter((each) => each.partition === partition)) {
    expect(batch.expected?.sequence ?? 0).toBe(at);
    for (const record of batch.rows.keys()) expect(partitionOf(record, partitions)).toBe(partition);
    at = batch.to.sequence;
  }
  expect(at).toBe(world.state.partitions[partition]?.sequence);
}

test("after any trouble the database is what was written, once and in order, and the shares are balanced", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    try {
      await run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});
