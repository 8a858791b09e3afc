/** Cold reads of a fleet: what is pending of a record is laid over its row. */
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { RecordValue } from "../src/change.js";
import { Cold } from "../src/redis/front/cold.js";
import type { Overlay } from "../src/redis/keeper.js";
import { FleetWorld } from "./fleet-kit.js";

const record = "r" as Bytes;

/** What is read where the database has this row and the keeper knows only an overlay. */
async function read(row: RecordValue | null, overlay: Overlay): Promise<RecordValue | null> {
  const world = new FleetWorld(1);
  const cold = new Cold({
    keeper: await world.keeper(),
    reader: { read: async () => [row], scan: () => Promise.reject(new Error("unused")), close: async () => {} },
    clock: world.clock,
    atOnceMax: 1,
    bytesMax: 1000,
    heldMs: 0,
    freshMs: () => 1000,
    absentMs: 1000,
  });
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
