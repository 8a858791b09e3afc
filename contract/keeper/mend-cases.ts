/**
 * What a person's decision does to a partition that had stopped: taken from its owner, emptied of what is clean,
 * mended.
 */
import assert from "node:assert/strict";
import type { Position } from "../../src/queue/queue.js";
import type { Claim } from "../../src/redis/keeper.js";
import {
  absent,
  b,
  frame,
  merge,
  nothingKnown,
  rejectsWith,
  remove,
  replace,
  Shop,
  value,
  type KeeperCaseBody,
  telling,
} from "./world.js";

/** Mends the partition at one of its frames; the bytes are those behind it. */
async function mendAt(shop: Shop, claim: Claim, sequence: number, head?: number): Promise<boolean> {
  const frames = await shop.keeper.frames(shop.partition, 0, 1e9);
  const found = frames.find((each) => each.frame.position.sequence === sequence);
  const { head: last } = await shop.state();
  const base: Position = { logId: last.logId, sequence: 0, tag: 0 };
  const after = frames.filter((each) => each.frame.position.sequence > sequence);
  return shop.keeper.mend(claim, {
    position: found?.frame.position ?? base,
    at: found?.frame.at ?? 0,
    generation: 9,
    head: head ?? last.sequence,
    bytes: after.reduce((sum, each) => sum + each.bytes, 0),
  });
}

/** Taking, forgetting, mending. */
export const mendCases: readonly KeeperCaseBody[] = [
  {
    name: "a partition can be taken from its owner, who learns of it",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const owner = await shop.claim("worker-1");
      assert.equal(await shop.keeper.claim("person", 0, 60_000), null);
      const claim = await shop.keeper.claim("person", 0, 60_000, true);
      assert.ok(claim);
      assert.equal(await shop.keeper.holds(owner, 60_000), false);
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.settle(owner, 1, [b("a")], 60_000, telling()));
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.forget(owner, 1, [b("a")]));
      await rejectsWith("QUEUE_MISMATCH", mendAt(shop, owner, 1));
      assert.equal((await shop.state()).owner, "person");
      await shop.keeper.release(claim);
      assert.ok(await shop.keeper.claim("worker-1", 0, 60_000));
    },
  },
  {
    name: "all records that lie there are found",
    run: async (world) => {
      const [one, two] = [await Shop.open(world, 0), await Shop.open(world, 1)];
      const names = Array.from({ length: 1500 }, (_, number) => `r${number}`);
      await one.write(...names.map((name) => [name, replace(b("1"))] as const));
      await two.write(["of-two", merge({ x: "1" })], ["hash-of-two", replace(new Map([[b("f"), b("1")]]))]);
      const found = new Set<string>();
      for (let after: string | null = null; ;) {
        const { records, next } = await one.keeper.records(after);
        for (const record of records) found.add(record);
        if (next === null) break;
        after = next;
      }
      assert.deepEqual([...found].toSorted(), [...names, "hash-of-two"].toSorted());
    },
  },
  {
    name: "what is clean is forgotten, and what is not pending after a sequence; later changes stay, and others' keys",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["clean", replace(b("1"))]);
      const claim = await shop.claim();
      await shop.store(claim, ["clean"]);
      await shop.write(["early", replace(b("2"))], ["gone", remove]);
      await shop.write(["over", merge({ x: "1" })]);
      await shop.write(["late", replace(b("3"))], ["late-over", merge({ y: "1" })]);
      await world.plant(b("others"));
      const all = ["clean", "early", "gone", "over", "late", "late-over", "others", "never"];
      await shop.keeper.forget(claim, 3, all.map(b));
      for (const name of ["clean", "early", "gone", "over", "never"]) await shop.is(name, nothingKnown);
      await shop.is("late", value(b("3")));
      assert.equal((await shop.known("late-over")).state, "unknown");
      await shop.is("others", { state: "foreign" });
      assert.equal((await shop.state()).pendingRecords, 2);
      assert.equal(await world.forgetsIn(b("late")), null);
    },
  },
  {
    name: "a mended partition goes on where it was told, is broken no more, and takes writes that others can read",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const text of ["1", "2", "3"]) await shop.write([`k${text}`, replace(b(text))]);
      await shop.keeper.break(0, "a fork");
      await rejectsWith("QUEUE_MISMATCH", shop.tryWrite(frame([["x", replace(b("4"))]])));
      const claim = await shop.claim();
      await shop.keeper.forget(claim, 2, [b("k1"), b("k2"), b("k3")]);
      assert.equal(await mendAt(shop, claim, 2), true);
      const state = await shop.state();
      const [, second, third] = await shop.frames();
      assert.deepEqual([state.broken, state.stored, state.head], [null, second?.position, third?.position]);
      assert.deepEqual([state.oldestAt, state.pendingRecords], [third?.at, 1]);
      assert.ok(state.pendingBytes > 0);
      assert.equal(await shop.write(["k4", replace(b("4"))]), 4);
      assert.deepEqual(
        (await shop.frames(2)).map(({ position }) => position.sequence),
        [3, 4],
      );
      assert.equal((await shop.keeper.positionAt(0, 4))?.sequence, 4);
      const { partitions } = await shop.keeper.read([{ partition: 0, record: b("k1") }], null);
      assert.deepEqual(partitions[0]?.reached, { logId: second?.position.logId, sequence: 2, generation: 9 });
      await shop.store(claim, ["k3", "k4"]);
      assert.deepEqual([(await shop.state()).pendingBytes, (await shop.state()).oldestAt], [0, null]);
      assert.equal(await mendAt(shop, claim, 4), true);
      assert.equal(await shop.write(["k5", replace(b("5"))]), 5);
      assert.equal((await shop.frames()).length, 4);
    },
  },
  {
    name: "a partition that goes on before what was called stored is not asked of the database until that is there again",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      await shop.write(["a", replace(b("2"))]);
      const claim = await shop.claim();
      await shop.store(claim, ["a"]);
      const [first, second] = await shop.frames();
      assert.equal(await mendAt(shop, claim, 1), true);
      assert.deepEqual((await shop.state()).stored, first?.position);
      const { partitions } = await shop.keeper.read([{ partition: 0, record: b("a") }], null);
      assert.equal(partitions[0]?.reached?.sequence, second?.position.sequence);
    },
  },
  {
    name: "a log that has grown is not mended; what was read before mending is not written upon, and no absence is left",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const claim = await shop.claim();
      await shop.write(["dead", remove]);
      await shop.store(claim, ["a", "dead"]);
      await shop.is("dead", absent);
      const from = await shop.from("a");
      assert.equal(await mendAt(shop, claim, 2, 1), false);
      assert.deepEqual(await shop.tryWrite(frame([["a", replace(b("2"))]], from)), { became: "kept", sequence: 3 });
      const before = await shop.from("a");
      assert.equal(await mendAt(shop, claim, 3), true);
      assert.deepEqual(await shop.tryWrite(frame([["a", replace(b("3"))]], before)), { became: "conflict" });
      await shop.is("dead", nothingKnown);
    },
  },
];
