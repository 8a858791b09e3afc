/** Positions of a database held against the logs of a fleet: what fits, what is lost, where it can go on. */
import { describe, expect, test } from "vitest";
import type { Position } from "../src/queue/queue.js";
import { compareFleet, isSound, type Compared } from "../src/redis/compare.js";
import type { Claim, Fleet } from "../src/redis/keeper.js";
import type { LookedPosition } from "../src/store/store.js";
import { telling } from "../contract/keeper/world.js";
import { MemoryKeeperState } from "../simulator/redis/keeper-state.js";
import { MemoryKeeper } from "../simulator/redis/memory-keeper.js";
import { put } from "./writer-world.js";

const id = "0123456789abcdef01234567";
const logId = `${id}00000000`;
const room = { bytes: 1e12, records: 1e9, ageMs: 0 };

/** One partition, and a database that knows nothing but its positions. */
class World {
  readonly state = new MemoryKeeperState({ now: () => 1000 });
  readonly keeper = new MemoryKeeper(this.state);
  readonly #ends: Position[] = [];
  #claim: Claim | null = null;
  fleet: Fleet = { id, partitions: 1 };
  database: LookedPosition | null = null;

  static async open(): Promise<World> {
    const world = new World();
    await world.keeper.fleet(world.fleet);
    world.#claim = await world.keeper.claim("w", 0, 60_000);
    return world;
  }

  async write(...keys: string[]): Promise<void> {
    for (const key of keys) await this.keeper.write(0, [{ changes: [put(key, "v")], from: new Map() }], room);
  }

  /** The database commits up to a frame; `told`: the keeper hears of it. */
  async store(sequence: number, { told = true, trimTo = 0 } = {}): Promise<void> {
    const position = (await this.keeper.positionAt(0, sequence)) as Position;
    this.#ends.unshift(position);
    this.at(position);
    const stored = { position, at: 1, generation: 1, trimTo, bytes: 0, settled: null };
    if (told) await this.keeper.stored(this.#claim as Claim, stored, telling());
  }

  at(position: Position | null): void {
    this.database = { partition: 0, position, owner: null, ageMs: 0, runEnds: [...this.#ends] };
  }

  async compare(): Promise<Compared> {
    const looked = this.database === null ? [] : [this.database];
    const [compared] = await compareFleet(this.keeper, this.fleet, () => Promise.resolve(looked));
    return compared as Compared;
  }
}

describe("a database beside a log", () => {
  test("that has nothing, some, or all of it fits", async () => {
    const world = await World.open();
    expect(await world.compare()).toMatchObject({ verdict: "fits", database: null, frames: 0, lost: 0, isGap: false });
    await world.write("a", "b", "c");
    expect(await world.compare()).toMatchObject({ verdict: "fits", frames: 3 });
    await world.store(2);
    const fits = await world.compare();
    expect(fits).toMatchObject({ verdict: "fits", frames: 1, goesOn: { sequence: 2 } });
    expect(isSound(fits)).toBe(true);
    await world.keeper.break(0, "somebody said so");
    expect(isSound(await world.compare())).toBe(false);
  });

  test("that went back is behind, and the log heals it", async () => {
    const world = await World.open();
    await world.write("a", "b", "c");
    await world.store(1);
    const back = world.database;
    await world.store(3);
    world.database = back;
    const behind = await world.compare();
    expect(behind).toMatchObject({ verdict: "behind", frames: 2, lost: 0, isGap: false });
    expect(isSound(behind)).toBe(true);
  });

  test("that went back to before what the log has is not healed: it can go on at the first frame, over a gap", async () => {
    const world = await World.open();
    await world.write("a", "b", "c", "d");
    await world.store(1);
    const back = world.database;
    await world.store(4, { trimTo: 3 });
    world.database = back;
    expect(await world.compare()).toMatchObject({
      verdict: "trimmed",
      goesOn: { sequence: 3 },
      frames: 1,
      lost: 2,
      isGap: true,
    });
    world.database = null;
    expect(await world.compare()).toMatchObject({ verdict: "trimmed", goesOn: { sequence: 3 }, lost: 3, isGap: true });
  });

  test("of another queue belongs to one that was emptied", async () => {
    const world = await World.open();
    world.at({ logId: "f".repeat(32), sequence: 7, tag: 1 });
    expect(await world.compare()).toMatchObject({
      verdict: "emptied",
      goesOn: { logId, sequence: 0, tag: 0 },
      lost: null,
      isGap: false,
    });
  });

  test("is ahead of an older log: it can go on at the newest run end that the log has", async () => {
    const world = await World.open();
    await world.write("a", "b");
    await world.store(1);
    await world.store(2);
    await world.write("c");
    const older = world.state.snapshot();
    await world.write("d", "e");
    await world.store(5);
    world.state.restore(older);
    expect(await world.compare()).toMatchObject({
      verdict: "older",
      goesOn: { sequence: 2 },
      frames: 1,
      lost: 3,
      isGap: false,
    });
  });

  test("is beside a fork: what follows the newest common run end is applied", async () => {
    const world = await World.open();
    await world.write("a", "b");
    await world.store(2);
    const older = world.state.snapshot();
    await world.write("c", "d");
    await world.store(3);
    await world.store(4);
    world.state.restore(older);
    await world.write("x", "y", "z");
    expect(await world.compare()).toMatchObject({
      verdict: "forked",
      goesOn: { sequence: 2 },
      frames: 3,
      lost: 2,
      isGap: false,
    });
  });

  test("that has no run end in common goes on where the log itself says that it was, over a gap", async () => {
    const world = await World.open();
    await world.write("a", "b");
    await world.store(2);
    const older = world.state.snapshot();
    await world.write("c", "d");
    await world.store(4);
    world.state.restore(older);
    const { position } = world.database as LookedPosition;
    world.database = { ...(world.database as LookedPosition), runEnds: [position as Position] };
    expect(await world.compare()).toMatchObject({ verdict: "older", goesOn: { sequence: 2 }, lost: 2, isGap: true });
    world.state.wipe();
    await new MemoryKeeper(world.state).fleet(world.fleet);
    expect(await world.compare()).toMatchObject({
      verdict: "older",
      goesOn: { sequence: 0, tag: 0 },
      lost: 4,
      isGap: true,
    });
  });

  test("what changes while it is looked at is looked at again", async () => {
    const world = await World.open();
    await world.write("a", "b");
    await world.store(1);
    const early = world.database as LookedPosition;
    await world.store(2, { trimTo: 2 });
    const late = world.database as LookedPosition;
    const looks = [early, late];
    const [compared] = await compareFleet(world.keeper, world.fleet, () => Promise.resolve([looks.shift() ?? late]));
    expect(compared).toMatchObject({ verdict: "fits", frames: 0 });
  });
});
