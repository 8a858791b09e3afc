/** What those who read and look see of a backlog that was composed. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { Cold } from "../src/redis/front/cold.js";
import { FleetInspector } from "../src/redis/front/fleet-inspector.js";
import { describeFleet } from "../src/redis/front/fleet-status.js";
import type { PartitionSeen } from "../src/redis/keeper.js";
import { positionText } from "../src/queue/queue.js";
import { FleetWorld } from "./fleet-kit.js";
import { put } from "./writer-world.js";

const long = (text: string): string => `${text} ${"x".repeat(4000)}`;
const names = Array.from({ length: 20 }, (_, index) => `key:${index}`);

/** A fleet whose database is down, and what was written since, most of it composed. */
async function composed(): Promise<FleetWorld> {
  const world = new FleetWorld(1);
  await world.write(put("key:1", "row"));
  const one = await world.start();
  await world.until(() => world.owns([one, 1]) && world.stored);
  world.down = true;
  for (let round = 1; round <= 20; round++) {
    await world.write(...names.map((name) => put(name, long(`${name} ${round}`))));
    await world.advance(300);
  }
  await world.write(put("key:2", "last"));
  expect((await world.states())[0]?.base?.records).toBe(20);
  return world;
}

/** The front's road to the database. */
function coldOf(world: FleetWorld): Cold {
  return new Cold({
    keeper: world.front,
    reader: world.database.connect(),
    clock: world.clock,
    atOnceMax: 10,
    bytesMax: 1e9,
    heldMs: 60_000,
    freshMs: () => 1000,
    absentMs: 1000,
  });
}

test("a value that is lost is its row, what is composed, and what the log has behind that", async () => {
  const world = await composed();
  const records = ["key:1", "key:2", "never"] as readonly string[] as readonly Bytes[];
  const { partitions } = await world.front.read([{ partition: 0, record: "key:1" as Bytes }], null);
  const [partition] = partitions as readonly [PartitionSeen];
  const known = { state: "unknown", parked: null, overlay: null, lost: true } as const;
  const wanted = records.map((record) => ({ record, known, partition, lease: "lease" }));
  const values = await world.over(coldOf(world).load(wanted));
  expect(values.get("key:1" as Bytes)?.content).toBe(long("key:1 20"));
  expect(values.get("key:2" as Bytes)?.content).toBe("last");
  expect(values.get("never" as Bytes)).toBe(null);
});

test("a value that is lost is read again where the backlog is stored meanwhile", async () => {
  const world = await composed();
  const { partitions } = await world.front.read([{ partition: 0, record: "key:1" as Bytes }], null);
  const [partition] = partitions as readonly [PartitionSeen];
  // Between the row and the log everything is stored, and the log is given up.
  const cold = coldOf(world);
  const known = { state: "unknown", parked: null, overlay: null, lost: true } as const;
  world.down = false;
  await world.until(() => world.stored);
  const [data] = world.state.partitions;
  if (data !== undefined) data.log = data.log.slice(-1);
  const loading = cold.load([{ record: "key:1" as Bytes, known, partition, lease: "lease" }]);
  expect((await world.over(loading)).get("key:1" as Bytes)?.content).toBe(long("key:1 20"));
});

test("what is composed is shown as one frame at its end, and status says up to where the database is exact", async () => {
  const world = await composed();
  const [state] = await world.states();
  const inspector = new FleetInspector({
    keeper: world.front,
    reader: world.database.connect(),
    partitions: 1,
    resolve: (key) => ({ record: key, field: null, table: null, cacheOnly: false }),
    plan: () => null,
  });
  const to = positionText(state?.base?.to as NonNullable<typeof state>["head"]);
  const { queue, database } = await inspector.inspect("key:2" as Bytes);
  expect(queue[0]).toMatchObject({ position: to });
  expect(queue.at(-1)).toMatchObject({ value: { value: "last" } });
  expect(database.value).toBe(null);
  const page = await inspector.pending(1000, null);
  const inBase = page.items.filter(({ position }) => position === to);
  expect(new Set(inBase.map(({ key }) => key))).toEqual(new Set(names));
  expect((await inspector.pending(1000, to)).items.some(({ position }) => position === to)).toBe(false);
  const seen = await world.front.look(1e9);
  const common = {
    place: "",
    fleetId: "f",
    keeps: "",
    durability: "os",
    cacheBytesMax: 1,
    queueMax: { bytesMax: 1, recordsMax: 1 },
    now: 0,
    seen,
  } as const;
  const totals = { batches: 0, rows: 0, coalesced: 0, retries: 0 };
  const parts = { ...common, totals, storeKind: "memory", hits: 0, misses: 0, closing: false, down: null };
  const exactUpTo = async () => describeFleet({ ...parts, states: await world.states() }).queue.exactUpTo;
  expect(await exactUpTo()).toBe(`f:${state?.base?.from.sequence}`);
  world.down = false;
  await world.until(() => world.stored);
  expect(await exactUpTo()).toBe(null);
});
