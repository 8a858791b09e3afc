/** Workers of a fleet: they share the partitions, drain, hand over, and nothing is written twice or out of order. */
import { describe, expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { WriteBehindError } from "../src/errors.js";
import { StoreError } from "../src/store/store.js";
import { parkedOfBytes } from "../src/redis/parked-change.js";
import { partitionOf } from "../src/redis/partition.js";
import type { KeeperSnapshot } from "../simulator/redis/keeper-state.js";
import { FleetWorld } from "./fleet-kit.js";
import { put } from "./writer-world.js";

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `key:${index}`);

/** A record of this partition. */
function recordIn(partition: number, partitions: number, name = "r"): string {
  const found = keys(1000)
    .map((key) => `${name}:${key}`)
    .find((key) => partitionOf(key as Bytes, partitions) === partition);
  return found as string;
}

test("a worker takes every partition and drains them all", async () => {
  const world = new FleetWorld();
  await world.write(...keys(100).map((key) => put(key, `${key}=1`)));
  const one = await world.start();
  await world.until(() => world.owns([one, 8]) && world.stored);
  expect(keys(100).map((key) => world.value(key))).toEqual(keys(100).map((key) => `${key}=1`));
  await world.write(put("key:1", "later"));
  await world.until(() => world.stored);
  expect(world.value("key:1")).toBe("later");
  const { totals, store, partitions } = one.worker.report();
  expect(totals).toMatchObject({ rows: 101, retries: 0 });
  expect(store).toMatchObject({ kind: "memory", state: "up" });
  expect(partitions.every(({ state, error }) => state === "running" && error === null)).toBe(true);
});

test("two workers have four partitions each; when one leaves at once the other has all", async () => {
  const world = new FleetWorld();
  const one = await world.start();
  await world.until(() => world.owns([one, 8]));
  const two = await world.start();
  await world.until(() => world.owns([one, 4], [two, 4]));
  await world.write(...keys(100).map((key) => put(key, "1")));
  await world.until(() => world.stored);
  const before = world.loop.nowMs;
  await world.over(two.worker.stop(10_000));
  await world.until(() => world.owns([one, 8]));
  expect(world.loop.nowMs - before).toBeLessThan(100);
  expect(two.worker.report().totals.rows + one.worker.report().totals.rows).toBe(100);
});

test("what a dead worker owned is taken over within two leases, in order, and once", async () => {
  const world = new FleetWorld();
  const [one, two] = [await world.start(), await world.start()];
  await world.until(() => world.owns([one, 4], [two, 4]));
  for (let round = 0; round < 5; round++) {
    await world.write(...keys(50).map((key) => put(key, `${round}`)));
    await world.advance(30);
  }
  two.kill();
  const before = world.loop.nowMs;
  await world.until(() => world.owns([one, 8]));
  expect(world.loop.nowMs - before).toBeLessThan(2 * 5000);
  await world.until(() => world.stored);
  expect(keys(50).map((key) => world.value(key))).toEqual(keys(50).map(() => "4"));
  for (let each = 0; each < 8; each++) {
    const batches = world.batches.filter(({ rows, partition }) => rows.size > 0 && partition === each);
    const sequences = batches.map(({ to }) => to.sequence);
    expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
  }
});

test("a worker that was stopped longer than its lease and goes on writes nothing", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  await world.write(put("k", "old"));
  one.toStore.shut();
  await world.until(() => one.toStore.waiting === 1);
  one.toKeeper.shut();
  const two = await world.start();
  await world.until(() => two.worker.report().partitions.length === 1 && world.stored);
  await world.write(put("k", "new"));
  await world.until(() => world.value("k") === "new" && world.stored);
  const [taken, { opens }] = [world.batches.length, one];
  one.toStore.open();
  await world.advance(60_000);
  // It claims the row again only after it has asked whether the partition is its own still.
  expect(one.opens).toBe(opens);
  one.toKeeper.open();
  await world.until(() => one.worker.report().partitions.length === 0);
  await world.advance(60_000);
  expect(world.value("k")).toBe("new");
  expect(world.batches.slice(taken).filter(({ rows }) => rows.size > 0)).toEqual([]);
});

test("what was committed and not settled by who died is settled by who comes after", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  one.gated = new Set(["settle", "stored"]);
  one.toKeeper.shut();
  await world.write(...keys(20).map((key) => put(key, "1")));
  await world.until(() => world.database.position()?.sequence === 1);
  one.kill();
  expect(world.state.partitions[0]).toMatchObject({ stored: 0 });
  expect(world.state.partitions[0]?.pending.size).toBe(20);
  await world.start();
  await world.until(() => world.stored);
  expect(world.batches.filter(({ rows }) => rows.size > 0)).toHaveLength(1);
  expect((await world.states())[0]).toMatchObject({ pendingBytes: 0, pendingRecords: 0, oldestAt: null });
});

test("what is parked is seen by those who read, and goes when it is stored", async () => {
  const world = new FleetWorld(2);
  let heals = false;
  world.refuse = ({ rows, partition }) => {
    if (!heals && partition === 1 && rows.has(recordIn(1, 2) as Bytes))
      throw new StoreError("refused", "no such thing");
  };
  await world.start();
  const [bad, good] = [recordIn(1, 2), recordIn(0, 2)];
  await world.write(put(bad, "bad"), put(good, "good"));
  await world.until(() => world.stored);
  await world.write(put(bad, "behind"));
  await world.until(() => world.stored);
  const [, partition] = world.state.partitions;
  const parked = parkedOfBytes(partition?.parked.get(bad as Bytes) as Bytes);
  expect(parked).toMatchObject({ letter: "1", change: { kind: "replace", content: "behind" } });
  expect(partition).toMatchObject({ letters: 1, waitingBehind: 1 });
  expect(await world.front.parkedBetween(1, 1, 2)).toEqual(
    new Map([
      [1, "1"],
      [2, "1"],
    ]),
  );
  expect(world.value(good)).toBe("good");
  heals = true;
  await world.until(() => partition?.parked.size === 0);
  expect(world.value(bad)).toBe("behind");
  expect(partition).toMatchObject({ letters: 0, waitingBehind: 0 });
});

test("who takes over a partition tells what is parked there", async () => {
  const world = new FleetWorld(1);
  world.refuse = ({ rows }) => {
    if (rows.size > 0) throw new StoreError("refused", "never");
  };
  const one = await world.start();
  await world.write(put("k", "v"));
  await world.until(() => world.state.partitions[0]?.letters === 1);
  world.state.partitions[0]?.parked.clear();
  await world.over(one.worker.stop(1000));
  await world.start();
  await world.until(() => world.state.partitions[0]?.parked.size === 1);
});

test("a refusal for a row that another partition is to write waits for that partition", async () => {
  const world = new FleetWorld(2);
  const [child, parent] = [recordIn(0, 2), recordIn(1, 2)];
  world.refuse = ({ rows }) => {
    if (rows.has(child as Bytes) && world.value(parent) === null)
      throw new StoreError("refused", "no such row", undefined, { missesRow: true });
  };
  const one = await world.start({ delayMs: 1000 });
  await world.until(() => world.owns([one, 2]));
  await world.write(put(child, "child"));
  await world.advance(900);
  await world.write(put(parent, "parent"));
  await world.until(() => world.stored);
  expect([world.value(child), world.value(parent)]).toEqual(["child", "parent"]);
  expect(world.state.partitions.map(({ letters, parkedFrames }) => [letters, parkedFrames.size])).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test("where the other partitions stand still, such a refusal is a dead letter after 5 s", async () => {
  const world = new FleetWorld(2);
  const child = recordIn(0, 2);
  world.refuse = ({ rows, partition }) => {
    if (rows.has(child as Bytes)) throw new StoreError("refused", "no", undefined, { missesRow: true });
    if (partition === 1 && rows.size > 0) throw new StoreError("retryable", "locked");
  };
  const one = await world.start();
  await world.until(() => world.owns([one, 2]));
  await world.write(put(child, "child"), put(recordIn(1, 2), "x"));
  const before = world.loop.nowMs;
  await world.until(() => world.state.partitions[0]?.letters === 1);
  expect(world.loop.nowMs - before).toBeGreaterThan(5000);
  expect(world.loop.nowMs - before).toBeLessThan(7000);
});

test("a fleet that is paused writes nothing, and goes on when it is resumed", async () => {
  const world = new FleetWorld(2);
  const one = await world.start();
  await world.until(() => world.owns([one, 2]));
  world.state.paused = true;
  await world.until(() => one.worker.report().partitions.every(({ state }) => state === "paused"));
  await world.write(put("k", "v"));
  await world.advance(20_000);
  expect(world.value("k")).toBe(null);
  world.state.paused = false;
  await world.until(() => world.value("k") === "v");
});

test("a keeper that cannot be reached for a while loses nothing of what was committed meanwhile", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  one.gated = new Set(["settle", "stored"]);
  one.toKeeper.shut();
  await world.write(put("k", "v"));
  await world.until(() => world.value("k") === "v");
  await world.advance(2000);
  expect(world.state.partitions[0]?.stored).toBe(0);
  one.toKeeper.open();
  await world.until(() => world.stored);
  expect(world.value("k")).toBe("v");
});

test("a database that went back is healed from the log, and status says where it is", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  const { rows } = { rows: new Map(world.database.rows()) };
  const position = world.database.position();
  await world.write(put("b", "2"));
  await world.write(put("a", "3"));
  await world.until(() => world.stored);
  await world.over(one.worker.stop(1000));
  // A restored backup: the rows and the position of then.
  const logId = position?.logId as string;
  await world.database.open({ logId, partition: 0, adopt: position as NonNullable<typeof position> });
  (world.database.rows() as Map<Bytes, unknown>).clear();
  for (const [record, value] of rows) (world.database.rows() as Map<Bytes, unknown>).set(record, value);
  const two = await world.start();
  await world.until(() => world.owns([two, 1]) && world.stored);
  expect([world.value("a"), world.value("b")]).toEqual(["3", "2"]);
});

test("what is parked is seen by readers all the time while a database that went back comes to be where it was", async () => {
  const world = new FleetWorld(1);
  let refuses = true;
  world.refuse = ({ rows }) => {
    if (refuses && rows.has("a" as Bytes)) throw new StoreError("refused", "no such thing");
  };
  const one = await world.start({ batchRecords: 1 });
  await world.write(put("a", "1"));
  await world.write(put("b", "1"));
  await world.until(() => world.state.partitions[0]?.letters === 1 && world.stored);
  const [partition] = world.state.partitions;
  const isSeen = (): boolean =>
    partition?.parked.has("a" as Bytes) === true || partition?.pending.has("a" as Bytes) === true;
  await world.over(one.worker.stop(1000));
  await goBack(world, 0);
  const seen: boolean[] = [];
  world.answers = () => void seen.push(isSeen());
  const two = await world.start({ batchRecords: 1 });
  two.fault = () => void seen.push(isSeen());
  await world.until(() => world.owns([two, 1]) && world.database.position()?.sequence === 2 && world.stored);
  expect(new Set(seen)).toEqual(new Set([true]));
  expect([...(partition?.parkedFrames ?? [])]).toEqual([[1, "1"]]);
  // And where it is accepted the second time, nothing is parked any more.
  await world.over(two.worker.stop(1000));
  await goBack(world, 0);
  refuses = false;
  const three = await world.start();
  await world.until(() => world.owns([three, 1]) && world.database.position()?.sequence === 2 && world.stored);
  await world.until(() => three.verbs.includes("stored"));
  expect(world.value("a")).toBe("1");
  await world.until(() => partition?.parked.size === 0, 1000);
});

/** The database of partition 0 is where it was before: without what it has parked since. */
async function goBack({ database }: FleetWorld, sequence: number): Promise<void> {
  const { logId } = database.position() as { logId: string };
  const { position: expected, generation } = await database.open({ logId, partition: 0 });
  const drop = database.parked().map(({ id }) => id);
  const to = { logId, sequence, tag: 0 };
  const nothing = { clear: false, rows: new Map(), frames: 0, sweepUpTo: null, partition: 0 };
  await database.commit({
    ...nothing,
    expected,
    generation,
    to,
    parking: { drop, put: [] },
  });
}

test("a Redis that is older than the database breaks its partition, and says so", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  const older = world.state.snapshot();
  await world.write(put("a", "2"));
  await world.until(() => world.stored);
  await world.over(one.worker.stop(1000));
  world.state.restore(older);
  const two = await world.start();
  await world.until(() => two.worker.report().partitions.some(({ state }) => state === "broken"));
  expect(two.worker.report().partitions[0]?.error?.message).toContain("older than the database");
  expect((await world.states())[0]?.broken).toContain("older than the database");
  expect(two.worker.report().store.state).toBe("up");
});

test("a Redis that has forked is named", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  const older = world.state.snapshot();
  await world.write(put("a", "2"));
  await world.until(() => world.stored);
  await world.over(one.worker.stop(1000));
  world.state.restore(older);
  await world.write(put("a", "another 2"));
  await world.start();
  await world.until(() => world.state.partitions[0]?.broken !== null);
  expect(world.state.partitions[0]?.broken).toContain("has forked");
});

test("of a run in the middle of the log its own records are settled, and the log is trimmed behind it", async () => {
  const world = new FleetWorld(1);
  const one = await world.start({ batchRecords: 1, retainBytes: 0, delayMs: 0 });
  await world.until(() => world.owns([one, 1]));
  let told = 0;
  one.fault = (verb, when) => {
    if (verb !== "stored" || when !== "after") return;
    const { stored, pending, log } = world.state.partitions[0] as (typeof world.state.partitions)[number];
    expect([...pending.values()].every(({ sequence }) => sequence > stored)).toBe(true);
    expect(pending.size).toBe(20 - stored);
    expect(log[0]?.last).toBeLessThanOrEqual(stored);
    told++;
  };
  one.toStore.shut();
  for (const key of keys(20)) await world.write(put(key, "1"));
  one.toStore.open();
  await world.until(() => world.stored);
  expect(told).toBeGreaterThan(3);
  // What is kept is the last frame of all, and what the run before it was.
  expect(world.state.partitions[0]?.log.length).toBeLessThan(5);
});

test("an answer that is lost counts nothing twice", async () => {
  const world = new FleetWorld(1);
  const one = await world.start({ batchRecords: 10, delayMs: 0 });
  await world.until(() => world.owns([one, 1]));
  let lost = false;
  one.fault = (verb, when) => {
    if (verb !== "stored" || when !== "after" || lost) return;
    lost = true;
    one.toStore.shut();
    throw new WriteBehindError("UNKNOWN", "the answer is lost");
  };
  await world.writeFrames(
    0,
    keys(40).map((_, index) => [put(`k${index + 10}`, "1")]),
  );
  const all = world.state.partitions[0]?.bytes as number;
  await world.until(() => lost);
  await world.advance(1000);
  const { stored, bytes } = world.state.partitions[0] as { stored: number; bytes: number };
  expect(stored).toBeLessThan(40);
  expect(bytes).toBe((all * (40 - stored)) / 40);
  one.toStore.open();
  await world.until(() => world.stored);
});

test("a worker whose word on a partition is refused gives it up at once", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  const [partition] = world.state.partitions;
  if (partition === undefined) throw new Error("no partition");
  // Somebody has claimed it in between: its own beats have not told it yet.
  partition.claim++;
  await world.write(put("k", "v"));
  const before = world.loop.nowMs;
  await world.until(() => one.worker.report().partitions.length === 0);
  expect(world.loop.nowMs - before).toBeLessThan(1000);
  expect(world.value("k")).toBe(null);
  await world.until(() => world.value("k") === "v");
});

test("only the owner of the first partition sweeps, up to a minute before what all have committed", async () => {
  const world = new FleetWorld(2);
  const begun = world.clock.now();
  const one = await world.start();
  await world.until(() => world.owns([one, 2]));
  const [first, second] = [recordIn(0, 2), recordIn(1, 2)];
  await world.write(put(first, "1", begun + 30_000), put(second, "1", begun + 30_000));
  await world.until(() => world.stored);
  await world.until(() => world.value(first) === null && world.value(second) === null);
  expect(world.clock.now() - begun).toBeGreaterThanOrEqual(90_000);
  const sweeps = world.batches.filter(({ sweepUpTo }) => sweepUpTo !== null);
  expect(sweeps.length).toBeGreaterThan(0);
  expect(sweeps.every(({ partition }) => partition === 0)).toBe(true);
  // A partition that stands still holds the sweep up: its frames may prolong what seems to be over.
  world.refuse = ({ partition, rows }) => {
    if (partition === 1 && rows.size > 0) throw new StoreError("retryable", "locked");
  };
  await world.write(put(second, "2"));
  const stuckAt = world.clock.now();
  await world.advance(300_000);
  const last = world.batches.findLast(({ sweepUpTo }) => sweepUpTo !== null);
  expect(last?.sweepUpTo).toBeLessThan(stuckAt);
});

test("a Redis that was emptied under a worker is named, and nothing is written", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  world.state.wipe();
  await world.until(() => one.worker.report().error !== null);
  expect(one.worker.report().error).toMatchObject({ code: "QUEUE_MISMATCH" });
  expect(world.batches.filter(({ rows }) => rows.size > 0)).toEqual([]);
});

test("a worker that is cut off from everything stops all the same", async () => {
  const world = new FleetWorld(2);
  const one = await world.start();
  await world.until(() => world.owns([one, 2]));
  await world.write(put(recordIn(0, 2), "1"), put(recordIn(1, 2), "1"));
  one.toStore.shut();
  await world.until(() => one.toStore.waiting > 0);
  one.toKeeper.shut();
  const before = world.loop.nowMs;
  await world.over(one.worker.stop(1000));
  expect(world.loop.nowMs - before).toBeLessThan(6000);
  const two = await world.start();
  await world.until(() => world.owns([two, 2]) && world.stored);
});

test("a Redis that forked to the very place of the database under a living worker is found before anybody writes more", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  const older = world.state.snapshot();
  await world.write(put("a", "2"));
  await world.until(() => world.stored);
  world.state.restore(older);
  await world.write(put("a", "another 2"));
  await world.until(() => one.worker.report().partitions[0]?.state === "broken");
  expect(world.state.partitions[0]?.broken).toContain("has forked");
  expect(world.value("a")).toBe("2");
});

test("a worker whose lease was over for a moment goes on, and takes nothing that it runs a second time", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  const [partition] = world.state.partitions;
  if (partition === undefined) throw new Error("no partition");
  one.fault = (verb, when) => {
    if (verb === "holds" && when === "after" && partition.owner !== null)
      partition.owner = { ...partition.owner, until: 0 };
  };
  await world.advance(20_000);
  expect(partition.claim).toBe(1);
  one.fault = () => {};
  await world.write(put("k", "v"));
  await world.until(() => world.stored && world.owns([one, 1]));
  expect(one.worker.report().partitions[0]?.retries).toBe(0);
});

test("a Redis that loses what is being committed is found, and its log does not grow into a fork", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.until(() => world.owns([one, 1]));
  const older = world.state.snapshot();
  one.fault = (verb, when) => {
    if (verb === "aim" && when === "before") world.state.restore(older);
  };
  await world.write(put("a", "1"));
  await world.until(() => one.worker.report().partitions[0]?.state === "broken");
  expect(world.value("a")).toBe("1");
  expect(world.state.partitions[0]?.broken).toContain("older than the database");
});

describe("a Redis that has only lost what it was told", () => {
  test("is told anew how far the database is, also where nobody writes any more", async () => {
    const world = new FleetWorld(1);
    const one = await world.start();
    await world.until(() => world.owns([one, 1]));
    let older: KeeperSnapshot | null = null;
    one.fault = (verb, when) => {
      if (verb === "stored" && when === "before") older ??= world.state.snapshot();
    };
    await world.write(put("a", "1"));
    await world.until(() => world.stored);
    world.state.restore(older as unknown as KeeperSnapshot);
    expect(world.stored).toBe(false);
    await world.until(() => world.stored, 1000);
    expect(one.opens).toBe(1);
    expect(world.state.partitions[0]).toMatchObject({ stored: 1, bytes: 0 });
  });

  test("is told anew which records are settled, also where it went back before it heard how far the database is", async () => {
    const world = new FleetWorld(1);
    const one = await world.start();
    await world.until(() => world.owns([one, 1]));
    let older: KeeperSnapshot | null = null;
    one.fault = (verb, when) => {
      if (when !== "before") return;
      if (verb === "settle") older ??= world.state.snapshot();
      if (verb !== "stored" || older === null) return;
      world.state.restore(older);
      one.fault = () => {};
    };
    await world.write(put("a", "1"));
    await world.until(() => world.stored && world.state.partitions[0]?.pending.size === 0, 1000);
    expect(one.opens).toBe(1);
    expect(world.state.partitions[0]).toMatchObject({ stored: 1, bytes: 0 });
  });

  test("is told anew what is parked, and readers do not see what is parked no more", async () => {
    const world = new FleetWorld(1);
    let refuses = true;
    world.refuse = ({ rows }) => {
      if (refuses && rows.has("a" as Bytes)) throw new StoreError("refused", "no such thing");
    };
    const one = await world.start();
    await world.write(put("a", "1"));
    await world.until(() => world.state.partitions[0]?.letters === 1 && world.stored);
    const older = world.state.snapshot();
    refuses = false;
    await world.until(() => world.state.partitions[0]?.letters === 0);
    world.state.restore(older);
    expect(world.state.partitions[0]?.parked.size).toBe(1);
    await world.until(() => world.state.partitions[0]?.parked.size === 0, 1000);
    expect(world.state.partitions[0]).toMatchObject({ letters: 0, waitingBehind: 0 });
    expect(one.opens).toBe(1);
  });

  test("is told anew while more is being told, and what is committed meanwhile counts once", async () => {
    const world = new FleetWorld(1);
    const one = await world.start({ delayMs: 0, batchRecords: 1 });
    await world.until(() => world.owns([one, 1]));
    let older: KeeperSnapshot | null = null;
    let wentBack = false;
    one.fault = (verb, when) => {
      if (verb !== "stored" || when !== "before") return;
      if (older === null) older = world.state.snapshot();
      else if (!wentBack) {
        wentBack = true;
        world.state.restore(older);
      }
    };
    await world.writeFrames(
      0,
      keys(30).map((key) => [put(key, "1")]),
    );
    await world.until(() => wentBack && world.stored);
    expect(world.state.partitions[0]).toMatchObject({ stored: 30, bytes: 0 });
    expect(one.opens).toBe(1);
    expect(one.worker.report().totals.rows).toBe(30);
  });
});
