/** The writers' side: claims, settling, what is stored and what is parked. */
import assert from "node:assert/strict";
import type { Bytes } from "../../src/bytes.js";
import type { Frame, FrameOnDisk } from "../../src/queue/queue.js";
import type { ParkedChange } from "../../src/redis/keeper.js";
import {
  absent,
  b,
  fields,
  merge,
  nothingKnown,
  rejectsWith,
  remove,
  replace,
  Shop,
  telling,
  value,
  type KeeperCaseBody,
} from "./world.js";

const nothing: ParkedChange = {
  put: new Map(),
  drop: [],
  frames: new Map(),
  totals: { letters: 0, waitingBehind: 0 },
  throwAway: [],
  anew: false,
};

/** Claims and what they allow. */
export const writerCases: readonly KeeperCaseBody[] = [
  {
    name: "settling leaves a record with a later change pending",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))], ["c", replace(b("1"))]);
      await shop.write(["a", replace(b("2"))]);
      const claim = await shop.claim();
      await shop.keeper.settle(claim, 1, [b("a"), b("c"), b("never")], 60_000, telling());
      assert.equal((await shop.state()).pendingRecords, 1);
      assert.equal(await world.forgetsIn(b("a")), null);
      assert.notEqual(await world.forgetsIn(b("c")), null);
      await shop.keeper.settle(claim, 2, [b("a")], 60_000, telling());
      assert.equal((await shop.state()).pendingRecords, 0);
      assert.notEqual(await world.forgetsIn(b("a")), null);
      await shop.is("a", value(b("2")));
    },
  },
  {
    name: "many records are settled at once, and those that are not to be kept are forgotten at once",
    run: async (world) => {
      const shop = await Shop.open(world);
      const names = Array.from({ length: 9000 }, (_, number) => `r${number}`);
      await shop.write(...names.map((name) => [name, replace(b("1"))] as const));
      await shop.store(await shop.claim(), names, 0);
      const { pendingRecords, pendingBytes } = await shop.state();
      assert.deepEqual([pendingRecords, pendingBytes], [0, 0]);
      await shop.is("r0", nothingKnown);
      await shop.is("r8999", nothingKnown);
    },
  },
  {
    name: "what is stored moves, the bytes come back to nothing, and the oldest is the next frame",
    run: async (world) => {
      const shop = await Shop.open(world);
      const empty = await shop.state();
      assert.deepEqual([empty.pendingBytes, empty.oldestAt, empty.letters, empty.waitingBehind], [0, null, 0, 0]);
      assert.ok(empty.storedAt > 1000);
      await shop.write(["a", replace(b("1"))]);
      await world.passes(5);
      await shop.write(["a", merge({ x: "1" })]);
      await shop.write(["a", replace(b("3"))]);
      const frames = await shop.keeper.frames(0, 0, 1e9);
      const [first, second, third] = frames.map(({ frame }) => frame) as [Frame, Frame, Frame];
      assert.equal((await shop.state()).oldestAt, first.at);
      const claim = await shop.claim();
      const stored = (to: Frame, bytes: number, generation: number) =>
        shop.keeper.stored(
          claim,
          { position: to.position, at: to.at, generation, trimTo: 0, bytes, settled: null },
          telling(),
        );
      await stored(first, frames[0]?.bytes ?? 0, 7);
      const after = await shop.state();
      assert.deepEqual([after.stored, after.storedAt, after.oldestAt], [first.position, first.at, second.at]);
      assert.equal(after.pendingBytes, (frames[1]?.bytes ?? 0) + (frames[2]?.bytes ?? 0));
      await stored(third, (frames[1]?.bytes ?? 0) + (frames[2]?.bytes ?? 0), 7);
      const end = await shop.state();
      assert.deepEqual([end.stored, end.pendingBytes, end.oldestAt], [third.position, 0, null]);
      await stored(first, 0, 8);
      assert.deepEqual([(await shop.state()).stored, (await shop.state()).oldestAt], [first.position, second.at]);
      const { partitions } = await shop.keeper.read([{ partition: 0, record: b("a") }], null);
      const { logId, sequence } = third.position;
      assert.deepEqual(partitions[0]?.reached, { logId, sequence, generation: 8 });
    },
  },
  {
    name: "what is settled the database is known to have, before it is told as stored",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      await shop.keeper.settle(await shop.claim(), 1, [b("a")], 60_000, telling());
      const { partitions } = await shop.keeper.read([{ partition: 0, record: b("a") }], null);
      assert.equal(partitions[0]?.reached?.sequence, 1);
      const { reached, stored } = await shop.state();
      assert.deepEqual([reached, stored.sequence], [1, 0]);
    },
  },
  {
    name: "a partition has one owner; its lease ends by the keeper's clock, and the numbers grow",
    run: async (world) => {
      const shop = await Shop.open(world);
      const { keeper } = shop;
      const first = await shop.claim("worker-1", 40);
      assert.equal((await shop.state()).owner, "worker-1");
      assert.equal(await keeper.claim("worker-2", 0, 40), null);
      assert.equal(await keeper.claim("worker-1", 0, 40), null);
      assert.notEqual(await keeper.claim("worker-2", 1, 60_000), null);
      await world.passes(50);
      assert.equal((await shop.state()).owner, null);
      const second = await shop.claim("worker-2");
      assert.ok(second.number > first.number);
      assert.equal(await keeper.holds(first, 1000), false);
      assert.equal(await keeper.holds(second, 1000), true);
      assert.equal((await shop.state()).owner, "worker-2");
    },
  },
  {
    name: "a lease is prolonged, also a late one that nobody has taken",
    run: async (world) => {
      const shop = await Shop.open(world);
      const claim = await shop.claim("worker-1", 30);
      assert.equal(await shop.keeper.holds(claim, 60_000), true);
      await world.passes(40);
      assert.equal(await shop.keeper.claim("worker-2", 0, 1000), null);
      assert.equal(await shop.keeper.holds(claim, 10), true);
      await world.passes(20);
      assert.equal(await shop.keeper.holds(claim, 60_000), true);
      assert.equal(await shop.keeper.claim("worker-2", 0, 1000), null);
    },
  },
  {
    name: "a partition that was given back is free, and is not held any more",
    run: async (world) => {
      const shop = await Shop.open(world);
      const first = await shop.claim();
      await shop.keeper.release(first);
      assert.equal((await shop.state()).owner, null);
      assert.equal(await shop.keeper.holds(first, 60_000), false);
      const second = await shop.claim("worker-2");
      await shop.keeper.release(first);
      assert.equal((await shop.state()).owner, "worker-2");
      assert.equal(await shop.keeper.holds(second, 60_000), true);
    },
  },
  {
    name: "what a worker without the newest claim says is refused, and changes nothing",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const [{ position, at }] = (await shop.frames()) as [Frame];
      const old = await shop.claim();
      await shop.keeper.release(old);
      const newest = await shop.claim("worker-2");
      const stored = { position, at, generation: 1, trimTo: 1, bytes: 10, settled: null };
      const before = await shop.state();
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.settle(old, 1, [b("a")], 1000, telling()));
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.stored(old, stored, telling()));
      await rejectsWith(
        "QUEUE_MISMATCH",
        shop.keeper.parked(old, { ...nothing, throwAway: [b("a")], anew: true }, telling()),
      );
      assert.deepEqual(await shop.state(), before);
      await shop.is("a", value(b("1")));
      await shop.keeper.settle(newest, 1, [b("a")], 1000, telling());
      await shop.keeper.stored(newest, stored, telling());
      assert.deepEqual((await shop.state()).stored, position);
    },
  },
  {
    name: "a claim of the same number is another worker's: a keeper that went back gives numbers twice",
    run: async (world) => {
      const shop = await Shop.open(world);
      const claim = await shop.claim();
      const earlier = { ...claim, worker: "worker-0" };
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.settle(earlier, 1, [], 1000, telling()));
      await shop.keeper.release(earlier);
      assert.equal((await shop.state()).owner, claim.worker);
      assert.equal(await shop.keeper.settle(claim, 0, [], 1000, telling()), true);
    },
  },
  {
    name: "workers that live are seen with what they say; the dead are forgotten, and what they owned is free",
    run: async (world) => {
      const shop = await Shop.open(world);
      const { keeper } = shop;
      const first = await keeper.beat("worker-1", 40, '{"a":1}');
      assert.deepEqual([first.paused, first.owners], [false, [null, null]]);
      assert.deepEqual(
        first.workers.map(({ id, report }) => [id, report]),
        [["worker-1", '{"a":1}']],
      );
      await shop.claim("worker-1", 40);
      await world.passes(5);
      const both = await keeper.beat("worker-2", 40, "");
      assert.deepEqual(
        both.workers.map(({ id }) => id),
        ["worker-1", "worker-2"],
      );
      assert.deepEqual(both.owners, ["worker-1", null]);
      await world.passes(50);
      const alone = await keeper.beat("worker-2", 40, "again");
      assert.deepEqual(
        alone.workers.map(({ id, report }) => [id, report]),
        [["worker-2", "again"]],
      );
      assert.deepEqual(alone.owners, [null, null]);
      assert.equal(alone.workers[0]?.seenAt, alone.now);
      await keeper.leave("worker-2");
      const last = await keeper.beat("worker-3", 60_000, "");
      assert.deepEqual(
        last.workers.map(({ id }) => id),
        ["worker-3"],
      );
    },
  },
  {
    name: "what is parked lies beside records that are not known, and frames that are parked are told",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", merge({ x: "1" })], ["c", replace(b("1"))]);
      const claim = await shop.claim();
      const put = new Map<Bytes, Bytes>([
        [b("a"), "\0parked\xff" as Bytes],
        [b("c"), b("parked c")],
        [b("d"), b("parked d")],
      ]);
      const frames = new Map([
        [1, "letter-1"],
        [10, "letter-2"],
      ]);
      const totals = { letters: 2, waitingBehind: 3 };
      await shop.keeper.parked(claim, { ...nothing, put, frames, totals }, telling());
      const { letters, waitingBehind } = await shop.state();
      assert.deepEqual({ letters, waitingBehind }, totals);
      const overlay = { set: fields({ x: "1" }), unset: new Set<Bytes>(), expiresAt: undefined };
      await shop.is("a", { ...nothingKnown, parked: "\0parked\xff" as Bytes, overlay });
      await shop.is("c", value(b("1")));
      await shop.is("d", { ...nothingKnown, parked: b("parked d") });
      assert.deepEqual(await shop.keeper.parkedBetween(0, 1, 10), frames);
      assert.deepEqual(await shop.keeper.parkedBetween(0, 2, 2), new Map());
      assert.deepEqual(await shop.keeper.parkedBetween(0, 3, 2), new Map());
      await shop.keeper.parked(claim, { ...nothing, drop: [b("a")], frames: new Map([[1, "letter-0"]]) }, telling());
      await shop.is("a", { ...nothingKnown, overlay });
      assert.deepEqual(await shop.keeper.parkedBetween(0, 1, 10), new Map([...frames, [1, "letter-0"]]));
      await shop.keeper.parked(claim, { ...nothing, put: new Map([[b("e"), b("e")]]), anew: true }, telling());
      await shop.is("d", nothingKnown);
      await shop.is("e", { ...nothingKnown, parked: b("e") });
    },
  },
  {
    name: "what an owner tells is a chain: nothing is done twice, and nothing beside what was heard last",
    run: async (world) => {
      const shop = await Shop.open(world);
      const { keeper } = shop;
      await shop.write(["a", replace(b("1"))], ["c", replace(b("1"))]);
      const [{ frame: only, bytes }] = (await keeper.frames(0, 0, 1e9)) as [FrameOnDisk];
      const claim = await shop.claim();
      const stored = {
        position: only.position,
        at: only.at,
        generation: 1,
        trimTo: 0,
        bytes: bytes - 1,
        settled: null,
      };
      const put = new Map([[b("a"), b("parked a")]]);
      assert.equal((await shop.state()).heard, null);
      const first = { after: null, name: "worker 1 1" };
      assert.equal(await keeper.parked(claim, { ...nothing, put, anew: true }, first), true);
      assert.equal(await keeper.parked(claim, { ...nothing, throwAway: [b("c")] }, first), true);
      await shop.is("c", value(b("1")));
      assert.equal((await shop.state()).heard, "worker 1 1");
      await shop.write(["a", replace(b("2"))]);
      const next = { after: "worker 1 1", name: "worker 1 2" };
      assert.equal(await keeper.stored(claim, stored, { after: "worker 1 0", name: "worker 1 7" }), false);
      assert.equal((await shop.state()).stored.sequence, 0);
      const before = (await shop.state()).pendingBytes;
      for (let again = 0; again < 2; again++) assert.equal(await keeper.stored(claim, stored, next), true);
      const { pendingBytes, heard } = await shop.state();
      assert.deepEqual([before - pendingBytes, heard], [bytes - 1, "worker 1 2"]);
      const late = { after: "worker 1 1", name: "worker 1 3" };
      assert.equal(await keeper.parked(claim, { ...nothing, drop: [b("a")] }, late), false);
      assert.equal(await keeper.parked(claim, nothing, telling()), true);
    },
  },
  {
    name: "what is settled before a position is a chain of its own, and the position follows on it",
    run: async (world) => {
      const shop = await Shop.open(world);
      const { keeper } = shop;
      await shop.write(["a", replace(b("1"))], ["c", replace(b("1"))]);
      const [{ frame: only, bytes }] = (await keeper.frames(0, 0, 1e9)) as [FrameOnDisk];
      const claim = await shop.claim();
      const settle = (record: string, after: string | null, name: string): Promise<boolean> =>
        keeper.settle(claim, 1, [b(record)], 60_000, { after, name });
      const stored = (settled: string, name: string): Promise<boolean> => {
        const told = { position: only.position, at: only.at, generation: 1, trimTo: 0, bytes, settled };
        return keeper.stored(claim, told, { after: null, name });
      };
      const { heard } = await shop.state();
      // As where the keeper went back to before the first settling.
      assert.equal(await stored("first", "told 1"), false);
      assert.equal(await settle("c", "first", "second"), false);
      const before = await shop.state();
      assert.deepEqual([before.pendingRecords, before.stored.sequence, before.heard], [2, 0, heard]);
      assert.equal(await settle("a", null, "first"), true);
      assert.equal(await settle("c", "first", "second"), true);
      assert.equal(await stored("first", "told 1"), false);
      assert.equal(await stored("second", "told 1"), true);
      // Told again because an answer was lost, behind another attempt at what comes before it.
      assert.equal(await settle("a", null, "third"), true);
      assert.equal(await stored("fourth", "told 1"), true);
      const { pendingRecords, pendingBytes, stored: at } = await shop.state();
      assert.deepEqual([pendingRecords, pendingBytes, at.sequence], [0, 0, 1]);
    },
  },
  {
    name: "where all that is parked is new, what is parked no more is known no more",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))], ["c", replace(b("1"))]);
      const claim = await shop.claim();
      await shop.store(claim, ["a", "c"]);
      const put = new Map([
        [b("a"), b("parked a")],
        [b("c"), b("parked c")],
      ]);
      await shop.keeper.parked(claim, { ...nothing, put }, telling());
      const { thrown } = await shop.mark();
      await shop.keeper.parked(claim, { ...nothing, put: new Map([[b("a"), b("else")]]), anew: true }, telling());
      await shop.is("a", value(b("1")));
      await shop.is("c", nothingKnown);
      assert.equal((await shop.mark()).thrown, thrown + 1);
    },
  },
  {
    name: "what is known and thrown away is known no more; what is pending of it only the log knows",
    run: async (world) => {
      const shop = await Shop.open(world);
      const soon = (await shop.now()) + 20;
      await shop.write(["clean", replace(b("1"), soon)], ["gone", remove]);
      const claim = await shop.claim();
      await shop.store(claim, ["clean", "gone"]);
      await shop.write(["whole", replace(b("1"))], ["laid", merge({ x: "1" })], ["removed", remove]);
      await shop.known("asked", "mine");
      const names = ["clean", "gone", "whole", "laid", "removed", "asked", "never"];
      await shop.keeper.parked(claim, { ...nothing, throwAway: names.map(b) }, telling());
      await world.passes(30);
      await shop.is("clean", nothingKnown);
      await shop.is("gone", nothingKnown);
      await shop.is("whole", { ...nothingKnown, lost: true });
      const laid = await shop.known("laid");
      assert.deepEqual(laid.state === "unknown" && laid.overlay?.set, fields({ x: "1" }));
      await shop.is("removed", absent);
      const fill = { record: b("asked"), value: null, freshMs: 1000 };
      assert.deepEqual(await shop.keeper.fill(0, "mine", [fill]), [false]);
      assert.equal((await shop.state()).pendingRecords, 3);
    },
  },
  {
    name: "frames that are trimmed are not told to be parked any more",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const text of ["1", "2", "3"]) await shop.write(["a", replace(b(text))]);
      const claim = await shop.claim();
      const frames = new Map([1, 2, 3].map((sequence) => [sequence, `letter ${sequence}`]));
      await shop.keeper.parked(claim, { ...nothing, frames }, telling());
      assert.deepEqual(await shop.keeper.parkedBetween(0, 1, 3), frames);
      await shop.store(claim, ["a"], 1000, 2);
      frames.delete(1);
      assert.deepEqual(await shop.keeper.parkedBetween(0, 1, 3), frames);
    },
  },
];
