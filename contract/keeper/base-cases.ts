/** The base: frames at the log's head that stand as one change for each record. */
import assert from "node:assert/strict";
import type { Bytes } from "../../src/bytes.js";
import { compose } from "../../src/change.js";
import type { FrameOnDisk, Position } from "../../src/queue/queue.js";
import { baseOfBytes, bytesOfBase, type BaseChange } from "../../src/redis/base-entry.js";
import type { Claim, Compaction } from "../../src/redis/keeper.js";
import {
  b,
  changesOf,
  merge,
  rejectsWith,
  remove,
  replace,
  Shop,
  telling,
  value,
  type KeeperCaseBody,
} from "./world.js";

/** What a worker would put for these frames. */
async function compactionOf(shop: Shop, after: Position, upTo: number): Promise<Compaction> {
  const frames = (await shop.keeper.frames(shop.partition, after.sequence, 1e9)).filter(
    ({ frame }) => frame.position.sequence <= upTo,
  );
  const composed = new Map<Bytes, BaseChange>();
  const { changes } = await shop.keeper.baseOf(shop.partition, recordsOf(frames), 1e9);
  for (const [index, record] of recordsOf(frames).entries()) {
    const entry = changes[index] ?? null;
    if (entry !== null) composed.set(record, baseOfBytes(entry));
  }
  for (const { frame } of frames) {
    for (const { record, change } of changesOf(frame)) {
      const older = composed.get(record);
      const { sequence } = frame.position;
      composed.set(record, { change: older === undefined ? change : compose(older.change, change), sequence });
    }
  }
  const [first, last] = [frames[0], frames.at(-1)];
  assert.ok(first !== undefined && last !== undefined);
  return {
    after,
    to: last.frame.position,
    oldestAt: first.frame.at,
    at: last.frame.at,
    changes: new Map([...composed].map(([record, change]) => [record, bytesOfBase(change)])),
    bytes: frames.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function recordsOf(frames: readonly FrameOnDisk[]): Bytes[] {
  return [...new Set(frames.flatMap(({ frame }) => changesOf(frame).map(({ record }) => record)))];
}

async function compact(shop: Shop, claim: Claim, after: Position, upTo: number): Promise<boolean> {
  return shop.keeper.compact(claim, await compactionOf(shop, after, upTo));
}

/** Every record of the base, a few at a time. */
async function all(shop: Shop, limit = 3): Promise<Map<string, BaseChange>> {
  const found = new Map<string, BaseChange>();
  for (let cursor: string | null = null, pages = 0; pages === 0 || cursor !== null; pages++) {
    const { changes, next } = await shop.keeper.baseRecords(shop.partition, cursor, limit);
    for (const [record, entry] of changes) found.set(record, baseOfBytes(entry));
    cursor = next;
  }
  return found;
}

const before = (shop: Shop): Promise<Position> => shop.state().then(({ aimed }) => aimed);

/** The base of a partition. */
export const baseCases: readonly KeeperCaseBody[] = [
  {
    name: "frames become a base of one change for each record, and leave the log but for the last",
    run: async (world) => {
      const shop = await Shop.open(world);
      assert.equal((await shop.state()).base, null);
      await shop.write(["a", replace(b("1"))], ["h", merge({ x: "1" })]);
      await world.passes(5);
      await shop.write(["a", replace(b("2"))]);
      await shop.write(["h", merge({ y: "2" })], ["gone", remove]);
      await shop.write(["a", replace(b("later"))]);
      const frames = await shop.frames();
      const claim = await shop.claim();
      const start = await before(shop);
      const { pendingBytes } = await shop.state();
      const compaction = await compactionOf(shop, start, 3);
      assert.equal(await shop.keeper.compact(claim, compaction), true);
      const { base, oldestAt, pendingBytes: left, pendingRecords } = await shop.state();
      assert.ok(base);
      const bytes = [...compaction.changes].reduce((sum, [record, entry]) => sum + record.length + entry.length, 0);
      assert.deepEqual(base, { from: start, to: frames[2]?.position, at: frames[2]?.at, records: 3, bytes });
      assert.equal(left, pendingBytes - compaction.bytes + bytes);
      assert.deepEqual([oldestAt, pendingRecords], [frames[0]?.at, 3]);
      assert.deepEqual(
        (await shop.frames()).map(({ position }) => position.sequence),
        [3, 4],
      );
      assert.deepEqual(
        await all(shop),
        new Map<string, BaseChange>([
          ["a", { change: replace(b("2")), sequence: 2 }],
          ["h", { change: merge({ x: "1", y: "2" }), sequence: 3 }],
          ["gone", { change: remove, sequence: 3 }],
        ]),
      );
      await shop.is("a", value(b("later")));
      assert.deepEqual(await shop.keeper.positionAt(0, 3), frames[2]?.position);
      assert.equal(await shop.keeper.positionAt(0, 2), null);
    },
  },
  {
    name: "a base grows only from where it ends, and what it has of records is answered at one moment",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const text of ["1", "2", "3", "4"]) await shop.write(["a", replace(b(text))], [`r${text}`, replace(b("x"))]);
      const claim = await shop.claim();
      const start = await before(shop);
      const stale = await compactionOf(shop, start, 1);
      const whole = await compactionOf(shop, start, 2);
      assert.equal(await shop.keeper.compact(claim, whole), true);
      assert.equal(await shop.keeper.compact(claim, stale), false);
      assert.equal(await shop.keeper.compact(claim, whole), false);
      assert.equal(await shop.keeper.compact(claim, { ...stale, after: { ...whole.to, tag: 1 }, to: whole.to }), false);
      assert.equal(await compact(shop, claim, whole.to, 4), true);
      const { base, changes } = await shop.keeper.baseOf(0, [b("a"), b("never"), b("r1")], 1e9);
      assert.deepEqual([base?.from, base?.to.sequence, base?.records], [start, 4, 5]);
      assert.deepEqual(
        changes.map((entry) => (entry === null ? null : baseOfBytes(entry))),
        [{ change: replace(b("4")), sequence: 4 }, null, { change: replace(b("x")), sequence: 1 }],
      );
      assert.equal((await shop.keeper.baseOf(0, [b("a"), b("r1"), b("r2")], 0)).changes.length, 1);
      assert.deepEqual(await shop.keeper.baseOf(1, [b("a")], 1e9), { base: null, changes: [null] });
    },
  },
  {
    name: "a base of many records comes in pages, each record once at least",
    run: async (world) => {
      const shop = await Shop.open(world);
      const names = Array.from({ length: 3000 }, (_, number) => `r${number}`);
      await shop.write(...names.map((name) => [name, replace(b("x".repeat(100)))] as const));
      const claim = await shop.claim();
      assert.equal(await compact(shop, claim, await before(shop), 1), true);
      assert.deepEqual([...(await all(shop, 100)).keys()].toSorted(), names.toSorted());
    },
  },
  {
    name: "how far the database may be is told, and a base may begin behind that: then the log keeps what is before",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const text of ["1", "2", "3", "4"]) await shop.write(["a", replace(b(text))]);
      const [first, second] = (await shop.frames()).map(({ position }) => position) as [Position, Position];
      const claim = await shop.claim();
      const start = await before(shop);
      assert.deepEqual(start, (await shop.state()).stored);
      await shop.keeper.aim(claim, second);
      await shop.keeper.aim(claim, first);
      assert.deepEqual(await before(shop), second);
      assert.equal(await compact(shop, claim, second, 4), true);
      assert.deepEqual(
        (await shop.frames()).map(({ position }) => position.sequence),
        [1, 2, 4],
      );
      assert.deepEqual((await shop.state()).base?.from, second);
      await shop.store(claim, [], 60_000, 2);
      assert.equal((await shop.state()).base, null);
      await shop.write(["a", replace(b("5"))]);
      assert.equal(await compact(shop, claim, second, 5), false);
    },
  },
  {
    name: "an aim at a frame that the log does not have is no place of the log",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const [frame] = await shop.frames();
      const claim = await shop.claim();
      await shop.keeper.aim(claim, { ...(frame?.position as Position), sequence: 2, tag: 7 });
      assert.equal(await shop.keeper.positionAt(0, 2), null);
    },
  },
  {
    name: "an aim inside a base is known by its tag, until the database is beyond",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const text of ["1", "2", "3"]) await shop.write(["a", replace(b(text))]);
      const frames = await shop.frames();
      const claim = await shop.claim();
      const start = await before(shop);
      assert.equal(await compact(shop, claim, start, 2), true);
      const inside = frames[1]?.position as Position;
      await shop.keeper.aim(claim, inside);
      assert.equal(await compact(shop, claim, inside, 3), true);
      assert.deepEqual(await shop.keeper.positionAt(0, 2), inside);
      assert.equal(await shop.keeper.positionAt(0, 1), null);
      const told = { at: frames[1]?.at ?? 0, generation: 1, trimTo: 0, bytes: 0, settled: null };
      await shop.keeper.stored(claim, { position: inside, ...told }, telling());
      const { base, oldestAt, pendingBytes } = await shop.state();
      assert.deepEqual([base?.from, base?.to.sequence, oldestAt], [start, 3, frames[0]?.at]);
      assert.equal(pendingBytes, base?.bytes);
      await shop.keeper.stored(claim, { ...told, position: frames[2]?.position as Position }, telling());
      const after = await shop.state();
      assert.deepEqual([after.base, after.pendingBytes, after.oldestAt], [null, 0, null]);
      assert.equal(await shop.keeper.positionAt(0, 2), null);
    },
  },
  {
    name: "when the database has a base it goes, with its bytes; what came later stays pending",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const text of ["1", "2"]) await shop.write(["a", replace(b(text))], ["c", replace(b(text))]);
      const claim = await shop.claim();
      const compaction = await compactionOf(shop, await before(shop), 2);
      assert.equal(await shop.keeper.compact(claim, compaction), true);
      await shop.write(["a", replace(b("later"))]);
      const [, last] = await shop.keeper.frames(0, 1, 1e9);
      await shop.keeper.settle(claim, 2, [b("a"), b("c")], 60_000, telling());
      const { to: position, at } = compaction;
      await shop.keeper.stored(claim, { position, at, generation: 1, trimTo: 0, bytes: 0, settled: null }, telling());
      const { base, pendingBytes, pendingRecords, oldestAt } = await shop.state();
      assert.deepEqual([base, pendingBytes, pendingRecords, oldestAt], [null, last?.bytes, 1, last?.frame.at]);
      assert.deepEqual(await shop.keeper.baseRecords(0, null, 10), { changes: new Map(), next: null });
    },
  },
  {
    name: "who has lost its claim neither aims nor compacts",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const old = await shop.claim();
      await shop.keeper.release(old);
      await shop.claim("worker-2");
      const compaction = await compactionOf(shop, await before(shop), 1);
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.compact(old, compaction));
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.aim(old, compaction.to));
      const { base, aimed, stored } = await shop.state();
      assert.deepEqual([base, aimed], [null, stored]);
    },
  },
];
