/** Cold reads of a fleet: what is pending of a record is laid over its row. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { RecordValue } from "../src/change.js";
import { Cold, type ColdParts } from "../src/redis/front/cold.js";
import type { Overlay } from "../src/redis/keeper.js";
import { bytesOfParked } from "../src/redis/parked-change.js";
import type { StoreReader } from "../src/store/store.js";
import { FleetWorld } from "./fleet-kit.js";

const record = "r" as Bytes;

const reader = (row: RecordValue | null): StoreReader => ({
  read: async () => [row],
  scan: () => Promise.reject(new Error("unused")),
  close: async () => {},
});

const parts = ({ clock }: FleetWorld): Omit<ColdParts, "keeper" | "reader"> => ({
  clock,
  atOnceMax: 1,
  bytesMax: 1000,
  heldMs: 0,
  freshMs: () => 1000,
  absentMs: 1000,
});

/** What is read where the database has this row and the keeper knows only an overlay. */
async function read(row: RecordValue | null, overlay: Overlay): Promise<RecordValue | null> {
  const world = new FleetWorld(1);
  const cold = new Cold({ ...parts(world), keeper: await world.keeper(), reader: reader(row) });
  const partition = { partition: 0, sequence: 1, thrown: 0, reached: null, broken: null };
  const known = { state: "unknown", parked: null, overlay, lost: false } as const;
  return (await world.over(cold.load([{ record, known, partition, lease: "l" }]))).get(record) ?? null;
}

test("an end that was given blindly leaves a string a string", async () => {
  const overlay = { set: new Map(), unset: new Set<Bytes>(), expiresAt: 5 };
  const row = { content: "text" as Bytes, expiresAt: null };
  expect(await read(row, overlay)).toEqual({ content: "text", expiresAt: 5 });
});

test("fields that were set blindly are laid over the row", async () => {
  const set = new Map([["a" as Bytes, "2" as Bytes]]);
  const overlay = { set, unset: new Set(["b" as Bytes]), expiresAt: undefined };
  const content = new Map(["a", "b"].map((field) => [field as Bytes, "1" as Bytes]));
  expect(await read({ content, expiresAt: 9 }, overlay)).toEqual({ content: set, expiresAt: 9 });
});

test("a value that was lost is put together anew where its changes were parked and trimmed meanwhile", async () => {
  const world = new FleetWorld(1);
  await world.write({
    record,
    change: { kind: "replace", content: "refused" as Bytes, expiresAt: null, afterRemove: false },
  });
  world.state.lose(record);
  const keeper = await world.keeper();
  const row: RecordValue = { content: "older" as Bytes, expiresAt: null };
  // While the row is read, the change is parked, and the log before it is not needed any more.
  const read = async (): Promise<RecordValue[]> => {
    const data = world.state.partitions[0];
    if (data === undefined) throw new Error("no partition");
    const parked = {
      change: { kind: "replace", content: "refused" as Bytes, expiresAt: null, afterRemove: false },
    } as const;
    data.parked.set(record, bytesOfParked({ ...parked, letter: "1" }));
    data.pending.delete(record);
    data.log = [];
    return [row];
  };
  const seen = await keeper.read([{ partition: 0, record }], "l");
  const [known, partition] = [seen.records[0], seen.partitions[0]];
  if (known?.state !== "unknown" || partition === undefined) throw new Error("it is known");
  const cold = new Cold({ ...parts(world), keeper, heldMs: 1000, reader: { ...reader(row), read } });
  const values = await world.over(cold.load([{ record, known, partition, lease: "l" }]));
  expect(values.get(record)).toEqual({ content: "refused", expiresAt: null });
});
