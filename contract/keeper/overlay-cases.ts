/** Blind merges, leases and fills: what is known of records of which only the database knows the rest. */
import assert from "node:assert/strict";
import type { RecordValue } from "../../src/change.js";
import {
  absent,
  b,
  expire,
  fields,
  merge,
  nothingKnown,
  overlaid,
  remove,
  replace,
  Shop,
  value,
  type KeeperCaseBody,
  telling,
} from "./world.js";

async function fills(shop: Shop, lease: string, record: string, loaded: RecordValue | null, freshMs = 60_000) {
  const [taken] = await shop.keeper.fill(shop.partition, lease, [{ record: b(record), value: loaded, freshMs }]);
  return taken;
}

const row: RecordValue = { content: fields({ x: "row", z: "row" }), expiresAt: null };

/** Overlays. */
export const overlayCases: readonly KeeperCaseBody[] = [
  {
    name: "a blind merge lays fields over a record that is not known; merges of it add up",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", merge({ x: "1" }, ["y"])]);
      await shop.is("a", overlaid({ x: "1" }, ["y"]));
      await shop.write(["a", merge({ y: "2", "": "3" }, ["x"])]);
      await shop.is("a", overlaid({ y: "2", "": "3" }, ["x"]));
      await shop.write(["a", expire(5_000_000_000_000)]);
      await shop.is("a", overlaid({ y: "2", "": "3" }, ["x"], 5_000_000_000_000));
      await shop.write(["a", merge({ y: "3" })]);
      await shop.is("a", overlaid({ y: "3", "": "3" }, ["x"], 5_000_000_000_000));
      await shop.write(["a", merge({}, [], null)]);
      await shop.is("a", overlaid({ y: "3", "": "3" }, ["x"], null));
      await shop.write(["c", merge({})], ["d", expire(undefined)]);
      await shop.is("c", overlaid({}));
      await shop.is("d", overlaid({}));
    },
  },
  {
    name: "a whole value, or a removal, takes an overlay's place",
    run: async (world) => {
      const shop = await Shop.open(world);
      for (const record of ["a", "c", "d"]) await shop.write([record, merge({ x: "1" })]);
      await shop.write(["a", replace(b("1"))]);
      await shop.write(["c", remove], ["d", replace(fields({ y: "1" }))]);
      await shop.is("a", value(b("1")));
      await shop.is("c", absent);
      await shop.is("d", value(fields({ y: "1" })));
      await world.lose(b("a"));
      await shop.is("a", { ...nothingKnown, lost: true });
      await shop.store(await shop.claim(), ["a", "c", "d"], 0);
      for (const record of ["a", "c", "d"]) await shop.write([record, merge({ z: "1" })]);
      for (const record of ["a", "c", "d"]) await shop.is(record, overlaid({ z: "1" }));
    },
  },
  {
    name: "a record that a fill has made whole is settled as any other",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", merge({ x: "1" })]);
      await shop.known("a", "mine");
      assert.equal(await fills(shop, "mine", "a", row), true);
      await shop.store(await shop.claim(), ["a"]);
      await shop.is("a", { state: "value", value: row });
      assert.notEqual(await world.forgetsIn(b("a")), null);
      await world.lose(b("a"));
      await shop.write(["a", merge({ y: "1" })]);
      await shop.is("a", overlaid({ y: "1" }));
    },
  },
  {
    name: "a fill of the row with the overlay on it makes the record whole, and it stays pending",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", merge({ x: "1" })]);
      assert.deepEqual(await shop.known("a", "mine"), overlaid({ x: "1" }));
      const whole = { content: fields({ x: "1", z: "row" }), expiresAt: null };
      assert.equal(await fills(shop, "mine", "a", whole), true);
      await shop.is("a", { state: "value", value: whole });
      assert.equal(await world.forgetsIn(b("a")), null);
      assert.equal((await shop.state()).pendingRecords, 1);
      await shop.write(["a", merge({ y: "2" })]);
      await shop.is("a", value(fields({ x: "1", y: "2", z: "row" })));
      await shop.store(await shop.claim(), ["a"]);
      await shop.is("a", value(fields({ x: "1", y: "2", z: "row" })));
      assert.notEqual(await world.forgetsIn(b("a")), null);
    },
  },
  {
    name: "an overlay goes when its merges are settled, and takes the lease with it",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", merge({ x: "1" })], ["c", merge({ x: "1" })]);
      await shop.write(["c", merge({ y: "1" })]);
      await shop.known("a", "mine");
      const claim = await shop.claim();
      await shop.keeper.settle(claim, 1, [b("a"), b("c")], 60_000, telling());
      await shop.is("a", nothingKnown);
      await shop.is("c", overlaid({ x: "1", y: "1" }));
      assert.equal(await fills(shop, "mine", "a", row), false);
      await shop.is("a", nothingKnown);
    },
  },
  {
    name: "a new expiry on a record that was forgotten is not the old one",
    run: async (world) => {
      const shop = await Shop.open(world);
      const soon = (await shop.now()) + 30;
      await shop.write(["a", replace(fields({ x: "1" }), soon)]);
      await shop.store(await shop.claim(), ["a"]);
      await world.lose(b("a"));
      await shop.is("a", nothingKnown);
      await shop.write(["a", merge({ y: "1" }, [], null)]);
      await world.passes(40);
      await shop.is("a", overlaid({ y: "1" }, [], null));
      await shop.known("a", "mine");
      const whole = { content: fields({ x: "1", y: "1" }), expiresAt: null };
      assert.equal(await fills(shop, "mine", "a", whole), true);
      await shop.is("a", { state: "value", value: whole });
    },
  },
  {
    name: "a fill needs the lease of its load",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.is("a", nothingKnown);
      assert.equal(await fills(shop, "mine", "a", row), false);
      await shop.known("a", "mine");
      assert.equal(await fills(shop, "theirs", "a", row), false);
      assert.equal(await fills(shop, "mine", "a", row), true);
      await shop.is("a", { state: "value", value: row });
      assert.equal(await fills(shop, "mine", "a", null), false);
      assert.equal((await shop.state()).pendingRecords, 0);
    },
  },
  {
    name: "a newer lease takes the older one's right, and another record's none",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.known("a", "old");
      await shop.known("c", "old");
      await shop.known("a", "new");
      assert.equal(await fills(shop, "old", "a", row), false);
      assert.equal(await fills(shop, "new", "a", row), true);
      assert.equal(await fills(shop, "old", "c", row), true);
    },
  },
  {
    name: "any write takes the lease, whatever it is and whether the record is known by then or not",
    run: async (world) => {
      const shop = await Shop.open(world);
      const writes = { plain: replace(b("1")), hash: replace(fields({})), gone: remove, laid: merge({ x: "1" }) };
      for (const [record, change] of Object.entries({ ...writes, expiry: expire(null) })) {
        await shop.known(record, "mine");
        await shop.write([record, change]);
        const before = await shop.known(record);
        assert.equal(await fills(shop, "mine", record, row), false);
        assert.deepEqual(await shop.known(record), before);
      }
    },
  },
  {
    name: "a removed record is not filled, and an overlay is not filled with an absence",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", remove]);
      assert.deepEqual(await shop.known("a", "mine"), absent);
      assert.equal(await fills(shop, "mine", "a", row), false);
      await shop.write(["c", merge({ x: "1" })]);
      await shop.known("c", "mine");
      assert.equal(await fills(shop, "mine", "c", null), false);
      await shop.is("c", overlaid({ x: "1" }));
    },
  },
  {
    name: "fills of strings, hashes with and without fields, expiries, absences, several at once",
    run: async (world) => {
      const shop = await Shop.open(world);
      const later = (await shop.now()) + 60_000;
      const loaded: Record<string, RecordValue | null> = {
        string: { content: b("text"), expiresAt: null },
        empty: { content: b(""), expiresAt: later },
        hash: { content: fields({ x: "1", "": "" }), expiresAt: later },
        bare: { content: fields({}), expiresAt: null },
        none: null,
      };
      const asked = Object.keys(loaded).map((record) => ({ partition: 0, record: b(record) }));
      await shop.keeper.read(asked, "mine");
      const each = Object.entries(loaded).map(([record, known]) => ({ record: b(record), value: known, freshMs: 9e6 }));
      assert.deepEqual(await shop.keeper.fill(0, "mine", each), [true, true, true, true, true]);
      for (const [record, known] of Object.entries(loaded)) {
        await shop.is(record, known === null ? absent : { state: "value", value: known });
      }
      assert.ok(((await world.forgetsIn(b("hash"))) ?? 0) <= 60_000);
      assert.ok(((await world.forgetsIn(b("string"))) ?? 0) > 60_000);
      await shop.write(["none", replace(b("1"))]);
      await shop.is("none", value(b("1")));
    },
  },
  {
    name: "what was filled is forgotten in time, an absence too, and one that has ended is not kept",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.keeper.read(
        ["a", "c", "d", "e"].map((record) => ({ partition: 0, record: b(record) })),
        "mine",
      );
      assert.equal(await fills(shop, "mine", "a", row, 20), true);
      assert.equal(await fills(shop, "mine", "c", null, 20), true);
      await fills(shop, "mine", "d", { ...row, expiresAt: 1000 });
      assert.equal(await fills(shop, "mine", "e", row, Number.POSITIVE_INFINITY), true);
      assert.notEqual((await shop.known("d")).state, "value");
      await world.passes(30);
      await shop.is("a", nothingKnown);
      await shop.is("c", nothingKnown);
      await shop.is("e", { state: "value", value: row });
    },
  },
  {
    name: "an absence ends with any write, and a settled removal is an absence for a while",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.known("a", "mine");
      await fills(shop, "mine", "a", null);
      await shop.write(["a", merge({ x: "1" })]);
      await shop.is("a", overlaid({ x: "1" }));
      await shop.write(["c", remove], ["d", remove]);
      const claim = await shop.claim();
      await shop.keeper.settle(claim, 2, [b("c")], 20, telling());
      await shop.is("c", absent);
      await world.passes(30);
      await shop.is("c", nothingKnown);
      await shop.keeper.settle(claim, 2, [b("d")], 60_000, telling());
      await shop.is("d", absent);
      assert.equal((await shop.state()).pendingRecords, 1);
      await shop.write(["d", replace(b("1"))]);
      await shop.is("d", value(b("1")));
    },
  },
];
