/** Frames made from what was read, each whole or not at all, and the limits of room. */
import assert from "node:assert/strict";
import {
  b,
  expire,
  frame,
  merge,
  nothingKnown,
  remove,
  replace,
  Shop,
  telling,
  value,
  wide,
  type KeeperCaseBody,
} from "./world.js";

const set = (record: string, text = "1") => frame([[record, replace(b(text))]]);
const conflict = { became: "conflict" };

/** Compare and set. */
export const conflictCases: readonly KeeperCaseBody[] = [
  {
    name: "a frame made from what nobody has changed is kept",
    run: async (world) => {
      const shop = await Shop.open(world);
      const never = await shop.from("a", "c");
      assert.equal(await shop.keeper.unchanged(0, never), true);
      assert.equal((await shop.tryWrite(frame([["a", replace(b("1"))]], never))).became, "kept");
      const from = await shop.from("a", "c");
      await shop.write(["other", replace(b("1"))]);
      assert.equal(await shop.keeper.unchanged(0, from), true);
      assert.equal((await shop.tryWrite(frame([["c", replace(b("2"))]], from))).became, "kept");
      await shop.is("c", value(b("2")));
      assert.equal(await shop.keeper.unchanged(0, new Map()), true);
    },
  },
  {
    name: "a frame made from what was written since is a conflict and leaves nothing behind",
    run: async (world) => {
      const shop = await Shop.open(world);
      const changes = { plain: replace(b("9")), gone: remove, laid: merge({ x: "9" }), expiry: expire(null) };
      for (const [record, change] of Object.entries(changes)) {
        const from = await shop.from(record, "other");
        await shop.write([record, change]);
        const before = await shop.state();
        const made = frame(
          [
            ["other", replace(b("2"))],
            ["another", merge({ x: "1" })],
          ],
          from,
        );
        assert.deepEqual(await shop.tryWrite(made), conflict);
        assert.equal(await shop.keeper.unchanged(0, from), false);
        assert.deepEqual({ ...(await shop.state()), storedAt: 0 }, { ...before, storedAt: 0 });
        await shop.is("other", nothingKnown);
      }
    },
  },
  {
    name: "an expiry of a removed record counts as written",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", remove]);
      const from = await shop.from("a");
      await shop.write(["a", expire(null)]);
      assert.deepEqual(await shop.tryWrite(frame([["a", replace(b("1"))]], from)), conflict);
    },
  },
  {
    name: "what was written since and settled is a conflict all the same",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const from = await shop.from("a");
      await shop.write(["a", replace(b("2"))]);
      await shop.store(await shop.claim(), ["a"], 60_000, 2);
      assert.equal(await shop.keeper.unchanged(0, from), false);
      assert.deepEqual(await shop.tryWrite(frame([["a", replace(b("3"))]], from)), conflict);
      await shop.is("a", value(b("2")));
      const again = await shop.from("a");
      assert.equal((await shop.tryWrite(frame([["a", replace(b("3"))]], again))).became, "kept");
    },
  },
  {
    name: "what was known has been thrown away since: a conflict",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      const from = await shop.from("a");
      const totals = { letters: 0, waitingBehind: 0 };
      const change = { put: new Map(), drop: [], frames: new Map(), totals, throwAway: [b("z")], anew: false };
      await shop.keeper.parked(await shop.claim(), change, telling());
      assert.equal((await shop.mark()).thrown, 1);
      assert.equal(await shop.keeper.unchanged(0, from), false);
      assert.deepEqual(await shop.tryWrite(frame([["a", replace(b("3"))]], from)), conflict);
    },
  },
  {
    name: "of two frames of one call that were made from the same record the second is a conflict",
    run: async (world) => {
      const shop = await Shop.open(world);
      const from = await shop.from("a");
      const made = (text: string) => frame([["a", replace(b(text))]], from);
      const outcomes = await shop.keeper.write(0, [made("1"), made("2"), set("c"), made("3")], wide);
      assert.deepEqual(outcomes, [
        { became: "kept", sequence: 1 },
        conflict,
        { became: "kept", sequence: 2 },
        conflict,
      ]);
      await shop.is("a", value(b("1")));
      await shop.is("c", value(b("1")));
      assert.equal((await shop.frames()).length, 2);
      const later = await shop.from("a");
      const blind = await shop.keeper.write(0, [set("a", "4"), frame([["a", replace(b("5"))]], later)], wide);
      assert.deepEqual(blind, [{ became: "kept", sequence: 3 }, conflict]);
      const before = await shop.from("a");
      const refused = frame([["a", replace(b("6"))]], from);
      const after = await shop.keeper.write(0, [refused, frame([["a", replace(b("7"))]], before)], wide);
      assert.deepEqual(after, [conflict, { became: "kept", sequence: 4 }]);
    },
  },
  {
    name: "no room in bytes: nothing is written until some are stored; one frame always fits into nothing",
    run: async (world) => {
      const shop = await Shop.open(world);
      const tight = { ...wide, bytes: 10 };
      const full = { became: "full", what: "bytes" };
      assert.equal((await shop.tryWrite(set("a", "x".repeat(500)), tight)).became, "kept");
      assert.deepEqual(await shop.tryWrite(set("c"), tight), full);
      assert.deepEqual(await shop.tryWrite(frame([["c", merge({ x: "1" })]]), tight), full);
      assert.deepEqual(await shop.keeper.write(0, [set("c"), set("d")], tight), [full, full]);
      await shop.is("c", nothingKnown);
      await shop.store(await shop.claim(), ["a"]);
      assert.equal((await shop.tryWrite(set("c"), tight)).became, "kept");
    },
  },
  {
    name: "no room in records: what is pending already may be written again, and each frame is looked at",
    run: async (world) => {
      const shop = await Shop.open(world);
      const two = { ...wide, records: 2 };
      const full = { became: "full", what: "records" };
      const kept = (sequence: number) => ({ became: "kept", sequence });
      const pair = frame([
        ["c", replace(b("1"))],
        ["d", replace(b("1"))],
      ]);
      assert.deepEqual(await shop.keeper.write(0, [set("a"), pair], two), [kept(1), full]);
      await shop.is("c", nothingKnown);
      assert.deepEqual(await shop.keeper.write(0, [set("a"), set("c"), set("d"), set("a")], two), [
        kept(2),
        kept(3),
        full,
        kept(4),
      ]);
      assert.deepEqual(await shop.keeper.write(0, [set("a"), set("c")], two), [kept(5), kept(6)]);
      assert.deepEqual(await shop.tryWrite(pair, two), full);
      assert.deepEqual(await shop.tryWrite(set("e"), two), full);
      assert.deepEqual(await shop.tryWrite(frame([["e", merge({})]]), two), full);
      assert.equal((await shop.tryWrite(frame([["a", merge({ x: "1" })]]), two)).became, "kept");
      assert.equal((await shop.state()).pendingRecords, 2);
      await shop.store(await shop.claim(), ["a", "c"]);
      assert.equal((await shop.tryWrite(pair, two)).became, "kept");
    },
  },
  {
    name: "many frames of one call do not together exceed the room in records",
    run: async (world) => {
      const shop = await Shop.open(world);
      const names = Array.from({ length: 30 }, (_, number) => `r${number}`);
      const room = { ...wide, records: 10 };
      const plain = await shop.keeper.write(
        0,
        names.map((name) => set(name)),
        room,
      );
      assert.equal(plain.filter(({ became }) => became === "kept").length, 10);
      const mixed = names.map((name) => frame([[`m${name}`, merge({ x: "1" })]]));
      const outcomes = await shop.keeper.write(0, mixed, { ...wide, records: 20 });
      assert.equal(outcomes.filter(({ became }) => became === "kept").length, 10);
      assert.equal((await shop.state()).pendingRecords, 20);
    },
  },
  {
    name: "no room for an old change: nothing is written until it is stored",
    run: async (world) => {
      const shop = await Shop.open(world);
      const young = { ...wide, ageMs: 30 };
      assert.equal((await shop.tryWrite(set("a"), young)).became, "kept");
      await world.passes(40);
      assert.deepEqual(await shop.tryWrite(set("c"), young), { became: "full", what: "age" });
      assert.deepEqual(await shop.tryWrite(frame([["c", remove]]), young), { became: "full", what: "age" });
      assert.equal((await shop.tryWrite(set("c"))).became, "kept");
      await shop.store(await shop.claim(), ["a", "c"]);
      assert.equal((await shop.tryWrite(set("c"), young)).became, "kept");
    },
  },
];
