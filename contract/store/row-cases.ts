/** Rows: what each change makes of a record, and that the store's idea of it is the one of change.ts. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { apply, remove, type Change, type RecordValue } from "../../src/change.js";
import type { StoreCaseBody } from "./world.js";
import { randomChange, seeded } from "./random-changes.js";
import { bytes, everyKey, hash, merge, replace, trickyBytes, value, WriterLike } from "./writer-like.js";

const key = bytesOfText("user:1");
const text = bytesOfText;
const expiryOnly = (expiresAt: number | null | undefined): Change => ({ kind: "merge", fields: null, expiresAt });

/** Changes one after the other, and the value that the record must have after each. */
function steps(name: string, list: readonly (readonly [Change, RecordValue | null])[]): StoreCaseBody {
  return {
    name,
    run: async (world) => {
      const writer = await WriterLike.open(world);
      for (const [index, [change, expected]] of list.entries()) {
        await writer.commit([[key, change]]);
        assert.deepEqual(await writer.value(key), expected, `after step ${index + 1}`);
      }
      await writer.store.close();
    },
  };
}

const small: readonly StoreCaseBody[] = [
  steps("a string is written, replaced, removed and written again", [
    [replace(text("a")), value(text("a"))],
    [replace(text("b")), value(text("b"))],
    [remove, null],
    [remove, null],
    [replace(text("c"), null, true), value(text("c"))],
    [replace(text("d"), null, true), value(text("d"))],
  ]),
  steps("a hash is written, replaced, removed and written again: no old field stays", [
    [replace(hash({ a: "1", b: "2" })), value(hash({ a: "1", b: "2" }))],
    [replace(hash({ b: "3", c: "4" })), value(hash({ b: "3", c: "4" }))],
    [remove, null],
    [replace(hash({ d: "5" })), value(hash({ d: "5" }))],
    [replace(hash({ e: "6" }), null, true), value(hash({ e: "6" }))],
  ]),
  steps("a record changes between string and hash, and nothing of the other type comes back", [
    [replace(hash({ a: "1" })), value(hash({ a: "1" }))],
    [replace(text("s")), value(text("s"))],
    [replace(hash({ b: "2" })), value(hash({ b: "2" }))],
    [replace(text("s"), 5), value(text("s"), 5)],
    [merge({ c: "3" }), value(hash({ c: "3" }), 5)],
    [replace(text("t"), null, true), value(text("t"))],
    [merge({}, ["x"], 9), value(hash({}), 9)],
  ]),
  steps("a merge sets and unsets fields, and makes the hash where there is none", [
    [merge({ a: "1", b: "2" }, ["z"]), value(hash({ a: "1", b: "2" }))],
    [merge({ b: "3", c: "4" }, ["a", "y"]), value(hash({ b: "3", c: "4" }))],
    [merge({ a: "", "": "5" }), value(hash({ a: "", b: "3", c: "4", "": "5" }))],
    [merge({ a: "6" }, ["a"]), value(hash({ a: "6", b: "3", c: "4", "": "5" }))],
  ]),
  steps("a hash may be empty", [
    [replace(hash({})), value(hash({}))],
    [merge({ a: "1" }), value(hash({ a: "1" }))],
    [merge({}, ["a"]), value(hash({}))],
    [remove, null],
    [merge({}), value(hash({}))],
  ]),
  steps("a merge keeps, clears or sets the expiry; a replace carries its own", [
    [replace(text("a"), 1000), value(text("a"), 1000)],
    [expiryOnly(undefined), value(text("a"), 1000)],
    [expiryOnly(2000), value(text("a"), 2000)],
    [expiryOnly(null), value(text("a"))],
    [replace(hash({ a: "1" }), 3000), value(hash({ a: "1" }), 3000)],
    [merge({ b: "2" }), value(hash({ a: "1", b: "2" }), 3000)],
    [merge({ b: "3" }, [], 4000), value(hash({ a: "1", b: "3" }), 4000)],
    [merge({}, ["b"], null), value(hash({ a: "1" }))],
    [replace(hash({ c: "1" }), 8_640_000_000_000_000), value(hash({ c: "1" }), 8_640_000_000_000_000)],
    [replace(text("b")), value(text("b"))],
  ]),
  steps("an expiry alone, on a record that is absent, makes an empty hash", [
    [expiryOnly(1000), value(hash({}), 1000)],
    [remove, null],
    [expiryOnly(undefined), value(hash({}))],
  ]),
];

const large: readonly StoreCaseBody[] = [
  {
    name: "keys, fields and values are bytes: every byte, nothing, text that looks alike, what is no UTF-8",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit(trickyBytes.map((record) => [record, replace(record)]));
      await writer.commit([[text("fields"), replace(new Map(trickyBytes.map((field) => [field, field])))]]);
      const read = await writer.store.read(trickyBytes);
      for (const [index, record] of trickyBytes.entries()) {
        assert.deepEqual(read[index], value(record), JSON.stringify(record));
      }
      assert.deepEqual(await writer.value(text("fields")), value(new Map(trickyBytes.map((field) => [field, field]))));
      await writer.commit(trickyBytes.map((record) => [record, remove]));
      assert.deepEqual(await everyKey(writer.store, 100, 0), [text("fields")]);
      await writer.store.close();
    },
  },
  {
    name: "values of some megabytes, and keys as long as the store says",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { keyBytesMax, valueBytesMax } = writer.store.limits;
      const length = Math.min(valueBytesMax, 4 * 1024 * 1024);
      const everyByte = bytes(...Array.from({ length: 256 }, (_, code) => code));
      const long = "k".repeat(Math.min(keyBytesMax, 1024 * 1024));
      const rows: [Bytes, Bytes][] = [
        [text("ascii"), "x".repeat(length) as Bytes],
        [text("text"), text("é").repeat(length / 2) as Bytes],
        [text("binary"), everyByte.repeat(length / 256) as Bytes],
        [long as Bytes, text("long key")],
        [`${long.slice(1)}l` as Bytes, text("another long key")],
      ];
      await writer.commit(rows.map(([record, content]) => [record, replace(content)]));
      await writer.commit([[text("hash"), replace(new Map(rows.slice(0, 3)))]]);
      for (const [record, content] of rows)
        assert.ok((await writer.value(record))?.content === content, record.slice(0, 9));
      assert.deepEqual(await writer.value(text("hash")), value(new Map(rows.slice(0, 3))));
      await writer.store.close();
    },
  },
  {
    name: "a batch of 20,000 rows, and the same rows again",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const records = Array.from({ length: 20_000 }, (_, n) => text(`user:${n}`));
      await writer.commit(records.map((record) => [record, replace(record)]));
      assert.deepEqual(
        await writer.store.read(records),
        records.map((record) => value(record)),
      );
      await writer.commit(records.map((record, n) => [record, n % 2 === 0 ? remove : merge({ n: `${n}` })]));
      assert.equal((await everyKey(writer.store, 3000, 0)).length, 10_000);
      assert.deepEqual(await writer.value(text("user:19999")), value(hash({ n: "19999" })));
      await writer.store.close();
    },
  },
  {
    name: "clear empties everything and keeps the position",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([
        [text("s"), replace(text("s"))],
        [text("h"), replace(hash({ a: "1" }))],
        [bytes(0xff), replace(bytes(0xff))],
      ]);
      const { to } = await writer.commit([], { clear: true });
      assert.deepEqual(await everyKey(writer.store, 10, 0), []);
      assert.deepEqual((await writer.store.open({ logId: writer.logId })).position, to);
      await writer.store.close();
    },
  },
  {
    name: "no field comes back after clear",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([[text("h"), replace(hash({ a: "1" }))]]);
      await writer.commit([], { clear: true });
      await writer.commit([[text("h"), merge({ b: "2" })]]);
      assert.deepEqual(await writer.value(text("h")), value(hash({ b: "2" })));
      await writer.store.close();
    },
  },
  {
    name: "a sweep deletes what expired up to its log time, after the rows of its batch, and nothing else",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const rows: [Bytes, Change][] = [
        [text("at"), replace(text("x"), 1000)],
        [text("before"), replace(hash({ a: "1" }), 999)],
        [text("after"), replace(text("x"), 1001)],
        [text("never"), replace(text("x"))],
        [text("prolonged"), replace(hash({ a: "1" }), 500)],
        [text("ended"), replace(text("x"))],
      ];
      await writer.commit(rows);
      await writer.commit([], { sweepUpTo: null });
      assert.equal((await everyKey(writer.store, 10, 0)).length, 6);
      await writer.commit(
        [
          [text("prolonged"), merge({ b: "2" }, [], null)],
          [text("ended"), expiryOnly(7)],
        ],
        { sweepUpTo: 1000 },
      );
      assert.deepEqual(await everyKey(writer.store, 10, 0), ["after", "never", "prolonged"]);
      assert.deepEqual(await writer.value(text("prolonged")), value(hash({ a: "1", b: "2" })));
      await writer.commit([[text("before"), merge({ c: "3" })]]);
      assert.deepEqual(await writer.value(text("before")), value(hash({ c: "3" })));
      await writer.store.close();
    },
  },
  {
    name: "sweeps come to an end, however many rows have expired",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit(Array.from({ length: 2500 }, (_, n) => [text(`k${n}`), replace(text("x"), 1 + n)]));
      const to = writer.position ?? undefined;
      for (let sweep = 0; sweep < 25 && (await everyKey(writer.store, 5000, 0)).length > 1; sweep++) {
        await writer.commit([], { ...(to && { to }), sweepUpTo: 2499 });
      }
      assert.deepEqual(await everyKey(writer.store, 5000, 0), ["k2499"]);
      await writer.store.close();
    },
  },
];

const random: readonly StoreCaseBody[] = [1, 2, 3, 4].map((seed) => ({
  name: `the store does what change.ts says (random batches, seed ${seed})`,
  run: async (world) => {
    const dice = seeded(seed);
    const writer = await WriterLike.open(world);
    const records = [
      ...trickyBytes.slice(0, 6),
      bytes(0),
      bytes(0xff),
      bytes(0xc3, 0x28),
      text("user:1"),
      text("user:2"),
    ];
    const model = new Map<Bytes, RecordValue>();
    for (let round = 0; round < 40; round++) {
      const clear = dice(20) === 0;
      const rows = new Map<Bytes, Change>();
      for (let n = clear ? 0 : dice(8); n > 0; n--)
        rows.set(records[dice(records.length)] as Bytes, randomChange(dice));
      const sweepUpTo = dice(4) === 0 ? dice(50) : null;
      await writer.commit(rows, { clear, sweepUpTo });
      if (clear) model.clear();
      for (const [record, change] of rows) {
        const after = apply(model.get(record) ?? null, change);
        if (after === null) model.delete(record);
        else model.set(record, after);
      }
      for (const [record, { expiresAt }] of model) {
        if (sweepUpTo !== null && expiresAt !== null && expiresAt <= sweepUpTo) model.delete(record);
      }
      assert.deepEqual(
        await writer.store.read(records),
        records.map((record) => model.get(record) ?? null),
        `round ${round}`,
      );
      assert.deepEqual(await everyKey(writer.store, 1 + dice(5), 0), [...model.keys()].toSorted(), `round ${round}`);
    }
    await writer.store.close();
  },
}));

/** What each change does, one by one, in bulk and at random. */
export const rowCases: readonly StoreCaseBody[] = [...small, ...large, ...random];
