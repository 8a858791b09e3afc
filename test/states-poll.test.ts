/** The looks of one worker: who asks is told where his partition is, whoever else asks of it or ends. */
import { expect, test } from "vitest";
import type { Position } from "../src/queue/queue.js";
import type { Claim } from "../src/redis/keeper.js";
import { StatesPoll } from "../src/redis/worker/states-poll.js";
import { FleetWorld, fleetId } from "./fleet-kit.js";
import { put } from "./writer-world.js";

async function pollOf(world: FleetWorld): Promise<StatesPoll> {
  return new StatesPoll(await world.keeper(), world.clock, 10, () => {});
}

const told = (): null => null;

test("who had the partition before and ends takes nothing from who has it now", async () => {
  const world = new FleetWorld(1);
  const poll = await pollOf(world);
  const [before, now] = [{}, {}];
  void poll.after(before, { partition: 0, sequence: 0, tag: null, told });
  const found = poll.after(now, { partition: 0, sequence: 0, tag: null, told });
  poll.forget(before);
  await world.write(put("k", "v"));
  expect((await world.over(found)).state).toMatchObject({ partition: 0, head: { sequence: 1 } });
});

test("a log that has lost the frame there, or has another one, is found without a new one", async () => {
  const world = new FleetWorld(1);
  const poll = await pollOf(world);
  await world.write(put("k", "1"));
  const older = world.state.snapshot();
  await world.write(put("k", "2"));
  const [{ head } = { head: null }] = await world.states();
  const known = { partition: 0, sequence: 2, tag: head?.tag ?? null, told };
  const shorter = poll.after({}, known);
  await world.advance(100);
  world.state.restore(older);
  expect((await world.over(shorter)).state.head.sequence).toBe(1);
  await world.write(put("k", "another 2"));
  const other = await world.over(poll.after({}, known));
  expect(other.state.head).toMatchObject({ logId: `${fleetId}00000000`, sequence: 2 });
  expect(other.state.head.tag).not.toBe(known.tag);
});

test("a log that has not heard what its owner has told is found, and not before the owner has told it", async () => {
  const world = new FleetWorld(1);
  const poll = await pollOf(world);
  const keeper = await world.keeper();
  const [state] = await world.states();
  const claim = (await keeper.claim("w", 0, 60_000)) as Claim;
  const stored = { position: state?.head as Position, at: 1, generation: 1, trimTo: 0, bytes: 0, settled: null };
  await keeper.stored(claim, stored, { after: null, name: "w 1 1" });
  const older = world.state.snapshot();
  let last: string | null = "w 1 1";
  let ended = false;
  const found = poll.after({}, { partition: 0, sequence: 0, tag: null, told: () => last });
  void found.then(() => (ended = true));
  await world.advance(100);
  last = null;
  await keeper.stored(claim, stored, { after: "w 1 1", name: "w 1 2" });
  await world.advance(100);
  last = "w 1 2";
  await world.advance(100);
  expect(ended).toBe(false);
  world.state.restore(older);
  expect(await world.over(found)).toMatchObject({ missed: true, state: { heard: "w 1 1" } });
});
