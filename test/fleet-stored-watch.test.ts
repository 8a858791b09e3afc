/** Whether a process of a fleet tells truly that its writes are stored, also where a log counts anew. */
import { expect, test } from "vitest";
import type { WriteBehindError } from "../src/errors.js";
import { closedBeforeStored } from "../src/heart/failures.js";
import { systemClock } from "../src/host/clock.js";
import type { Position } from "../src/queue/queue.js";
import { StoredWatch } from "../src/redis/front/stored-watch.js";
import { telling } from "../contract/keeper/world.js";
import { MemoryKeeperState } from "../simulator/redis/keeper-state.js";
import { MemoryKeeper } from "../simulator/redis/memory-keeper.js";
import { fleetId, room } from "./fleet-kit.js";
import { put } from "./writer-world.js";

test("a frame of a log that goes on from an earlier one is not stored by what was heard before", async () => {
  const state = new MemoryKeeperState({ now: () => 1000 });
  const keeper = new MemoryKeeper(state);
  await keeper.fleet({ id: fleetId, partitions: 1 });
  const watch = new StoredWatch(keeper, systemClock(), 1);
  const claim = (await keeper.claim("w", 0, 60_000)) ?? { partition: 0, worker: "", number: 0 };
  const write = async (key: string): Promise<number> => {
    const [outcome] = await keeper.write(0, [{ changes: [put(key, "v")], from: new Map() }], room);
    return watch.made(0, outcome?.became === "kept" ? outcome.sequence : 0);
  };
  const store = async (sequence: number): Promise<void> => {
    const position = (await keeper.positionAt(0, sequence)) as Position;
    await keeper.stored(claim, { position, at: 1, generation: 1, trimTo: 0, bytes: 0, settled: null }, telling());
  };
  const stored = (number: number): Promise<WriteBehindError | null> =>
    new Promise((reached) => watch.whenStored(number, reached));

  await write("a");
  await store(1);
  expect(await stored(1)).toBeNull();
  const older = state.snapshot();
  await write("b");
  const third = await write("c");
  await store(3);
  expect(await stored(third)).toBeNull();
  expect(watch.stored).toBe(3);

  state.restore(older);
  const again = await write("d");
  expect(again).toBe(4);
  let told = false;
  const waiting = stored(again).then(() => (told = true));
  await keeper.states([0]);
  await new Promise(setImmediate);
  expect([told, watch.stored]).toEqual([false, 3]);
  await store(2);
  await waiting;
  expect(watch.stored).toBe(4);
  expect(await stored(1)).toBeNull();

  // News that are quicker than the answer to the write: asking tells.
  const [quick] = await keeper.write(0, [{ changes: [put("e", "v")], from: new Map() }], room);
  const { head } = (await keeper.states([0])).states[0] as { head: Position };
  await store(head.sequence);
  watch.saw((await keeper.states([0])).states);
  const last = watch.made(0, quick?.became === "kept" ? quick.sequence : 0);
  expect(await stored(last)).toBeNull();
  watch.end(closedBeforeStored());
});
