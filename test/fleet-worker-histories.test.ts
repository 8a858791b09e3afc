/** A Redis that goes back while a worker reads its log: nothing of two histories is ever mixed. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { WorkerOptions } from "../src/redis/worker/report.js";
import { StoreError } from "../src/store/store.js";
import type { KeeperVerb } from "../simulator/redis/memory-keeper.js";
import { FleetWorld, type TestWorker } from "./fleet-kit.js";
import { put } from "./writer-world.js";

/** Some of the log travels at once: of values of this length two frames. */
const long = (text: string): string => text.padEnd(200_000, ".");

/** One partition and its worker. */
async function begin(options: Partial<WorkerOptions> = {}): Promise<[FleetWorld, TestWorker]> {
  const world = new FleetWorld(1);
  const one = await world.start(options);
  await world.until(() => world.owns([one, 1]));
  return [world, one];
}

/** The database refuses a record, and then this verb waits. */
function waitsWhenRefused(world: FleetWorld, one: TestWorker, refused: string, verb: KeeperVerb): void {
  one.gated = new Set([verb]);
  world.refuse = ({ rows }) => {
    if (!rows.has(refused as Bytes)) return;
    one.toKeeper.shut();
    throw new StoreError("refused", "no such thing");
  };
}

test("a refused frame whose place another one has taken is not parked in its stead", async () => {
  const [world, one] = await begin();
  const older = world.state.snapshot();
  waitsWhenRefused(world, one, "a", "frames");
  await world.write(put("a", "1"));
  await world.until(() => one.toKeeper.waiting > 0);
  world.state.restore(older);
  await world.write(put("b", "2"));
  one.toKeeper.open();
  await world.until(() => world.stored);
  expect(world.value("b")).toBe("2");
  expect(world.database.parked(0)).toEqual([]);
});

test("where the frame is refused whose log has gone back to before the database, that is said", async () => {
  const [world, one] = await begin();
  const older = world.state.snapshot();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  waitsWhenRefused(world, one, "b", "positionAt");
  await world.write(put("b", "1"));
  await world.until(() => one.toKeeper.waiting > 0);
  world.state.restore(older);
  for (const name of ["c", "d"]) await world.write(put(name, "2"));
  one.toKeeper.open();
  await world.until(() => world.state.partitions[0]?.broken !== null);
  expect(world.state.partitions[0]?.broken).toContain("has forked");
  expect(world.database.parked(0)).toEqual([]);
});

test("a run is of one history, also where it is read in pieces", async () => {
  const [world, one] = await begin({ delayMs: 0 });
  one.gated = new Set(["frames"]);
  one.toKeeper.shut();
  await world.write(put("a", long("1")));
  const older = world.state.snapshot();
  for (const name of ["b", "c", "d"]) await world.write(put(name, long("first")));
  one.fault = (verb, when) => {
    if (verb === "frames" && when === "after") one.toKeeper.shut();
  };
  one.toKeeper.open();
  await world.until(() => one.verbs.includes("frames") && one.toKeeper.waiting > 0);
  one.fault = () => {};
  world.state.restore(older);
  for (const name of ["b", "c", "d"]) await world.write(put(name, long("second")));
  one.toKeeper.open();
  await world.until(() => world.stored);
  expect(["b", "c", "d"].map((name) => world.value(name))).toEqual(Array(3).fill(long("second")));
});

test("frames of another history than the one that the database is of are not written", async () => {
  const [world, one] = await begin({ delayMs: 0 });
  const older = world.state.snapshot();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  one.gated = new Set(["frames"]);
  one.toKeeper.shut();
  await world.write(put("b", "first"));
  await world.until(() => one.toKeeper.waiting > 0);
  world.state.restore(older);
  for (const name of ["a", "b"]) await world.write(put(name, "second"));
  one.toKeeper.open();
  await world.until(() => world.state.partitions[0]?.broken !== null);
  expect(world.state.partitions[0]?.broken).toContain("has forked");
  expect([world.value("a"), world.value("b")]).toEqual(["1", null]);
});

test("what was read ahead of a history that is no more is not written", async () => {
  const [world, one] = await begin({ delayMs: 0, batchRecords: 1 });
  one.toStore.shut();
  await world.write(put("a", "1"));
  const older = world.state.snapshot();
  for (const name of ["b", "c", "d"]) await world.write(put(name, "lost"));
  await world.until(() => one.toStore.waiting > 0 && one.verbs.filter((verb) => verb === "frames").length > 1);
  world.state.restore(older);
  one.toStore.open();
  await world.until(() => world.stored);
  for (const name of ["x", "y", "z"]) await world.write(put(name, "2"));
  await world.until(() => world.stored || world.state.partitions[0]?.broken !== null);
  expect(world.state.partitions[0]?.broken).toBe(null);
  expect(["a", "b", "x", "y", "z"].map((name) => world.value(name))).toEqual(["1", null, "2", "2", "2"]);
});

test("what a database that is down was to write of a history that is no more is not written", async () => {
  const [world, one] = await begin({ delayMs: 0 });
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  const older = world.state.snapshot();
  let tries = 0;
  world.refuse = ({ rows }) => {
    if (!rows.has("b" as Bytes)) return;
    tries++;
    throw new StoreError("retryable", "not now");
  };
  await world.write(put("b", "lost"));
  await world.until(() => tries > 1);
  world.state.restore(older);
  for (const name of ["x", "y"]) await world.write(put(name, "2"));
  world.refuse = () => {};
  await world.until(() => world.stored || world.state.partitions[0]?.broken !== null);
  expect(world.state.partitions[0]?.broken).toBe(null);
  expect(["a", "b", "x", "y"].map((name) => world.value(name))).toEqual(["1", null, "2", "2"]);
  expect(one.opens).toBeGreaterThan(1);
});
