/** Writing and reading what is known: strings, hashes, expiries, removals. */
import assert from "node:assert/strict";
import type { Bytes } from "../../src/bytes.js";
import {
  absent,
  b,
  changesOf,
  expire,
  fields,
  frame,
  merge,
  nothingKnown,
  remove,
  replace,
  Shop,
  value,
  type KeeperCaseBody,
} from "./world.js";

const everyByte = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("") as Bytes;

/** Values. */
export const valueCases: readonly KeeperCaseBody[] = [
  {
    name: "a string is read as it was written, and again by another process",
    run: async (world) => {
      const shop = await Shop.open(world);
      assert.equal(await shop.write(["user:1:name", replace(b("Alice"))]), 1);
      await shop.is("user:1:name", value(b("Alice")));
      await (await Shop.open(world)).is("user:1:name", value(b("Alice")));
      assert.equal(await shop.write(["user:1:name", replace(b(""))]), 2);
      await shop.is("user:1:name", value(b("")));
    },
  },
  {
    name: "a hash is read whole, and a string and a hash take each other's place",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(fields({ name: "Alice", "": "empty", city: "" }))]);
      await shop.is("a", value(fields({ name: "Alice", "": "empty", city: "" })));
      await shop.write(["a", replace(fields({ other: "1" }))]);
      await shop.is("a", value(fields({ other: "1" })));
      await shop.write(["a", replace(b("text"))]);
      await shop.is("a", value(b("text")));
      await shop.write(["a", replace(fields({}))]);
      await shop.is("a", value(fields({})));
      await shop.write(["a", merge({ x: "1" })]);
      await shop.is("a", value(fields({ x: "1" })));
      await shop.write(["a", merge({}, ["x"])]);
      await shop.is("a", value(fields({})));
    },
  },
  {
    name: "keys, fields and values are any bytes, the empty ones too",
    run: async (world) => {
      const shop = await Shop.open(world);
      const hash = new Map<Bytes, Bytes>([
        [everyByte, everyByte],
        ["" as Bytes, "" as Bytes],
        ["=" as Bytes, "-" as Bytes],
        ["\0" as Bytes, "!" as Bytes],
      ]);
      const frames = [
        { changes: [{ record: everyByte, change: replace(everyByte) }], from: new Map() },
        { changes: [{ record: "" as Bytes, change: replace(everyByte) }], from: new Map() },
        { changes: [{ record: "hash" as Bytes, change: replace(hash) }], from: new Map() },
        { changes: [{ record: "over" as Bytes, change: { ...merge({}, ["", "=", "!"]) } }], from: new Map() },
      ];
      for (const each of frames) await shop.writeAll([each]);
      const asked = frames.map(({ changes }) => ({ partition: 0, record: changes[0]?.record as Bytes }));
      const { records } = await shop.keeper.read(asked, "lease");
      assert.deepEqual(records.slice(0, 3), [value(everyByte), value(everyByte), value(hash)]);
      const unset = new Set(["", "=", "!"] as Bytes[]);
      assert.deepEqual(records[3], { ...nothingKnown, overlay: { set: new Map(), unset, expiresAt: undefined } });
      assert.deepEqual(
        (await shop.frames()).map(changesOf),
        frames.map(({ changes }) => changes),
      );
    },
  },
  {
    name: "merges of a known hash set and take out fields",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(fields({ x: "1", y: "2" }))]);
      await shop.write(["a", merge({ x: "3", z: "4" }, ["y"])]);
      await shop.is("a", value(fields({ x: "3", z: "4" })));
      await shop.write(["a", merge({}, ["x", "z", "none"])]);
      await shop.is("a", value(fields({})));
    },
  },
  {
    name: "a removal is known, and a replace after it too; a merge after it makes a hash",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      await shop.write(["a", remove]);
      await shop.is("a", absent);
      await shop.write(["a", { kind: "replace", content: b("2"), expiresAt: null, afterRemove: true }]);
      await shop.is("a", value(b("2")));
      await shop.write(["a", remove]);
      await shop.write(["a", merge({ x: "1" })]);
      await shop.is("a", value(fields({ x: "1" })));
      await shop.write(["a", remove]);
      await shop.write(["a", merge({}, ["x"])]);
      await shop.is("a", value(fields({})));
      await shop.write(["c", remove]);
      await shop.is("c", absent);
      const later = (await shop.now()) + 60_000;
      await shop.write(["c", expire(later)]);
      await shop.is("c", value(fields({}), later));
      assert.equal(changesOf((await shop.frames(2))[0] as never)[0]?.change.kind, "replace");
    },
  },
  {
    name: "a merge of a string makes a hash, and an expiry alone leaves the string",
    run: async (world) => {
      const shop = await Shop.open(world);
      const later = (await shop.now()) + 60_000;
      await shop.write(["a", replace(b("text"), later)]);
      await shop.write(["a", expire(undefined)]);
      await shop.is("a", value(b("text"), later));
      await shop.write(["a", merge({ x: "1" })]);
      await shop.is("a", value(fields({ x: "1" }), later));
      await shop.write(["c", replace(b("text"))]);
      await shop.write(["c", expire(later)]);
      await shop.is("c", value(b("text"), later));
    },
  },
  {
    name: "an expiry is set, kept, cleared and moved",
    run: async (world) => {
      const shop = await Shop.open(world);
      const [later, latest] = [(await shop.now()) + 60_000, (await shop.now()) + 120_000];
      await shop.write(["a", replace(fields({ x: "1" }), later)], ["s", replace(b("1"), later)]);
      await shop.is("a", value(fields({ x: "1" }), later));
      await shop.is("s", value(b("1"), later));
      await shop.write(["a", merge({ y: "2" })]);
      await shop.is("a", value(fields({ x: "1", y: "2" }), later));
      await shop.write(["a", merge({}, [], latest)]);
      await shop.is("a", value(fields({ x: "1", y: "2" }), latest));
      await shop.write(["a", expire(null)]);
      await shop.is("a", value(fields({ x: "1", y: "2" })));
      await shop.write(["a", expire(later)]);
      await shop.write(["a", merge({}, [], null)]);
      await shop.is("a", value(fields({ x: "1", y: "2" })));
      await shop.write(["s", replace(b("2"))]);
      await shop.is("s", value(b("2")));
    },
  },
  {
    name: "a record whose expiry has passed is absent, pending or not, and a new value is not",
    run: async (world) => {
      const shop = await Shop.open(world);
      const soon = (await shop.now()) + 20;
      await shop.write(["a", replace(b("1"), soon)], ["c", replace(fields({ x: "1" }), soon)]);
      assert.equal(await world.forgetsIn(b("a")), null);
      await world.passes(30);
      await shop.is("a", absent);
      await shop.is("c", absent);
      const claim = await shop.claim();
      await shop.store(claim, ["a", "c"]);
      assert.notEqual((await shop.known("a")).state, "value");
      await shop.write(["a", replace(b("2"))], ["c", replace(fields({ y: "2" }))]);
      await shop.is("a", value(b("2")));
      await shop.is("c", value(fields({ y: "2" })));
    },
  },
  {
    name: "a frame is no earlier than it was made, and what has ended by the log's time is absent, if the clock says less",
    run: async (world) => {
      const shop = await Shop.open(world);
      const before = await shop.now();
      await shop.write(
        ["soon", replace(b("1"), before + 60_000)],
        ["hash", replace(fields({ f: "1" }), before + 60_000)],
      );
      await shop.write(["late", replace(b("1"), before + 600_000)]);
      await shop.is("soon", value(b("1"), before + 60_000));
      const at = before + 120_000;
      await shop.writeAll([{ ...frame([["other", replace(b("1"))]]), at }, frame([["another", replace(b("1"))]])]);
      assert.deepEqual(
        (await shop.frames(2)).map((each) => each.at),
        [at, at],
      );
      assert.ok((await shop.now()) < at);
      for (const ended of ["soon", "hash"]) await shop.is(ended, absent);
      await shop.is("late", value(b("1"), before + 600_000));
      const elsewhere = { partition: 1, record: b("elsewhere") };
      assert.equal((await shop.keeper.read([{ partition: 0, record: b("late") }, elsewhere], null)).now, at);
      assert.ok((await shop.keeper.read([elsewhere], null)).now < at);
    },
  },
  {
    name: "a pending record is not forgotten; when it is settled it is, with its expiry at the latest",
    run: async (world) => {
      const shop = await Shop.open(world);
      const later = (await shop.now()) + 60_000;
      await shop.write(["a", replace(b("1"), later)], ["c", replace(b("1"))], ["d", replace(fields({ x: "1" }))]);
      for (const record of ["a", "c", "d"]) assert.equal(await world.forgetsIn(b(record)), null);
      const claim = await shop.claim();
      await shop.store(claim, ["a", "c", "d"], 1_000_000);
      const [a, c, d] = await Promise.all(["a", "c", "d"].map((record) => world.forgetsIn(b(record))));
      assert.ok(a !== null && a !== undefined && a > 0 && a <= 60_000);
      assert.ok(typeof c === "number" && c > 60_000 && c <= 1_000_000);
      assert.ok(typeof d === "number" && d > 60_000 && d <= 1_000_000);
      await shop.is("a", value(b("1"), later));
      await shop.write(["a", merge({ x: "1" })], ["c", expire(later)], ["d", merge({ y: "1" })]);
      for (const record of ["a", "c", "d"]) assert.equal(await world.forgetsIn(b(record)), null);
    },
  },
  {
    name: "a key of a foreign type is told, until it is written over",
    run: async (world) => {
      const shop = await Shop.open(world);
      await world.plant(b("a"));
      await shop.is("a", { state: "foreign" });
      await shop.write(["a", replace(b("1"))]);
      await shop.is("a", value(b("1")));
      await world.plant(b("a"));
      await shop.is("a", { state: "foreign" });
      await shop.write(["a", merge({ x: "1" })]);
      await shop.is("a", value(fields({ x: "1" })));
      await world.plant(b("a"));
      await shop.write(["a", expire(1)]);
      await shop.is("a", { state: "foreign" });
      await shop.write(["a", replace(fields({ x: "2" }))]);
      await shop.is("a", value(fields({ x: "2" })));
      await world.plant(b("a"));
      await shop.write(["a", remove]);
      await shop.is("a", absent);
    },
  },
  {
    name: "a pending record whose key somebody has deleted is lost, and stays it under merges; a whole value mends it",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(fields({ x: "1" }))], ["c", replace(b("1"))]);
      await world.lose(b("a"));
      await world.lose(b("c"));
      const lost = { ...nothingKnown, lost: true };
      await shop.is("a", lost);
      await shop.is("c", lost);
      await shop.write(["a", merge({ y: "1" })], ["c", expire(null)]);
      await shop.is("a", lost);
      await shop.is("c", lost);
      await shop.known("a", "lease");
      const loaded = { content: fields({ x: "1", y: "1" }), expiresAt: null };
      assert.deepEqual(await shop.keeper.fill(0, "lease", [{ record: b("a"), value: loaded, freshMs: 1000 }]), [true]);
      await shop.is("a", value(fields({ x: "1", y: "1" })));
      assert.equal(await world.forgetsIn(b("a")), null);
      await shop.write(["c", replace(b("2"))]);
      await shop.is("c", value(b("2")));
      await world.lose(b("c"));
      await shop.store(await shop.claim(), ["a", "c"]);
      await shop.is("c", nothingKnown);
    },
  },
];
