/** A database that is down while much is written: the backlog is composed, and stored by record. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { parkedOfBytes } from "../src/redis/parked-change.js";
import { BaseGuard } from "../src/redis/worker/base-guard.js";
import { StoreError } from "../src/store/store.js";
import { FleetWorld, type TestWorker } from "./fleet-kit.js";
import { put } from "./writer-world.js";

const valueBytes = 4000;
const long = (text: string): string => `${text} ${"x".repeat(valueBytes)}`;
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `key:${index}`);

/** A worker that owns the one partition of a world, and a database that goes down. */
async function downWorld(options: Parameters<FleetWorld["start"]>[0] = {}): Promise<[FleetWorld, TestWorker]> {
  const world = new FleetWorld(1);
  const one = await world.start(options);
  await world.write(put("first", "1"));
  await world.until(() => world.owns([one, 1]) && world.stored);
  world.down = true;
  // The run that is in hand when the database goes down stays as it is.
  await world.write(put("first", "2"));
  await world.until(() => one.worker.report().store.state === "down");
  return [world, one];
}

/** Rounds of writes of long values, so that there is something to compose. */
async function writeRounds(world: FleetWorld, rounds: number, records: readonly string[]): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    await world.write(...records.map((name) => put(name, long(`${name} ${round}`))));
    await world.advance(300);
  }
}

const base = (world: FleetWorld) => world.state.partitions[0]?.base ?? null;
const logFrames = (world: FleetWorld): number =>
  world.state.partitions[0]?.log.reduce((sum, { frames }) => sum + frames.length, 0) ?? 0;

test("while the database is down the log does not grow with the number of changes", async () => {
  const [world] = await downWorld();
  await writeRounds(world, 40, names(20));
  const [state] = await world.states();
  expect(state?.base).toMatchObject({ records: 20 });
  expect(state?.pendingBytes).toBeLessThan(20 * valueBytes * 6);
  expect(logFrames(world)).toBeLessThan(10);
  expect((await world.states())[0]?.head.sequence).toBe(42);
  world.down = false;
  await world.until(() => world.stored);
  expect(names(20).map((name) => world.value(name))).toEqual(names(20).map((name) => long(`${name} 40`)));
  expect(base(world)).toBe(null);
  expect((await world.states())[0]).toMatchObject({ pendingBytes: 0, pendingRecords: 0, oldestAt: null });
});

test("a worker that begins while the database is down composes, too", async () => {
  const world = new FleetWorld(1);
  world.down = true;
  await world.start();
  await writeRounds(world, 40, names(20));
  expect(base(world)?.from.sequence).toBe(0);
  world.down = false;
  await world.until(() => world.stored);
  expect(world.value("key:7")).toBe(long("key:7 40"));
});

test("what a commit without an answer may have brought the database to stays in the log", async () => {
  const [world, one] = await downWorld();
  world.down = false;
  await world.until(() => world.stored);
  let lost = 0;
  one.toStore.shut();
  await world.write(put("first", "3"));
  await world.until(() => one.toStore.waiting === 1);
  world.refuse = () => {
    lost++;
    throw new StoreError("retryable", "connection reset");
  };
  one.toStore.open();
  await world.until(() => lost > 0);
  await writeRounds(world, 30, names(20));
  const [state] = await world.states();
  expect(state?.base?.from.sequence).toBe(3);
  expect(await world.front.positionAt(0, 3)).toEqual(state?.aimed);
  world.refuse = () => {};
  await world.until(() => world.stored);
  expect(world.value("first")).toBe("3");
});

test("a run in hand that is large is composed, too, whether its commit was done or not", async () => {
  for (const isDone of [true, false]) {
    const world = new FleetWorld(1);
    const one = await world.start({ delayMs: 1000 });
    await world.until(() => world.owns([one, 1]));
    for (let round = 1; round <= 30; round++) await world.write(put("hot", long(`hot ${round}`)));
    const lose = ({ to }: { readonly to: { readonly sequence: number } }): void => {
      if (to.sequence !== 30) return;
      world.down = true;
      throw new StoreError("retryable", "connection reset");
    };
    if (isDone) world.answers = lose;
    else world.refuse = lose;
    await world.until(() => world.down);
    await writeRounds(world, 10, names(20));
    expect(base(world)?.from.sequence).toBe(0);
    expect((await world.states())[0]?.aimed.sequence).toBe(30);
    expect(logFrames(world)).toBeLessThan(5);
    [world.answers, world.refuse] = [() => {}, () => {}];
    world.down = false;
    await world.until(() => world.stored);
    expect([world.value("hot"), world.value("key:7")]).toEqual([long("hot 30"), long("key:7 10")]);
    expect((await world.states())[0]).toMatchObject({ pendingBytes: 0, broken: null });
  }
});

test("the region is committed in pieces, the position moves with the last, and status says so", async () => {
  const [world] = await downWorld({ batchRecords: 7 });
  await writeRounds(world, 30, names(20));
  const from = base(world)?.from.sequence ?? 0;
  const before = world.batches.length;
  const to = base(world)?.to.sequence ?? 0;
  world.down = false;
  await world.until(() => world.stored);
  const batches = world.batches.slice(before);
  const pieces = batches.filter(({ rows, expected, to: end }) => rows.size > 0 && expected?.sequence === end.sequence);
  expect(pieces.every(({ to: end }) => end.sequence === from)).toBe(true);
  expect(pieces.length).toBeGreaterThanOrEqual(3);
  expect(pieces.every(({ rows }) => rows.size <= 7)).toBe(true);
  expect(new Set(pieces.flatMap(({ rows }) => [...rows.keys()])).size).toBe(20);
  // So a database that went back to between two of them is told from one that did not: the position is the same.
  expect(new Set(pieces.map(({ generation }) => generation)).size).toBe(pieces.length);
  expect(batches.some(({ to: end }) => end.sequence === to)).toBe(true);
  expect(batches.some(({ to: end }) => end.sequence > from && end.sequence < to)).toBe(false);
});

test("what is refused in a region is tried again at its end, and only then parked; the rest is stored", async () => {
  const [world] = await downWorld({ batchRecords: 8 });
  await writeRounds(world, 30, names(20));
  const child = "key:3" as Bytes;
  const parent = "key:17" as Bytes;
  const bad = "key:11" as Bytes;
  world.refuse = ({ rows }) => {
    if (rows.has(child) && !rows.has(parent) && world.value(parent) === null)
      throw new StoreError("refused", "no such parent");
    if (rows.has(bad)) throw new StoreError("refused", "never");
  };
  const { head } = (await world.states())[0] as { readonly head: { readonly sequence: number } };
  world.down = false;
  await world.until(() => world.stored);
  expect(world.value("key:3")).toBe(long("key:3 30"));
  expect(world.value("key:11")).toBe(null);
  expect(names(20).filter((name) => world.value(name) !== long(`${name} 30`))).toEqual(["key:11"]);
  const [state] = await world.states();
  expect(state).toMatchObject({ letters: 1, waitingBehind: 0 });
  const parked = world.state.partitions[0]?.parked.get(bad) as Bytes;
  expect(parkedOfBytes(parked).change).toMatchObject({ content: long("key:11 30") });
  // Who waits for the last write of the record hears of the letter.
  const letters = await world.front.parkedBetween(0, 1, head.sequence);
  expect([...letters.values()]).toEqual([parkedOfBytes(parked).letter]);
  world.refuse = () => {};
  await world.until(() => world.value("key:11") !== null);
  expect(world.value("key:11")).toBe(long("key:11 30"));
});

test("a record that was parked before waits behind its letter", async () => {
  const world = new FleetWorld(1);
  const bad = "key:5" as Bytes;
  let heals = false;
  world.refuse = ({ rows }) => {
    if (!heals && rows.has(bad)) throw new StoreError("refused", "never");
  };
  const one = await world.start();
  await world.write(put("key:5", "old"));
  await world.until(() => world.owns([one, 1]) && world.stored);
  expect((await world.states())[0]).toMatchObject({ letters: 1 });
  world.down = true;
  await writeRounds(world, 30, names(20));
  expect(base(world)).not.toBe(null);
  world.down = false;
  await world.until(() => world.stored);
  expect((await world.states())[0]).toMatchObject({ letters: 1 });
  expect((await world.states())[0]?.waitingBehind).toBeGreaterThan(0);
  expect(world.value("key:4")).toBe(long("key:4 30"));
  heals = true;
  await world.until(() => world.value("key:5") !== null);
  expect(world.value("key:5")).toBe(long("key:5 30"));
});

test("a worker that dies in the middle of a region: the next one begins it again", async () => {
  const [world, one] = await downWorld({ batchRecords: 4 });
  await writeRounds(world, 30, names(20));
  const before = world.batches.length;
  world.down = false;
  await world.until(() => world.batches.length >= before + 2);
  one.kill();
  await world.write(put("key:0", "newest"));
  await world.start({ batchRecords: 4 });
  await world.until(() => world.stored);
  expect(world.value("key:0")).toBe("newest");
  expect(
    names(20)
      .slice(1)
      .map((name) => world.value(name)),
  ).toEqual(
    names(20)
      .slice(1)
      .map((name) => long(`${name} 30`)),
  );
});

test.for(["in the middle", "before the last commit"])("a database that goes back %s of a region", async (when) => {
  const [world] = await downWorld({ batchRecords: 4 });
  await writeRounds(world, 30, names(20));
  const opened = world.batches.length;
  world.down = false;
  // All rows that were committed at the region's beginning are gone, and nobody was told.
  let forgotten = 0;
  world.refuse = ({ to }) => {
    const isNow =
      when === "in the middle" ? world.batches.length === opened + 3 : to.sequence === base(world)?.to.sequence;
    if (!isNow || forgotten > 0) return;
    forgotten++;
    (world.database.rows() as Map<Bytes, unknown>).clear();
    const { logId } = world.database.position() as { readonly logId: string };
    void world.database.open({ logId, partition: 0 });
  };
  await world.until(() => world.stored);
  expect(forgotten).toBe(1);
  expect(names(20).map((name) => world.value(name))).toEqual(names(20).map((name) => long(`${name} 30`)));
});

test("a second outage, when the answer to the last commit of a region is lost", async () => {
  const [world] = await downWorld();
  await writeRounds(world, 30, names(20));
  const to = base(world)?.to.sequence ?? 0;
  world.answers = (batch) => {
    if (batch.to.sequence !== to) return;
    world.down = true;
    throw new StoreError("retryable", "connection reset");
  };
  world.down = false;
  await world.until(() => world.down);
  await writeRounds(
    world,
    30,
    names(20).map((name) => `other ${name}`),
  );
  expect(base(world)?.to.sequence).toBeGreaterThan(to);
  world.answers = () => {};
  world.down = false;
  await world.until(() => world.stored);
  expect(world.value("key:9")).toBe(long("key:9 30"));
  expect(world.value("other key:9")).toBe(long("other key:9 30"));
});

test("a Redis that has forked while the database was down is named", async () => {
  const world = new FleetWorld(1);
  const one = await world.start();
  await world.write(put("a", "1"));
  await world.until(() => world.stored);
  const older = world.state.snapshot();
  await world.write(put("a", "2"));
  await world.until(() => world.stored);
  await world.over(one.worker.stop(1000));
  world.state.restore(older);
  world.down = true;
  await world.start();
  await writeRounds(world, 30, names(20));
  expect(base(world)?.from.sequence).toBe(1);
  world.down = false;
  await world.until(() => world.state.partitions[0]?.broken !== null);
  expect(world.state.partitions[0]?.broken).toContain("has forked");
  expect(world.value("a")).toBe("2");
});

test("nothing is composed while the writer reads or drains, and it waits for the step that is under way", async () => {
  const guard = new BaseGuard();
  const done: string[] = [];
  let end = (): void => {};
  const step = guard.compact(async () => {
    await new Promise<void>((resolve) => (end = resolve));
    done.push("step");
    return true;
  });
  const reading = guard.read().then(() => done.push("read"));
  const nothing = (): Promise<boolean> => guard.compact(() => Promise.resolve(true));
  expect(await nothing()).toBe(false);
  end();
  expect(await step).toBe(true);
  await reading;
  expect(done).toEqual(["step", "read"]);
  expect(await nothing()).toBe(false);
  guard.draining = true;
  expect(await nothing()).toBe(false);
  guard.draining = false;
  expect(await nothing()).toBe(true);
  await guard.read();
  guard.readDone();
  expect(await nothing()).toBe(true);
});
